"""multiple_choice_separate_partial: each choice fills a blank, and what follows the blank is scored."""

from __future__ import annotations

from collections.abc import Sequence

from harness.adaptation.in_context import build_context, prompts_after
from harness.adaptation.multiple_choice_separate import MultipleChoiceSeparateOriginal
from harness.adaptation.window import Window
from harness.errors import RunError
from harness.scenarios.base import AdapterSpec
from harness.types import Instance, Normalization, Request

BLANK = "_"


class MultipleChoiceSeparatePartial(MultipleChoiceSeparateOriginal):
    """The scored words are the same for all choices, so that no choice wins by being a likelier text itself.

    "Partial" scoring of Trinh and Le 2018 (arXiv 1806.02847). Context and continuation are lm-eval's for WinoGrande:
    one space between them, whatever stands after the blank.
    """

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """One prompt a choice: the input up to the blank with the choice in it, and the rest.

        Raises:
            RunError: an input has no blank, or nothing after it.
        """
        layout = spec.layout_of(instance)
        before, rest = _around_blank(instance)
        choices = [reference.text for reference in instance.references]
        context = build_context(
            layout,
            [layout.input(_filled(example)) for example in examples],
            lambda text: f"{layout.input_prefix}{text}",
            before,
            window,
            answers=[f"{choice}{rest}" for choice in choices],
            keeps_end=True,
        )
        filled = [f"{context.text}{choice}" for choice in choices]
        return context.to_score(prompts_after(filled, [rest] * len(choices), window))

    def lengths(self, by: Normalization, logprobs: Sequence[Sequence[float]], texts: Sequence[str]) -> list[int]:  # noqa: ARG002
        """1 each: the same words have as many tokens, but for one at the border with a choice."""
        return [1] * len(texts)


def _around_blank(instance: Instance) -> tuple[str, str]:
    before, _, after = instance.input.partition(BLANK)
    if not after.strip():
        raise RunError(
            f"Instance {instance.id} has no text after a blank ({BLANK}), which is what this adapter scores."
        )
    return before, f" {after.strip()}"


def _filled(example: Instance) -> str:
    before, rest = _around_blank(example)
    return f"{before}{example.gold}{rest}"
