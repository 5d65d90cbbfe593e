"""The tensor table: names, shapes, types and places."""

from __future__ import annotations

import math

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from server.gguf_check.reader import Header, Problem, TensorInfo

MAX_NAME = 63
"""Bytes of a name that llama.cpp has room for (``GGML_MAX_NAME`` less the zero at the end)."""
_EXPERT_TABLE = "tid2eid"
"""In the names of the only integers among the weights: tables from token to expert."""
_FACTORLESS = frozenset(GGMLQuantizationType[name].value for name in ("I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"))
"""Types that nothing can be multiplied by: llama.cpp calls a function that is not there."""
_F32 = GGMLQuantizationType.F32.value


def check_tensors(header: Header) -> None:
    """Raise :class:`Problem` unless all tensors are of usable types and lie one after another in the file."""
    names: set[str] = set()
    expected = end = 0
    for tensor in header.tensors:
        if tensor.name in names or len(tensor.name.encode()) > MAX_NAME:
            what = "two tensors" if tensor.name in names else "a tensor"
            raise Problem(f"has {what} named {tensor.name[: MAX_NAME + 1]!r}, and names are unique and short")
        names.add(tensor.name)
        end = tensor.offset + _size(tensor)
        if tensor.offset % header.alignment:
            raise Problem(f"puts tensor {tensor.name!r} at {tensor.offset}, off its alignment of {header.alignment}")
        if tensor.offset != expected:
            raise Problem(f"puts tensor {tensor.name!r} at {tensor.offset}, but the one before it ends at {expected}")
        expected = -(-end // header.alignment) * header.alignment
    if header.tensors and header.data + end > header.size:
        raise Problem(f"is cut short: its tensors need {header.data + end:,} bytes and it has {header.size:,}")


def _size(tensor: TensorInfo) -> int:
    """Bytes of a tensor's data."""
    name, shape, kind = tensor.name, tensor.shape, tensor.kind
    if 0 in shape or math.prod(shape) >= 2**63:
        raise Problem(f"gives tensor {name!r} the shape {' x '.join(map(str, shape))}")
    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        raise Problem(f"stores tensor {name!r} in type {kind}, which this version does not know") from None
    if shape[0] % block:
        raise Problem(f"has rows of {shape[0]} in tensor {name!r}, no multiple of its block of {block}")
    label = GGMLQuantizationType(kind).name
    if kind in _FACTORLESS and _EXPERT_TABLE not in name:
        raise Problem(f"stores tensor {name!r} in {label}, by which llama.cpp cannot multiply")
    if kind != _F32 and (
        name.endswith("_norm.weight") or (math.prod(shape) == shape[0] and not name.startswith("cls"))
    ):
        raise Problem(f"stores tensor {name!r}, a vector, in {label} where llama.cpp needs F32")
    return math.prod(shape) // block * size
