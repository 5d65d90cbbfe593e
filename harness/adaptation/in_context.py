"""Prompts with solved examples, shortened to the context window as HELM does it: example by example, the last first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.adaptation.window import SPECIAL, Window, fits
from harness.errors import DoesNotFit
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec
from harness.types import Prompt, Request


class Context(NamedTuple):
    """A prompt up to where the answer begins, and what it lacks."""

    text: str
    n_examples: int
    n_dropped: int
    """Examples that did not fit."""
    n_cut: int
    """Tokens of the input that did not fit."""

    def to_generate(self, spec: AdapterSpec) -> Request:
        """The request that has the model go on."""
        return Request(
            (Prompt(self.text),),
            max_tokens=spec.max_tokens,
            stop=spec.stop,
            n_examples=self.n_examples,
            n_dropped=self.n_dropped,
            n_cut=self.n_cut,
        )

    def to_score(self, prompts: tuple[Prompt, ...]) -> Request:
        """The request that has these prompts' continuations scored; for people it is the context that they share."""
        return Request(
            prompts,
            max_tokens=0,
            echo=True,
            n_examples=self.n_examples,
            n_dropped=self.n_dropped,
            n_cut=self.n_cut,
            shown=self.text,
        )


def build_context(
    layout: Layout,
    examples: Sequence[str],
    ask: Callable[[str], str],
    text: str,
    window: Window,
    *,
    answers: Sequence[str] = ("",),
    max_tokens: int = 0,
    keeps_end: bool = False,
) -> Context:
    """The longest prompt that fits.

    Args:
        layout: puts the blocks together.
        examples: solved blocks.
        ask: makes the last block from an input.
        text: the input.
        window: has to hold the prompt with each of the answers.
        answers: continuations that will be scored after the prompt.
        max_tokens: longest answer that will be generated.
        keeps_end: whether an input that is too long loses its beginning, and not its end.

    Raises:
        DoesNotFit: not even an empty input fits.

    HELM, with no example left to drop, cuts the prompt's end, and with it the question. Here the input is cut, so that
    the question is still asked.
    """
    # The longest in bytes mostly is the longest in tokens too: where not all fit, it is mostly the first that says so.
    in_order = sorted(answers, key=lambda answer: len(answer.encode()), reverse=True)

    def holds(context: str) -> bool:
        return all(fits(window, context + answer, max_tokens) for answer in in_order)

    for count in range(len(examples), -1, -1):
        prompt = layout.prompt(examples[:count], ask(text))
        if holds(prompt):
            return Context(prompt, count, len(examples) - count, 0)
    tokens = window.tokenize(text)
    excess = len(window.tokenize(prompt + in_order[0])) + max_tokens + SPECIAL - window.context
    # A cut text may get other tokens than the whole one, so more is cut until it is enough.
    for kept in range(len(tokens) - max(excess, 1), -1, -1):
        begin = len(tokens) - kept if keeps_end else 0
        # A character that was cut in two is no character.
        left = window.detokenize(tokens[begin : begin + kept]).strip("\ufffd")
        prompt = layout.prompt([], ask(left))
        if holds(prompt):
            return Context(prompt, 0, len(examples), len(tokens) - kept)
    raise DoesNotFit(f"The context of {window.context} tokens does not even hold the question without its text.")


def prompts_after(contexts: Sequence[str], answers: Sequence[str], window: Window) -> tuple[Prompt, ...]:
    """One prompt a pair of context and answer, the answer to be scored.

    Where a context is empty, the answer stands after BOS; and where the model has none, its first token is not scored,
    for nothing precedes it.
    """
    pairs = list(zip(contexts, answers, strict=True))
    if all(contexts):
        return tuple(Prompt(*pair) for pair in pairs)
    # Only of a prompt of token ids is BOS known to be there; all prompts of a request are of one kind.
    prompts: list[Prompt] = []
    for context, answer in pairs:
        before, tokens = [*window.bos, *window.tokenize(context)], window.tokenize(answer)
        border = 0 if before else 1
        prompts.append(Prompt((*before, *tokens[:border]), tuple(tokens[border:])))
    return tuple(prompts)


def answer_space(layout: Layout) -> str:
    """What stands between a context and its answer: the space that was taken off the context's end."""
    return layout.output_prefix[len(layout.output_prefix.rstrip()) :]
