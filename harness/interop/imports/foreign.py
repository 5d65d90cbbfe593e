"""Files of others that are not what they should be: one place where what goes wrong in reading becomes a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from harness.errors import UserError

WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, re.error)
"""What content that nobody expected makes of code that reads it."""


@contextmanager
def reading(path: Path, program: str, remedy: str, where: str = "") -> Iterator[None]:
    """Say of a file that its content is wrong, if what is done here fails by it.

    Args:
        path: the file.
        program: what should have written it.
        remedy: half a sentence.
        where: in the file, as ``line 3`` or ``document 3``.

    Raises:
        UserError: the file cannot be read, or its content is not what the program writes.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except WRONG as error:
        place = f"{path}, {where}," if where else f"{path}"
        raise UserError(f"{place} is not as {program} writes it ({_why(error)}); {remedy}.") from None


def _why(error: Exception) -> str:
    """``key 3.stats: field required``."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        keys = ".".join(map(str, fault["loc"]))
        said = f"{fault['msg'][0].lower()}{fault['msg'][1:]}"
        return f"{keys}: {said}" if keys else said
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
