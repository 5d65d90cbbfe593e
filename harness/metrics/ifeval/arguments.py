"""What the checks read out of an instruction's keyword arguments, and the one comparison that many of them make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class BadArgument(Exception):
    """An argument is missing or of no use; the message says which, and what it should be."""


def text(kwargs: Mapping[str, Any], name: str) -> str:
    """The argument as text without spaces around it, never empty.

    Raises:
        BadArgument: it is missing, or something else.
    """
    value = kwargs.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadArgument(f"'{name}' should be a text, but is {value!r}")
    return value.strip()


def texts(kwargs: Mapping[str, Any], name: str) -> list[str]:
    """The argument as a list of at least one text, whichever kind of sequence it was stored in.

    Raises:
        BadArgument: it is missing, or something else.
    """
    value = kwargs.get(name)
    found = [] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    if not found or not all(isinstance(entry, str) and entry.strip() for entry in found):
        raise BadArgument(f"'{name}' should be a list of texts, but is {value!r}")
    return found


def number(kwargs: Mapping[str, Any], name: str) -> int:
    """The argument as a whole number from 0 up; whole floats are what some tables make of them.

    Raises:
        BadArgument: it is missing, or something else.
    """
    value = kwargs.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value % 1:
        raise BadArgument(f"'{name}' should be a whole number from 0 up, but is {value!r}")
    return int(value)


def holds(actual: int, kwargs: Mapping[str, Any], relation: str, threshold: str) -> bool:
    """Whether ``actual`` is "less than" or "at least" the threshold, as the arguments of these two names say.

    Raises:
        BadArgument: one of the two is missing, or the relation is another one.
    """
    word, limit = text(kwargs, relation), number(kwargs, threshold)
    if word == "less than":
        return actual < limit
    if word == "at least":
        return actual >= limit
    raise BadArgument(f"'{relation}' should be 'less than' or 'at least', but is {word!r}")
