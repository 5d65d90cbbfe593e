"""llama.cpp's model, vocabulary and context as small typed objects.

llama-cpp-python's high-level ``Llama`` is not used: its echo pairs token i with row i, it sorts the whole vocabulary in
Python for each token, and it serves one request at a time.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import llama_cpp
import numpy as np
from gguf.constants import GGMLQuantizationType
from llama_cpp import llama_cpp as c
from numpy.typing import NDArray

from server.engine.long_runs import survivable

logger = logging.getLogger("llama.cpp")

_CUTTING = c.LLAMA_TOKEN_ATTR_UNKNOWN | c.LLAMA_TOKEN_ATTR_CONTROL | c.LLAMA_TOKEN_ATTR_USER_DEFINED
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
"""llama.cpp's numbers; ``auto`` is on wherever the device can.

Without it, every token is multiplied with all cells of the cache, those of other sequences included: with 2,048 of
theirs in it, prompts took 2.4 times as long and tokens of 8 sequences 1.7 times (125M parameters, 2 cores). It moves
log-probabilities no more than what else is in the cache does without it.
"""
_LOG_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}  # enum ggml_log_level

VERSION = f"llama-cpp-python-{llama_cpp.__version__}"

_NO_OVERFLOW = b"possible training context overflow"
"""llama.cpp warns of a cache larger than the model's context; ours is shared by sequences that each keep within it."""


_complaints: list[str] = []
"""llama.cpp's errors since the last call that may fail; the first says most, the rest follow from it."""


def _reason() -> str:
    """Why the last call failed, in llama.cpp's words."""
    return _complaints[0].removesuffix(".") if _complaints else "it does not say why"


class LlamaError(Exception):
    """llama.cpp refused or failed; the message is one sentence."""


class NoRoom(LlamaError):
    """The KV cache has no cells for this batch (``llama_decode`` returned 1)."""


@c.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    """llama.cpp's log into Python's. Level 5 continues a line and carries progress dots; it is dropped."""
    if level in _LOG_LEVELS and _NO_OVERFLOW not in text:
        line = text.decode(errors="replace").rstrip()
        logger.log(_LOG_LEVELS[level], line)
        if _LOG_LEVELS[level] == logging.ERROR:
            _complaints.append(line)


c.llama_log_set(_log, ctypes.c_void_p(0))


