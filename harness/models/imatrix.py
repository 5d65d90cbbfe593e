"""Importance matrices: how much each column of each matrix matters, measured on text by ``llama-imatrix``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import UserError
from harness.models.gguf_facts import open_gguf

SUMS = ".in_sum2"
COUNTS = ".counts"


def read_imatrix(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Mean squared activation of every column, by name of the matrix; the experts of one matrix follow each other.

    Reads the GGUF form (``NAME.in_sum2`` and ``NAME.counts``). The older ``.dat`` form is refused as no GGUF file.
    """
    stored = {tensor.name: tensor.data for tensor in open_gguf(path).tensors}
    names = [name.removesuffix(SUMS) for name in stored if name.endswith(SUMS)]
    if not names:
        raise UserError(f"{path} is a GGUF file and no importance matrix; make one with llama-imatrix.")
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name in names:
        sums, counts = stored[name + SUMS], stored.get(name + COUNTS)
        if counts is None or sums.ndim != 2 or counts.shape != (len(sums), 1):
            raise UserError(f"{path} has no counts that fit {name}{SUMS}; make it again with llama-imatrix.")
        # An expert that no text reached says nothing: all its columns count alike, as in llama.cpp.
        found[name] = np.divide(sums, counts, out=np.ones(sums.shape, np.float32), where=counts > 0).ravel()
    return found
