"""llama.cpp without the server, which its log-probabilities are measured against; and servers of a test's own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llama_cpp
import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


@llama_cpp.llama_log_callback
def _say_nothing(_level: int, _text: bytes, _user_data: object) -> None:
    """Its log has hundreds of lines a model."""


class RawLlama:
    """A model, a context, and a softmax; nothing of the server's code."""

    def __init__(
        self, path: Path, *, n_batch: int = 512, cache_type: str = "f16", flash_attention: str = "off"
    ) -> None:
        llama_cpp.llama_log_set(_say_nothing, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        assert self._model
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 4096
        params.n_batch = params.n_ubatch = n_batch
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = {"f32": llama_cpp.GGML_TYPE_F32, "f16": llama_cpp.GGML_TYPE_F16}[cache_type]
        params.flash_attn_type = {"auto": -1, "off": 0, "on": 1}[flash_attention]
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        assert self._context
        self._n_batch = n_batch
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.adds_bos: bool = llama_cpp.llama_vocab_get_add_bos(self._vocab)

    def tokenize(self, text: str) -> list[int]:
        """What the model is meant to see: special tokens parsed, and before them what llama.cpp itself would add."""
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        return ids[: llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, len(ids), True, True)]

    def name(self, token: int) -> str:
        """A token as OpenAI writes it."""
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, 256, 0, True)
        piece = buffer.raw[:length]
        try:
            return piece.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)

    def logprobs(self, tokens: Sequence[int]) -> NDArray[np.float64]:
        """Log-softmax after each token, one sequence alone in the cache. ``[len(tokens), n_vocab]``"""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        rows = []
        for begin in range(0, len(tokens), self._n_batch):
            chunk = tokens[begin : begin + self._n_batch]
            batch = llama_cpp.llama_batch_init(len(chunk), 0, 1)
            batch.n_tokens = len(chunk)
            for i, token in enumerate(chunk):
                batch.token[i], batch.pos[i], batch.logits[i] = token, begin + i, 1
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            assert llama_cpp.llama_decode(self._context, batch) == 0
            llama_cpp.llama_batch_free(batch)
            logits = llama_cpp.llama_get_logits(self._context)
            rows.append(np.ctypeslib.as_array(logits, (len(chunk), self.n_vocab)).astype(np.float64))
        logits = np.concatenate(rows)
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


@pytest.fixture(scope="session")
def raw_llama() -> Iterator[Callable[..., RawLlama]]:
    """A :class:`RawLlama`, the same one for the same arguments."""
    made: dict[tuple[object, ...], RawLlama] = {}

    def get(path: Path, **options: Any) -> RawLlama:
        key = (path, *sorted(options.items()))
        if key not in made:
            made[key] = RawLlama(path, **options)
        return made[key]

    yield get
    for raw in made.values():
        raw.close()


@pytest.fixture(scope="session")
def quantized(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A quantization of the bundled model, such as ``Q4_K_M``."""
    folder = tmp_path_factory.mktemp("quantized")

    def get(kind: str) -> Path:
        path = folder / f"world-{kind.lower()}.gguf"
        if not path.exists():
            params = llama_cpp.llama_model_quantize_default_params()
            params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
            assert llama_cpp.llama_model_quantize(bytes(bundled), bytes(path), ctypes.byref(params)) == 0
        return path

    return get


@pytest.fixture
def start_on(tmp_path: Path, server_type: type[ServerUnderTest]) -> Iterator[Callable[..., ServerUnderTest]]:
    """Starts servers of a test's own, for a model and options; they have stopped when the test ends."""
    started: list[ServerUnderTest] = []

    def get(model: Path, *options: str) -> ServerUnderTest:
        started.append(server_type(model, tmp_path / f"{len(started)}.log", *options))
        return started[-1]

    yield get
    for server in started:
        server.stop()
