"""The tokens of a model: ids of texts, and random prompts."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as c

from bench.setup import BenchError


@c.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(_level: int, _text: bytes, _user_data: object) -> None:
    """Drops llama.cpp's log."""


def silence_llama_cpp() -> None:
    """Keep llama.cpp's log off standard error."""
    c.llama_log_set(_silent, ctypes.c_void_p(0))


class Vocabulary:
    """Tokenizer of a GGUF file, without its weights."""

    def __init__(self, model: Path, *, seed: int) -> None:
        """Load it.

        Raises:
            BenchError: llama.cpp cannot.
        """
        silence_llama_cpp()
        params = c.llama_model_default_params()
        params.vocab_only = True
        self._model = c.llama_model_load_from_file(os.fsencode(model), params)
        if not self._model:
            raise BenchError(f"{model.name}: llama.cpp cannot read its vocabulary.")
        self._vocab = c.llama_model_get_vocab(self._model)
        types = gguf.GGUFReader(model).fields["tokenizer.ggml.token_type"].contents()
        self.size = len(types)
        """Number of tokens."""
        self._ordinary = np.flatnonzero(np.array(types) == gguf.TokenType.NORMAL)
        self._rng = np.random.default_rng(seed)

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text with what the model wants before it, as ``llama-perplexity`` asks for them."""
        data = text.encode()
        buffer = (c.llama_token * (len(data) + 8))()
        count = c.llama_tokenize(self._vocab, data, len(data), buffer, len(buffer), True, False)
        return list(buffer[:count])

    def random_prompts(self, count: int, length: int) -> list[list[int]]:
        """Prompts of random ordinary tokens; no two calls give the same ones."""
        prompts: list[list[int]] = self._rng.choice(self._ordinary, (count, length)).tolist()
        return prompts


LLAMA_CPP_PYTHON = llama_cpp.__version__
