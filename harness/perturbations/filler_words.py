"""Filler words and hedges between the words.

Differs from HELM: the list is our own; and a filler may come before any word that begins with a letter, where HELM goes
by single spaces only.
"""

from __future__ import annotations

import re
from random import Random

FILLERS = ("actually", "basically", "er", "like", "maybe", "most likely", "perhaps", "possibly", "probably", "uh", "um")
"""What is put in. HELM's runs leave out phrases of the speaker's such as *I think*, and so do we."""

_BEFORE_WORD = re.compile(r"(?<!\S)(?=[^\W\d_])")


def filler_words(text: str, rng: Random, *, probability: float) -> str:
    """Put a filler before each word with this probability."""
    return _BEFORE_WORD.sub(lambda _: f"{rng.choice(FILLERS)} " if rng.random() < probability else "", text)
