"""The names that llama.cpp gives to types of files and of tensors, and what its quantizer does with each.

A *file type* (``Q4_K_M``) is a recipe for a whole model; a *ggml type* (``Q4_K``) is how one tensor is stored.
"""

from __future__ import annotations

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

FLOAT_TYPES = ("F32", "F16", "BF16")
"""File types that quantize nothing; as types of tensors they carry the same names."""

FILE_TYPES: dict[str, str] = {
    **{name: name for name in (*FLOAT_TYPES, "Q8_0", "Q6_K", "Q5_0", "Q5_1", "Q4_0", "Q4_1", "Q2_K", "Q1_0")},
    **{name: name for name in ("IQ4_NL", "IQ4_XS", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")},
    **{name: name for name in ("TQ2_0", "TQ1_0")},
    **{"Q5_K_M": "Q5_K", "Q5_K_S": "Q5_K", "Q4_K_M": "Q4_K", "Q4_K_S": "Q4_K", "Q2_K_S": "Q2_K"},
    **{"Q3_K_L": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_S": "Q3_K", "IQ3_M": "IQ3_S", "IQ3_XS": "IQ3_S", "IQ2_M": "IQ2_S"},
}
"""llama.cpp's file types, each with the ggml type that its name stands for.

Left out are NVFP4 (llama.cpp's quantizer refuses it), Q2_0 (the ``gguf`` package cannot read it) and MXFP4_MOE (which
turns a model without experts into Q8_0).
"""

TENSOR_TYPES = frozenset(FILE_TYPES.values())
"""ggml types that llama.cpp's quantizer can write; with any other (Q8_K, I8 ...) it aborts."""

NEEDS_IMATRIX = frozenset(
    ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "Q2_K_S"),
)
"""File and tensor types that llama.cpp will not make without an importance matrix."""


def block_size(tensor_type: str) -> int:
    """Weights per block of a ggml type; a row of a matrix must be a whole number of blocks."""
    return GGML_QUANT_SIZES[GGMLQuantizationType[tensor_type]][0]
