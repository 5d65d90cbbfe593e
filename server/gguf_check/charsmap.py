"""SentencePiece's table of how characters are normalized, as files of "t5" vocabularies carry it.

It is a trie in an array of 32-bit units behind its length in bytes, and then the texts that its leaves point to. A step
from a unit goes to the one at its base XOR the next byte. llama.cpp throws where a step leaves the array, or a leaf
points behind the texts, in the middle of tokenizing: the process ends. All steps are tried here instead.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from server.gguf_check.reader import Problem

_BYTES = np.arange(1, 256, dtype=np.uint32)
_LABEL = np.uint32(0x800000FF)
"""Bits of a unit that say by which byte it is reached; the highest marks a unit that holds a value."""


def check_charsmap(blob: bytes) -> None:
    """Raise :class:`Problem` unless all that can be reached in the table lies in it."""
    if len(blob) < 4:
        return  # llama.cpp says so
    (length,) = struct.unpack_from("<I", blob)
    if length + 4 >= len(blob) or length < 4:
        raise Problem("has a table of characters (precompiled_charsmap) that is cut short")
    units = np.frombuffer(blob, "<u4", length // 4, 4)
    texts = blob[4 + length :]
    reached = np.zeros(len(units), bool)
    bases = _bases(units[:1])
    while len(bases):
        nodes = (bases[:, None] ^ _BYTES).ravel()
        labels = np.tile(_BYTES, len(bases))
        _check_inside(nodes, units)
        found = (units[nodes] & _LABEL) == labels
        nodes = np.unique(nodes[found])
        nodes = nodes[~reached[nodes]]
        reached[nodes] = True
        bases = nodes ^ _bases(units[nodes])
        _check_inside(bases, units)
        leaves = bases[(units[nodes] >> np.uint32(8)) & 1 == 1]
        _check_texts(units[leaves] & np.uint32(0x7FFFFFFF), texts)


def _bases(units: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Where the children of units stand, before a byte is XORed in."""
    return (units >> np.uint32(10)) << ((units & np.uint32(1 << 9)) >> np.uint32(6))


def _check_inside(nodes: NDArray[np.uint32], units: NDArray[np.uint32]) -> None:
    if len(nodes) and int(nodes.max()) >= len(units):
        raise Problem("has a table of characters (precompiled_charsmap) that leads out of itself")


def _check_texts(places: NDArray[np.uint32], texts: bytes) -> None:
    """Every place is the beginning of a text that ends in a zero byte."""
    if len(places) and int(places.max()) > texts.rfind(b"\0"):
        raise Problem("has a table of characters (precompiled_charsmap) that points behind its texts")
