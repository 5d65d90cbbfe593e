"""A model that is damaged on purpose: it takes some words for others."""

from __future__ import annotations

import shutil
from pathlib import Path

import gguf
import numpy as np

SPACE = "Ġ"
"""What stands for a space in the names of byte-level BPE tokens."""


def swap_words(source: Path, target: Path, *pairs: tuple[str, str]) -> Path:
    """Write a model again that reads the one word of each pair where the other stands, and the other way round.

    The rows of the two words in the matrix of token embeddings change places; everything else stays as it is. The
    words are single tokens after a space.
    """
    shutil.copyfile(source, target)
    reader = gguf.GGUFReader(target, "r+")
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    embedding: np.ndarray = next(tensor.data for tensor in reader.tensors if tensor.name == "token_embd.weight")
    assert len(embedding) == len(tokens), "one row a token"
    for pair in pairs:
        rows = [tokens.index(SPACE + word) for word in pair]
        embedding[rows] = embedding[rows[::-1]]
    embedding.flush()
    return target
