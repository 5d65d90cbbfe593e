"""Which of several is the best, where several may tie."""

from __future__ import annotations

from collections.abc import Sequence


def highest(scores: Sequence[float]) -> tuple[int, ...]:
    """Indices of the highest scores: one, or all of those that tie for it."""
    most = max(scores)
    return tuple(index for index, score in enumerate(scores) if score == most)
