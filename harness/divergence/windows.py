"""A text's tokens as windows, cut as ``llama-perplexity`` cuts them, so that its figures and ours are comparable."""

from __future__ import annotations

from typing import NamedTuple

from harness.adaptation.text_windows import Ids, whole_windows
from harness.errors import UserError

USUAL = 512
"""Tokens of a window where the context and the text allow it: llama-perplexity's default, and published figures'."""
SMALLEST = 32
"""Below that the scored tokens have so little before them that any model guesses."""


class Windows(NamedTuple):
    """Windows of equal length; the second half of each is scored."""

    tokens: list[list[int]]
    """``[windows, n_ctx]``, with BOS where the model wants one."""
    n_ctx: int
    n_whole: int
    """Windows that the whole text would have made."""

    @property
    def score_from(self) -> int:
        """Position of the first token that is scored, in every window."""
        return self.n_ctx // 2 + 1

    @property
    def n_scored(self) -> int:
        """Tokens that are scored in all windows together."""
        return len(self.tokens) * (self.n_ctx - self.score_from)


def cut(tokens: Ids, bos: Ids, context: int, most: int | None) -> Windows:
    """The windows of a text.

    Args:
        tokens: of the text, without BOS.
        bos: what stands before a text and takes the place of every window's first token; may be empty.
        context: tokens that fit into every model's context.
        most: windows that are wanted; None for all.

    A text too short for two windows of the usual length is cut into two shorter ones, down to :data:`SMALLEST` tokens,
    and then into one. What is left at the end, less than a window, is not used.

    Raises:
        UserError: the text does not make one window, or the context does not hold one.
    """
    length = len(bos) + len(tokens)
    if context < SMALLEST:
        raise UserError(
            f"A context of {context} tokens is too small to compare next-token distributions in, which takes "
            f"{SMALLEST}; leave that out with --no-divergence."
        )
    if length < SMALLEST:
        raise UserError(
            f"--divergence-text: the text has {len(tokens)} of the {SMALLEST} tokens that are needed at least; name a "
            f"longer one, or leave it out with --no-divergence."
        )
    n_ctx = min(USUAL, context)
    if length < 2 * n_ctx:
        n_ctx = min(n_ctx, max(SMALLEST, length // 2))
    whole = whole_windows(tokens, bos, n_ctx)
    return Windows([list(window) for window in whole[:most]], n_ctx, len(whole))
