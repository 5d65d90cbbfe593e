"""Many tests at once: p-values adjusted for how many there are."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.multitest import multipletests

Floats = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Floats:
    """Holm's adjustment (1979), for alarms: the chance of even one false alarm stays below the level.

    A NaN is no test: it stays NaN, and is not counted.
    """
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Benjamini and Hochberg's adjustment (1995), for looking around: it bounds the share of finds that are false.

    A NaN is no test: it stays NaN, and is not counted.
    """
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: ArrayLike, method: Literal["holm", "fdr_bh"]) -> Floats:
    adjusted = np.array(p_values, float)
    known = ~np.isnan(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method=method)[1]
    return adjusted
