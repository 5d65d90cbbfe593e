"""llama.cpp's model and vocabulary as small typed objects, its log and its errors.

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

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as c
from numpy.typing import NDArray

from server.engine.long_runs import survivable

logger = logging.getLogger("llama.cpp")

_CUTTING = c.LLAMA_TOKEN_ATTR_UNKNOWN | c.LLAMA_TOKEN_ATTR_CONTROL | c.LLAMA_TOKEN_ATTR_USER_DEFINED
_LOG_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}  # enum ggml_log_level

VERSION = f"llama-cpp-python-{llama_cpp.__version__}"

_EXPECTED = (b"possible training context overflow", b"failed to find a memory slot")
"""Warnings of what is meant: a cache larger than the model's context, which several sequences share, and a full one, in
which older sequences then make room (if none is left, the request fails and says so)."""


MAX_COMPLAINTS = 100
complaints: list[str] = []
"""llama.cpp's errors since the last call that may fail; the first says most, the rest follow from it."""


def reason() -> str:
    """Why the last call failed, in llama.cpp's words."""
    return complaints[0].removesuffix(".") if complaints else "it does not say why"


class LlamaError(Exception):
    """llama.cpp refused or failed; the message is one sentence."""


class NoRoom(LlamaError):
    """The KV cache has no cells for this batch (``llama_decode`` returned 1)."""


@c.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    """llama.cpp's log into Python's. Level 5 continues a line and carries progress dots; it is dropped."""
    if level in _LOG_LEVELS and not any(warning in text for warning in _EXPECTED):
        line = text.decode(errors="replace").rstrip()
        logger.log(_LOG_LEVELS[level], line)
        if _LOG_LEVELS[level] == logging.ERROR and len(complaints) < MAX_COMPLAINTS:
            complaints.append(line)


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
        complaints.clear()
        self.handle = c.llama_model_load_from_file(os.fsencode(path), params)
        if not self.handle:
            raise LlamaError(f"{path}: llama.cpp cannot load this model ({reason()}).")
        self.turn = threading.Lock()
        """Held while a context decodes: ggml's threads wait for each other in busy loops, and two sets of them on the
        same cores keep each other from their work."""
        self.vocab = c.llama_model_get_vocab(self.handle)
        self._pieces: dict[int, bytes] = {}
        self.n_vocab: int = c.llama_vocab_n_tokens(self.vocab)
        self.n_ctx_train: int = c.llama_model_n_ctx_train(self.handle)
        self.n_embd: int = c.llama_model_n_embd_out(self.handle)
        """Numbers in an embedding."""
        self.n_params: int = c.llama_model_n_params(self.handle)
        self.size: int = c.llama_model_size(self.handle)
        """Bytes of all tensors."""
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


def uses_gpu(gpu_layers: int) -> bool:
    """Whether llama.cpp will decode on a GPU."""
    return bool(c.llama_supports_gpu_offload()) and gpu_layers != 0
