"""How much memory the process took, in main memory and on GPUs."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path
from typing import NamedTuple

from llama_cpp import _ggml
from llama_cpp import llama_cpp as c

_GPU = 1
"""GGML_BACKEND_DEVICE_TYPE_GPU; integrated ones, which share main memory, are of another type."""
_STATUS = Path("/proc/self/status")


class Memory(NamedTuple):
    """Bytes."""

    peak_resident: int
    """Most that was ever resident, pages of the model's file included."""
    gpu_used: int
    """Taken on all GPUs since the model began to load; 0 without one. What other processes took since is in it."""
    gpu_free: int


def peak_resident_bytes() -> int:
    """Most of this process that was ever in memory.

    Linux' ``ru_maxrss`` is never less than the parent's at the moment of the fork, which may be larger than the whole
    model; ``VmHWM`` begins anew with the program.
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def gpu_free_bytes() -> int:
    """Memory that is free on all GPUs together; 0 where llama.cpp was built for none, or there is none."""
    if not c.llama_supports_gpu_offload():
        return 0
    ggml = _ggml.libggml
    size = ctypes.c_size_t
    ggml.ggml_backend_dev_count.restype = size
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [size]
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_memory.restype = None
    ggml.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, ctypes.POINTER(size), ctypes.POINTER(size)]
    in_all = 0
    for index in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(index)
        if ggml.ggml_backend_dev_type(device) == _GPU:
            free, total = size(), size()
            ggml.ggml_backend_dev_memory(device, free, total)
            in_all += free.value
    return in_all
