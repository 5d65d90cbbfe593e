"""Names that people give: what was meant by a mistyped one, and which can be part of a path."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def closest(given: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant, in capitals or not; None where none is close."""
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(given.lower(), folded, n=1)
    return folded[found[0]] if found else None


def unknown(what: str, given: str, known: Collection[str]) -> str:
    """Half a sentence for a name that is not known: which is closest, and which there are."""
    found = closest(given, known)
    hint = f"; the closest is {found}" if found else ""
    return f"{given!r} is no {what}{hint} (known: {', '.join(sorted(known))})"


def did_you_mean(given: str, known: Collection[str], otherwise: str) -> str:
    """The end of a sentence: a question that offers the closest name, or else ``otherwise``."""
    found = closest(given, known)
    return f"did you mean '{found}'?" if found else f"{otherwise}."


def is_plain_name(name: str) -> bool:
    """Whether a name can stand for one folder or file, and for none above it."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\")
