"""Prompts with solved examples, shortened to the context window as HELM does it: example by example, the last first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.adaptation.window import SPECIAL, Window, fits
from harness.errors import DoesNotFit
from harness.layout import Layout


class Context(NamedTuple):
    """A prompt up to where the answer begins, and what it lacks."""

    text: str
    n_examples: int
    n_dropped: int
    """Examples that did not fit."""
    n_cut: int
    """Tokens of the input that did not fit."""


def build_context(
    layout: Layout,
    examples: Sequence[str],
    ask: Callable[[str], str],
    text: str,
    window: Window,
    *,
    answers: Sequence[str] = ("",),
    max_tokens: int = 0,
) -> Context:
    """The longest prompt that fits.

    Args:
        layout: puts the blocks together.
        examples: solved blocks.
        ask: makes the last block from an input.
        text: the input.
        window: has to hold the prompt with the longest answer.
        answers: continuations that will be scored after the prompt.
        max_tokens: longest answer that will be generated.

    Raises:
        DoesNotFit: not even an empty input fits.

    HELM, with no example left to drop, cuts the prompt's end, and with it the question. Here the end of the input is
    cut, so that the question is still asked.
    """
    longest = max(answers, key=lambda answer: len(answer.encode()))

    def holds(context: str) -> bool:
        return fits(window, context + longest, max_tokens)

    for count in range(len(examples), -1, -1):
        prompt = layout.prompt(examples[:count], ask(text))
        if holds(prompt):
            return Context(prompt, count, len(examples) - count, 0)
    tokens = window.tokenize(text)
    excess = len(window.tokenize(prompt + longest)) + max_tokens + SPECIAL - window.context
    # A cut text may get other tokens than the whole one, so more is cut until it is enough.
    for kept in range(len(tokens) - excess, -1, -1):
        prompt = layout.prompt([], ask(window.detokenize(tokens[:kept])))
        if holds(prompt):
            return Context(prompt, 0, len(examples), len(tokens) - kept)
    raise DoesNotFit(f"The context of {window.context} tokens does not even hold the question without its text.")