class Model:
    """Weights and vocabulary of one GGUF file."""

    def __init__(self, path: Path, *, gpu_layers: int) -> None:
        """Load the file.

        Raises:
            LlamaError: llama.cpp could not load it.
        """
        c.llama_backend_init()
        params = c.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        _complaints.clear()
        self.handle = c.llama_model_load_from_file(os.fsencode(path), params)
        if not self.handle:
            raise LlamaError(f"{path}: llama.cpp cannot load this model ({_reason()}).")
        self.turn = threading.Lock()
        """Held while a context decodes: ggml's threads wait for each other in busy loops, and two sets of them on the
        same cores keep each other from their work."""
        self.vocab = c.llama_model_get_vocab(self.handle)
        self._pieces: dict[int, bytes] = {}
        self.n_vocab: int = c.llama_vocab_n_tokens(self.vocab)
        self.n_ctx_train: int = c.llama_model_n_ctx_train(self.handle)
        self.n_embd: int = c.llama_model_n_embd_out(self.handle)
        """Numbers in an embedding."""
        self.has_encoder: bool = c.llama_model_has_encoder(self.handle)
        self.can_embed: bool = not (self.has_encoder and c.llama_model_has_decoder(self.handle))
        """Whether one pass gives the states of a text: not where a decoder waits for an encoder."""
        bos, eos, pad = (find(self.vocab) for find in (c.llama_vocab_bos, c.llama_vocab_eos, c.llama_vocab_pad))
        self.bos: int | None = bos if bos >= 0 else None
        self.eos: int | None = eos if eos >= 0 else None
        self.pad: int | None = pad if pad >= 0 else None
        self.adds_bos: bool = c.llama_vocab_get_add_bos(self.vocab) and self.bos is not None
        self.rotates: bool = c.llama_model_rope_type(self.handle) != c.LLAMA_ROPE_TYPE_NONE
        """Whether positions are computed, for as many tokens as one likes; else they are learned, and looked up."""
        self.can_share_prefix: bool = not (
            c.llama_model_is_recurrent(self.handle)
            or c.llama_model_is_hybrid(self.handle)
            or c.llama_model_n_swa(self.handle) > 0
        )
        """Whether part of a sequence's memory may be copied: not where it is a running state or a window."""

    @cached_property
    def end_tokens(self) -> NDArray[np.int32]:
        """Ids of all tokens by which the model may end."""
        return np.array([token for token in range(self.n_vocab) if self.ends_generation(token)], np.int32)

    @cached_property
    def adds_spaces(self) -> bool:
        """Whether the vocabulary puts a space before the first word of a text."""
        return b"".join(map(self.piece, self.tokenize("a"))).startswith(b" ")

    @cached_property
    def longest_piece(self) -> int:
        """Bytes of the longest token; a text has no fewer tokens than its bytes divided by this."""
        return max(len(self.piece(token)) for token in range(self.n_vocab))

    def tokenize(self, text: str, *, parse_special: bool = True, add_special: bool = False) -> list[int]:
        """Token ids of ``text``: special tokens parsed unless told otherwise, nothing added unless asked for.

        Raises:
            InvalidRequest: llama.cpp would not survive this text.
        """
        if self._is_byte_pair:
            text = survivable(text, self._pre_tokenizer)
        data = text.encode()
        size = len(data) + 8
        while True:
            buffer = (c.llama_token * size)()
            count = c.llama_tokenize(self.vocab, data, len(data), buffer, size, add_special, parse_special)
            if count >= 0:
                return list(buffer[:count])
            if -count <= size:
                raise LlamaError("llama.cpp could not tokenize this text.")
            size = -count  # some vocabularies have more tokens than bytes for a text

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; special tokens as their name."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._read_piece(token)
        return piece

    def name(self, token: int | None) -> str | None:
        """A special token's text, as prompts and templates write it; None for none."""
        return None if token is None else self.piece(token).decode(errors="replace")

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        """The text whose tokens these are: without the spaces that tokenizing puts before a text and after specials."""
        pieces = [self.piece(token) for token in tokens]
        if self.adds_spaces:
            begins = [i == 0 or self._cuts_text(tokens[i - 1]) for i in range(len(tokens))]
            pieces = [piece.removeprefix(b" ") if begin else piece for piece, begin in zip(pieces, begins, strict=True)]
        return b"".join(pieces)

    def _cuts_text(self, token: int) -> bool:
        """Whether llama.cpp finds this token by its name before it tokenizes the text around it."""
        return bool(c.llama_vocab_get_attr(self.vocab, token) & _CUTTING)

    @cached_property
    def _is_byte_pair(self) -> bool:
        return bool(c.llama_vocab_type(self.vocab) == c.LLAMA_VOCAB_TYPE_BPE)

    @cached_property
    def _pre_tokenizer(self) -> str | None:
        return self.metadata("tokenizer.ggml.pre")

    def metadata(self, key: str) -> str | None:
        """A value of the file's metadata as text; None where there is none, or it is an array."""
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = c.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
            if length < size:
                return buffer.value.decode(errors="replace") if length >= 0 else None
            size = length + 1

    @property
    def chat_template(self) -> str | None:
        """The Jinja source by which the model's makers write conversations."""
        return self.metadata("tokenizer.chat_template")

    def _read_piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = c.llama_token_to_piece(self.vocab, token, buffer, size, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    @cached_property
    def infill_tokens(self) -> tuple[int, int, int] | None:
        """Ids of the tokens before a prefix, a suffix and the middle, where the model was taught to fill in."""
        before, after, middle = (
            int(find(self.vocab)) for find in (c.llama_vocab_fim_pre, c.llama_vocab_fim_suf, c.llama_vocab_fim_mid)
        )
        return (before, after, middle) if min(before, after, middle) >= 0 else None

    def ends_generation(self, token: int) -> bool:
        """Whether the model means "the end" by this token (EOS, end of turn ...)."""
        return bool(c.llama_vocab_is_eog(self.vocab, token))

    def close(self) -> None:
        """Free the weights."""
        c.llama_model_free(self.handle)


class Batch(NamedTuple):
    """Tokens for one ``llama_decode``: four arrays of equal length."""

    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    sequences: NDArray[np.int32]
    """The sequence that each token belongs to."""
    flags: NDArray[np.int8]
    """1 where the logits after the token are wanted."""


def decode(context: Any, batch: Batch) -> None:
    """``llama_decode``; the batch is within the context's limits.

    Raises:
        NoRoom: the cache is full; nothing was decoded.
        LlamaError: any other failure; the context is not to be used again.
    """
    n = len(batch.tokens)
    # `batch` and these two outlive the call: the C side holds bare pointers into them.
    one_each = np.ones(n, dtype=np.int32)
    sequence_addresses = batch.sequences.ctypes.data + batch.sequences.itemsize * np.arange(n, dtype=np.uintp)
    int_pointer = ctypes.POINTER(ctypes.c_int32)
    raw: Any = c.llama_batch()  # its type hints name arrays, where pointers are what ctypes takes
    raw.n_tokens = n
    raw.token = batch.tokens.ctypes.data_as(int_pointer)
    raw.pos = batch.positions.ctypes.data_as(int_pointer)
    raw.n_seq_id = one_each.ctypes.data_as(int_pointer)
    raw.seq_id = sequence_addresses.ctypes.data_as(ctypes.POINTER(int_pointer))
    raw.logits = batch.flags.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))
    status = c.llama_decode(context, raw)
    if status == 1:
        raise NoRoom("the KV cache has no room for this batch.")
    if status != 0:
        raise LlamaError(f"llama_decode failed with status {status}.")


