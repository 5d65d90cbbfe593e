"""A text of which is known, token by token, what was likely to stand there.

The yardstick is a completion of one token: where there is one entry, none can stand in another's place. The text is
grown from such completions, now with the likeliest next word and now with the second, so that neighbouring
log-probabilities differ; then it can be sent to be scored as a whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.doctor.patient import Patient

START = "One two three. The name of the"
N_STEPS = 6
K = 5
"""Alternatives that are asked for."""
WORD = re.compile(r" [A-Za-z]+")
SOLID = re.compile(r" ?[!-~]+")
"""No space at its end: some vocabularies drop it there."""


class Step(NamedTuple):
    """One token, and what was likely to stand there."""

    before: str
    """The text before it."""
    token: str
    top: dict[str, float]
    """Of the one-token completion of ``before``."""


class Grown(NamedTuple):
    """The text and its steps."""

    text: str
    steps: list[Step]


def grow(patient: Patient) -> Grown:
    """Make a text of likely words.

    Raises:
        Refused: the endpoint gives no log-probabilities.
        Broken: what came is something else.
    """
    text, steps = START, []
    for number in range(N_STEPS):
        top = likely_next(patient, text)
        likely = sorted(top, key=lambda token: -top[token])
        words = [token for token in likely if WORD.fullmatch(token)] or list(filter(SOLID.fullmatch, likely))
        if not words:
            break
        steps.append(Step(text, words[min(number % 2, len(words) - 1)], top))
        text += steps[-1].token
    return Grown(text, steps)


def likely_next(patient: Patient, text: str) -> dict[str, float]:
    """The likeliest tokens after a text, none where generation ended at once; raises as :func:`grow` does."""
    arrays = patient.complete(text, max_tokens=1, logprobs=K).only.arrays
    if arrays.tops:
        return arrays.tops[0] or {}
    # Without alternatives there is the token itself.
    return {token: value for token, value in zip(arrays.tokens, arrays.values, strict=True) if value is not None}
