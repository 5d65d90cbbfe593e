"""Which tokens of a row a compact store keeps, and how they are packed: ids as distances, in groups of seven bits."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from server.kernel_cache import kernel

HEAD = 18
"""Bytes of a row before its tokens."""
BUCKETS = 16
"""A nat is divided into so many by which the tokens to keep are chosen, at most 16 nats below the maximum."""
LAST = 255
LONGEST = 5
"""Bytes of a token, at most: ids are below 2**21."""


@numba.njit(inline="always")
def bucket_of(distance: Any) -> Any:
    """By how far below the maximum a logit lies, in steps of a sixteenth of a nat."""
    return np.int32(min(distance * np.float32(BUCKETS), np.float32(LAST)))


@numba.njit(inline="always")
def length_of(step: Any) -> Any:
    """Bytes of an id and its code."""
    return 3 if step < 128 else 4 if step < 16384 else LONGEST


@numba.njit(inline="always")
def write_token(to: Any, at: Any, step: Any, code: Any) -> Any:
    """Write one token; returns where the next one goes."""
    while step >= 128:
        to[at] = np.uint8((step & 127) | 128)
        step >>= 7
        at += 1
    to[at], to[at + 1], to[at + 2] = np.uint8(step), np.uint8(code & 255), np.uint8(code >> 8)
    return at + 3


@numba.njit(inline="always")
def first_of(row: Any, value: Any, but: Any) -> Any:
    """The first place of a value, but for one place."""
    at = 0
    while row[at] != value or at == but:
        at += 1
    return at


@kernel()
def border_of(row: Any, peak: Any, top: Any, second: Any, room: Any, counts: Any) -> tuple[int, int]:
    """Which bucket is not kept whole, and how many bytes those above it and the two likeliest leave."""
    counts[:] = 0
    for i in range(len(row)):
        counts[bucket_of(peak - row[i])] += 1
    border, kept = 0, counts[0]
    while border < LAST and 3 * kept <= room:
        border += 1
        kept += counts[border]
    while True:
        needed, last = 0, -1
        for i in range(len(row)):
            if bucket_of(peak - row[i]) < border or i in (top, second):
                needed += length_of(i - last)
                last = i
        if needed <= room or border == 0:
            return border, room - needed
        border -= 1


@kernel()
def unpack(data: Any, count: Any, n_vocab: Any, ids: Any, codes: Any) -> Any:
    """Read the kept tokens of a row; False if they are damaged."""
    at, token = HEAD, np.int64(-1)
    for n in range(count):
        step, shift = np.int64(0), 0
        while at < len(data) and data[at] >= 128 and shift < 21:
            step |= (np.int64(data[at]) & 127) << shift
            shift += 7
            at += 1
        if at + 3 > len(data):
            return False
        step |= np.int64(data[at]) << shift
        token += step
        if step < 1 or token >= n_vocab:
            return False
        ids[n] = token
        codes[n] = np.int32(data[at + 1]) | (np.int32(data[at + 2]) << 8)
        at += 3
    return count > 0 and codes[:count].min() == 0
