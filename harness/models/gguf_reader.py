"""The ``gguf`` package's reader, made to notice the end of the file and to pass over long arrays quickly.

Left alone, :class:`gguf.GGUFReader` reads silently past the end of a cut file, loops for years over an array whose
length is damaged, and makes two numpy arrays of every token and merge: 9 s and 600 MB for a vocabulary of 128,256
with 280,000 merges (0.1 s and 8 MB here). Should a later version of
the package rename what is overridden, only that comes back.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, ReaderField
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFEndian, GGUFValueType

_Parts = tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]


class CutShort(Exception):
    """The file ends before what it announces."""

    def __init__(self, part: str, needed: int) -> None:
        """Say which part is cut, and how many bytes at the least the file would have, were it whole."""
        super().__init__(part, needed)
        self.part = part
        self.needed = needed


class Reader(GGUFReader):
    """A reader that raises :class:`CutShort`; of an array in the metadata it keeps the length alone."""

    def _need(self, end: int, part: str = "the header") -> None:
        if end > len(self.data):
            raise CutShort(part, end)

    def _get(
        self,
        offset: int,
        dtype: npt.DTypeLike,
        count: int = 1,
        override_order: Literal["I", "S", "<"] | None = None,
    ) -> npt.NDArray[Any]:
        self._need(int(offset) + int(count) * np.dtype(dtype).itemsize)
        return super()._get(offset, dtype, count, override_order)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> _Parts:
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        item_type = GGUFValueType(int(self._get(orig_offs, np.uint32)[0]))
        length = self._get(orig_offs + 4, np.uint64)
        end = start = orig_offs + 12
        if item_type == GGUFValueType.STRING:
            order: Literal["little", "big"] = "little" if self.endianess == GGUFEndian.LITTLE else "big"
            data = self.data.data
            for _ in range(int(length[0])):
                self._need(end + 8)
                end += 8 + int.from_bytes(data[end : end + 8], order)
        elif item_type in self.gguf_scalar_to_np:
            end += int(length[0]) * np.dtype(self.gguf_scalar_to_np[item_type]).itemsize
        else:
            raise ValueError("it holds an array of arrays")
        self._need(end)
        return end - start + 12, [length], [0], [GGUFValueType.ARRAY, item_type]

    def _build_tensors(self, start_offs: int, fields: list[ReaderField]) -> None:
        end = 0
        for field in fields:
            _, _, _, shape, raw_type, offset = field.parts
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(int(raw_type[0]))]
            elements = math.prod(int(n) for n in shape)
            end = max(end, int(start_offs) + int(offset[0]) + elements // block * size)
        self._need(end, "the tensor data")
        super()._build_tensors(start_offs, fields)
