"""Where the libraries of the Hugging Face Hub keep what they download."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(below: str, *variables: str) -> Path:
    """The folder that the first of the variables names, or else ``below`` in ``HF_HOME`` or where that is by default.

    The libraries read the environment once, when they are first imported; here it counts whenever it is set.
    """
    named = next((os.environ[name] for name in variables if os.environ.get(name)), "")
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"))
    return Path(os.path.expandvars(named or str(Path(home, below)))).expanduser()
