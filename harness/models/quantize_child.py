"""The process that runs llama.cpp's quantizer: ``python -m harness.models.quantize_child``, one JSON job on stdin.

A process of its own, because llama.cpp ends the whole process over some inputs. Exit code 0 means that the output is
whole; otherwise the last line on stderr says what went wrong.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.models.config import QuantizeConfig
from harness.models.imatrix import read_imatrix


class Job(BaseModel):
    """One file to quantize."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    output: Path
    threads: int
    quantize: QuantizeConfig


def run(job: Job) -> int:
    """Quantize; what llama.cpp returns, which is 0 for success."""
    # Imported late: the parent takes Job from this module and must not load llama.cpp. The package passes
    # llama.cpp's log on to stderr, where the parent looks for the reason of a failure.
    import llama_cpp

    def ggml_type(name: str) -> int:
        return int(getattr(llama_cpp, f"GGML_TYPE_{name}"))

    section = job.quantize
    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread = job.threads
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_{'ALL' if section.type == 'F32' else 'MOSTLY'}_{section.type}")
    params.pure = section.pure
    if section.output_tensor_type is not None:
        params.output_tensor_type = ggml_type(section.output_tensor_type)
    if section.token_embedding_type is not None:
        params.token_embedding_type = ggml_type(section.token_embedding_type)
    # Both arrays end with an element of nothing but zeros, and must outlive the call, as must what they point to.
    overrides = (llama_cpp.llama_model_tensor_override * (len(section.tensor_overrides) + 1))()
    for entry, (pattern, name) in zip(overrides, section.tensor_overrides.items(), strict=False):
        entry.pattern, entry.type = pattern.encode(), ggml_type(name)
    params.tt_overrides = ctypes.cast(overrides, ctypes.POINTER(llama_cpp.llama_model_tensor_override))
    weights = read_imatrix(section.imatrix) if section.imatrix else {}
    imatrix = (llama_cpp.llama_model_imatrix_data * (len(weights) + 1))()
    for item, (name, data) in zip(imatrix, weights.items(), strict=False):
        item.name, item.size = name.encode(), data.size
        item.data = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    if weights:
        params.imatrix = ctypes.cast(imatrix, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    return int(llama_cpp.llama_model_quantize(bytes(job.source), bytes(job.output), ctypes.byref(params)))


if __name__ == "__main__":
    sys.exit(1 if run(Job.model_validate_json(sys.stdin.buffer.read())) else 0)
