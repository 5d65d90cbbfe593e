"""How the harness starts its own Python modules in processes of their own, where llama.cpp may abort alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def command(module: str) -> list[str]:
    """Run a module of ours; ``-P`` keeps modules in the user's folder from taking its place."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Our own environment, by which the child finds this very package from whatever folder it is started in."""
    root = str(Path(__file__).parents[1])
    # A setting of somebody's own server must not reach the measured ones: no record would show it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUANT_SERVER_")}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "GGML_NO_BACKTRACE": "1",  # on abort, ggml would call a debugger
    }


def usable_cores() -> int:
    """Cores that this process may run on; all of them where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
