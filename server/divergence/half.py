"""Float16 by bit arithmetic, which LLVM vectorizes: distances of logits from their row's maximum, never negative."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

LARGEST = np.float32(65504)
"""What is further below the maximum counts as so far: its probability is 0 in any precision."""
_DOWN = np.float32(2.0**-112)
_UP = np.float32(2.0**112)


@numba.njit(inline="always")
def to_half(x: Any) -> Any:
    """Bits of the float16 nearest to a float32 from 0 to :data:`LARGEST`, even ones among equals.

    Scaled by 2**-112, a float32 has the exponent bits of the float16; what is left is to round 13 bits away.
    """
    bits = np.float32(x * _DOWN).view(np.int32)
    return np.uint16(np.int32(bits + np.int32(0xFFF) + ((bits >> np.int32(13)) & np.int32(1))) >> np.int32(13))


@numba.njit(inline="always")
def from_half(code: Any) -> Any:
    """The float32 that such bits stand for."""
    return np.int32(np.int32(code) << np.int32(13)).view(np.float32) * _UP