class Context:
    """A KV cache over a model. Used by one thread only; ``decode`` releases the GIL."""

    def __init__(
        self,
        model: Model,
        *,
        cells: int,
        sequences: int,
        batch_size: int,
        rows: int,
        threads: int,
        cache_type_k: str,
        cache_type_v: str,
        flash_attention: str,
    ) -> None:
        """Allocate ``cells`` tokens of KV cache, shared by up to ``sequences`` sequences.

        ``batch_size`` tokens are decoded together at most, of which ``rows`` may want logits: llama.cpp keeps two
        arrays of [rows, n_vocab], 600 MB at 512 rows of a vocabulary of 152,000.

        Raises:
            LlamaError: llama.cpp could not; mostly for want of memory.
        """
        params = c.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = batch_size
        params.n_outputs_max = max(rows, sequences)  # below n_seq_max llama.cpp aborts the process
        params.n_seq_max = sequences
        params.kv_unified = True  # copying a prefix between sequences is then free
        params.n_threads = params.n_threads_batch = threads
        params.type_k, params.type_v = (GGMLQuantizationType[name.upper()] for name in (cache_type_k, cache_type_v))
        params.flash_attn_type = FLASH_ATTENTION[flash_attention]
        params.no_perf = True
        _complaints.clear()
        self._ctx = c.llama_init_from_model(model.handle, params)
        if not self._ctx:
            raise LlamaError(
                f"llama.cpp cannot make a cache of {cells} tokens in {cache_type_k} and {cache_type_v} ({_reason()})."
            )
        self._memory = c.llama_get_memory(self._ctx)
        self.remembers = bool(self._memory)
        """Whether there is a cache at all: not where every token sees those after it, as in models that only embed."""
        self._turn = model.turn
        self.batch_size = batch_size
        self.rows = rows
        self._rows: NDArray[np.float32] | None = None
        self.cells: int = c.llama_n_ctx(self._ctx)
        self.n_vocab = model.n_vocab

    def decode(self, batch: Batch) -> NDArray[np.float32]:
        """Run the model over a batch.

        Returns:
            Logits ``[rows, n_vocab]`` of the tokens that want them, in batch order; the next call overwrites them.

        Raises:
            NoRoom: the cache is full; nothing was decoded.
            LlamaError: any other failure; the context is not to be used again.
        """
        n = len(batch.tokens)
        if not 0 < n <= self.batch_size:  # beyond n_batch llama.cpp aborts the process
            raise ValueError(f"a batch of {n} tokens, not 1 to {self.batch_size}")
        rows = int(batch.flags.sum())
        if rows > self.rows:  # beyond n_outputs_max likewise
            raise ValueError(f"a batch with {rows} rows, not at most {self.rows}")
        with self._turn:
            decode(self._ctx, batch)
        if rows == 0:
            return np.empty((0, self.n_vocab), dtype=np.float32)
        return self._logits()[:rows]

    def _logits(self) -> NDArray[np.float32]:
        """All rows there is room for. llama.cpp seldom moves them, and an array of a pointer takes 30 µs to make."""
        pointer = c.llama_get_logits(self._ctx)
        if self._rows is None or self._rows.ctypes.data != ctypes.cast(pointer, ctypes.c_void_p).value:
            self._rows = np.ctypeslib.as_array(pointer, shape=(self.rows, self.n_vocab))
        return self._rows

    def copy(self, source: int, target: int, length: int) -> None:
        """Let ``target`` (empty) begin with the first ``length`` tokens of ``source``; no memory is used."""
        c.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def truncate(self, sequence: int, length: int) -> bool:
        """Forget a sequence from position ``length`` on; False if this kind of memory cannot."""
        return bool(c.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def clear(self) -> None:
        """Forget all sequences, and overwrite their keys and values."""
        c.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        """Free the cache."""
        c.llama_free(self._ctx)


def uses_gpu(gpu_layers: int) -> bool:
    """Whether llama.cpp will decode on a GPU."""
    return bool(c.llama_supports_gpu_offload()) and gpu_layers != 0
