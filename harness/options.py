"""Values of command line options that are more than a number."""

from __future__ import annotations

import math
import re

from harness.errors import UserError

_SHARE = re.compile(r"([0-9]*\.?[0-9]+)\s*(pp|%)")


def read_margin(text: str) -> float:
    """A share from percentage points: ``1pp`` and ``1%`` are 0.01.

    A bare number is refused: 0.01 may mean either.

    Raises:
        UserError: it is something else, or not above 0 and below 100.
    """
    return read_share("--margin", text)


def read_share(option: str, text: str) -> float:
    """The same for another option.

    Raises:
        UserError: it is something else, or not above 0 and below 100; ``option`` is named.
    """
    found = _SHARE.fullmatch(text.strip())
    share = float(found[1]) / 100 if found else math.nan
    if not 0 < share < 1:
        raise UserError(f"{option}: {text!r} is no share above 0 and below 100 points; write it like 1pp or 0.5pp.")
    return share
