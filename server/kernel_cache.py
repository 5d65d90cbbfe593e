"""Compiled kernels are kept between starts, in a folder of its own for exactly the code that they were made of.

numba keeps a kernel as long as the kernel's own file is the same. But functions and constants of other files are
compiled into ours, and it writes down that a kernel is there before it is: a server that starts after an update, or
while another one compiles, would run the old code. So the folder's name is a digest of every file that a kernel is made
of, of the compiler and of the processor, and nothing in it is ever replaced by something else.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
import numpy as np
import platformdirs

_CONFIG: Any = numba.config
SERVER = Path(__file__).parent
ROOM = 1 << 22
"""Bytes that all kernels take, and more."""


def sources() -> list[Path]:
    """Every file with a kernel, or with what is compiled into one."""
    return [Path(__file__), SERVER / "engine" / "scoring.py", *sorted((SERVER / "divergence").glob("*.py"))]


def _digest() -> str:
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    found = hashlib.sha256(repr((numba.__version__, np.__version__, *processor)).encode())
    for path in sources():
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:32]


def _folder() -> Path | None:
    """The folder, made; None where nothing can be written, and kernels are compiled at every start."""
    base = Path(_CONFIG.CACHE_DIR or Path(platformdirs.user_cache_dir("quant-harness"), "kernels"))
    if not base.is_absolute():  # nobody's home
        return None
    try:
        folder = base / _digest()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
    except OSError:
        return None
    return folder


FOLDER = _folder()
"""Where they are kept, if they are."""
if FOLDER:
    _CONFIG.CACHE_DIR = str(FOLDER)

kernel = functools.partial(numba.njit, nogil=True, cache=FOLDER is not None)
"""Decorates a function that is called from Python; without the GIL."""
summing_kernel = functools.partial(kernel, fastmath={"reassoc", "contract", "nsz"})
"""Likewise, with sums in any order and fused multiply-add. NaN and infinity keep their meaning: so broken rows show."""
