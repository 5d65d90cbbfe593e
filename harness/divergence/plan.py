"""What is compared in a run: which windows, kept how, in which models; and what a reader must know of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.divergence.text import Text
from harness.divergence.windows import USUAL, Windows, cut

EXACT_BYTES = 2 << 30
"""A store of two bytes an entry that would not stay below that is made compact."""
FEW_WINDOWS = 10
"""With fewer, nothing can be said about the spread between windows."""


class Reading(NamedTuple):
    """The text as one model reads it."""

    tokens: list[int]
    bos: tuple[int, ...]
    n_vocabulary: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The comparison of a run."""

    text: Text
    windows: Windows
    store_format: str
    """``exact`` or ``compact``."""
    reference: str
    compared: tuple[str, ...]
    """Labels of the models that read the text as the reference does."""
    left_out: tuple[str, ...]
    """And of those that do not."""

    @property
    def n_asked(self) -> int:
        """Windows that all models together are asked."""
        return len(self.windows.tokens) * (1 + len(self.compared))

    @property
    def record(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {
            "text": self.text.name,
            "sha256": self.text.sha256,
            "n_ctx": self.windows.n_ctx,
            "score_from": self.windows.score_from,
            "windows": len(self.windows.tokens),
            "tokens": self.windows.n_scored,
            "store": self.store_format,
        }

    @property
    def notes(self) -> list[str]:
        """At most one sentence."""
        n, n_ctx = len(self.windows.tokens), self.windows.n_ctx
        share = self.text.share * n / self.windows.n_whole
        found: list[str] = []
        if n_ctx < USUAL:
            found.append(f"windows have {n_ctx} tokens and not {USUAL}, because the text or a model's context is short")
        if share < 1:
            found.append(f"measured over the first {n} windows of {n_ctx} tokens, {share:.0%} of {self.text.name}")
        if n < FEW_WINDOWS:
            found.append(f"too few windows for intervals ({n} of {FEW_WINDOWS})")
        found += [
            f"{label} reads the text as other tokens than the reference and is left out" for label in self.left_out
        ]
        return [f"Divergence: {'; '.join(found)}."] if found else []


def make_plan(text: Text, readings: Mapping[str, Reading], *, context: int, most: int | None) -> Plan:
    """Plan the comparison.

    Args:
        text: over which distributions are compared.
        readings: by model, the reference first.
        context: tokens that every model's context holds.
        most: windows, at most; None for all that the text makes.

    Raises:
        UserError: the text or the context is too short.
    """
    reference, *others = readings
    own = readings[reference]
    windows = cut(own.tokens, own.bos, context, most)
    is_small = 2 * windows.n_scored * own.n_vocabulary < EXACT_BYTES
    same = tuple(label for label in others if readings[label] == own)
    return Plan(
        *(text, windows, "exact" if is_small else "compact", reference, same),
        left_out=tuple(label for label in others if label not in same),
    )
