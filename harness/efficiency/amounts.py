"""How much a round asks: the same of all models, so much that it takes long enough to time and not much longer."""

from __future__ import annotations

from typing import NamedTuple

SECONDS = 0.4
"""What each of the three parts of a round is to take of the reference."""
PREFILL, DECODE, QUESTION = 512, 128, 64
"""Tokens, at most: what llama.cpp's own llama-bench times, and a short question."""
LEAST_PREFILL, LEAST_DECODE = 64, 16
MOST_TIMES = 8


class Amounts(NamedTuple):
    """What one round asks of one model."""

    prefill: int
    """Tokens of a long prompt."""
    prefills: int
    """How many of these."""
    question: int
    """Tokens of a short prompt."""
    questions: int
    """How many of these, one token being generated each time."""
    decode: int
    """Tokens generated at one go after a short prompt."""
    decodes: int
    """How often."""


def warm_up(context: int) -> Amounts:
    """Enough to have everything in memory, and to see how fast the model is."""
    prefill, question, decode = _limits(context)
    return Amounts(min(prefill, LEAST_PREFILL), 2, question, 0, min(decode, LEAST_DECODE), 1)


def amounts(prefill_speed: float, decode_speed: float, context: int) -> Amounts:
    """What a round is to ask, by tokens per second that were seen.

    Token counts are powers of two, so that they are the same in most runs on a machine.
    """
    prefill, question, decode = _limits(context)
    tokens = _within(prefill_speed * SECONDS, LEAST_PREFILL, prefill)
    written = _within(decode_speed * SECONDS, LEAST_DECODE, decode)
    return Amounts(
        prefill=tokens,
        prefills=_times(prefill_speed, tokens),
        question=question,
        questions=_times(prefill_speed, question),
        decode=written,
        decodes=_times(decode_speed, written),
    )


def _limits(context: int) -> tuple[int, int, int]:
    """Token counts that leave room in a short context."""
    return min(PREFILL, context // 2), min(QUESTION, context // 4), min(DECODE, context // 4)


def _within(tokens: float, least: int, most: int) -> int:
    """The power of two below, within limits, of which the upper one is the context's."""
    power = 1 << max(0, int(tokens).bit_length() - 1)
    return min(max(power, least), most)


def _times(speed: float, tokens: int) -> int:
    return max(1, min(int(speed * SECONDS / tokens), MOST_TIMES))
