"""Errors of the HTTP libraries under huggingface_hub and openai: httpx, and of newer ones httpx2."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

_LIBRARIES: list[ModuleType] = [
    importlib.import_module(name) for name in ("httpx", "httpx2") if importlib.util.find_spec(name)
]

HTTP_ERRORS: tuple[type[Exception], ...] = tuple(
    error for library in _LIBRARIES for error in (library.HTTPError, library.InvalidURL)
)
"""Everything that can go wrong with a request."""
TRANSPORT_ERRORS: tuple[type[Exception], ...] = tuple(library.TransportError for library in _LIBRARIES)
"""Nobody answered, or not to the end."""
READ_ERRORS: tuple[type[Exception], ...] = tuple(library.ReadError for library in _LIBRARIES)
"""The connection broke while an answer was read."""
