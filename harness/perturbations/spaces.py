"""More spaces than needed, as HELM has them."""

from __future__ import annotations

import re
from random import Random

_SPACES = re.compile(" +")


def extra_space(text: str, _rng: Random, *, num_spaces: int) -> str:
    """Every space as many times; nothing is drawn."""
    return text.replace(" ", " " * num_spaces)


def space(text: str, rng: Random, *, max_spaces: int) -> str:
    """Every run of spaces becomes one of 1 to ``max_spaces``, whatever it was."""
    return _SPACES.sub(lambda _: " " * rng.randint(1, max_spaces), text)
