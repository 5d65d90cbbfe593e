"""The bundled model's metadata with a single small tensor: all that the checks look at, and quickly written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gguf_parts import Gguf, read

from server.gguf_check import BadGguf, check_gguf

Said = Callable[[Callable[[Gguf], object]], str]


@pytest.fixture(scope="session")
def bundled_bytes(bundled: Path) -> bytes:
    """The whole file."""
    return bundled.read_bytes()


@pytest.fixture
def said(bundled_bytes: bytes, tmp_path: Path) -> Said:
    """What is said of a file after a change to its parts; nothing where it passes."""

    def change(by: Callable[[Gguf], object]) -> str:
        gguf = read(bundled_bytes)
        gguf.tensors = [tensor for tensor in gguf.tensors if tensor.name == b"output_norm.weight"]
        by(gguf)
        path = tmp_path / "model.gguf"
        gguf.write(path)
        try:
            check_gguf(path)
        except BadGguf as error:
            sentence = str(error).removeprefix(f"{path} ")
            assert sentence.isprintable()
            return sentence.removesuffix("; download or convert it again.")
        return ""

    return change
