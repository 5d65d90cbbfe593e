"""When two greedy texts, or two lists of log-probabilities, are the same but for what sums in another order do."""

from __future__ import annotations

from typing import Any

import pydantic

from harness.doctor.answers import Broken, Choice


class _Likely(pydantic.BaseModel):
    token: str
    logprob: float


class _ChatToken(pydantic.BaseModel):
    token: str
    top_logprobs: list[_Likely]


class _ChatLogprobs(pydantic.BaseModel):
    """Log-probabilities as chats have them."""

    content: list[_ChatToken]


NEAR_TIE = 0.5
"""Nats between two likeliest tokens, below which the order in which sums are added may decide between them."""


def sure_text(choice: Choice) -> str | None:
    """How a greedy completion begins whatever is computed beside it; None where it has no alternatives."""
    try:
        found = _ChatLogprobs.model_validate(choice.raw.get("logprobs")).content
        tokens = [entry.token for entry in found]
        values = [sorted(one.logprob for one in entry.top_logprobs) for entry in found]
    except pydantic.ValidationError:
        try:
            arrays = choice.arrays
        except Broken:
            return None
        tokens, values = arrays.tokens, [sorted((top or {}).values()) for top in arrays.tops]
    sure = ""
    for token, likely in zip(tokens, values, strict=False):
        if len(likely) < 2:
            return None
        if likely[-1] - likely[-2] < NEAR_TIE:
            break
        sure += token
    return sure if choice.text.startswith(sure) else ""


def distance(one: list[Any], other: list[Any]) -> float:
    """How far two lists of log-probabilities are apart: on average, in nats; infinitely where one lacks a value."""
    if len(one) != len(other) or any((a is None) != (b is None) for a, b in zip(one, other, strict=True)):
        return float("inf")
    gaps = [abs(a - b) for a, b in zip(one, other, strict=True) if a is not None]
    return sum(gaps) / len(gaps) if gaps else 0.0


def differ(one: list[Any], other: list[Any]) -> str | None:
    """How two lists of log-probabilities differ by more than they may, as words; None where they do not."""
    mean = distance(one, other)
    if mean > TOLERANCE:
        return f"{mean:.2f} nats off on average"
    most = max((abs(a - b) for a, b in zip(one, other, strict=True) if a is not None), default=0.0)
    return f"{most:.2f} nats off at one token" if most > LARGEST else None


TOLERANCE = 0.2
"""Nats, on average over some tokens, that what is computed together with other things may move a log-probability.

Half-precision sums move it by 0.001 on prose and by 0.05 at most, a quantized cache by 0.5 at single places.
"""
LARGEST = 1.0
"""Nats that it may move any single one."""
