"""generation: the model writes its answer."""

from __future__ import annotations

from harness.adaptation.in_context import build_context
from harness.adaptation.reading import written
from harness.adaptation.window import Window
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Request

NO_GOLD = "n/a"
"""What an example without a correct reference shows, as in HELM."""


class Generation:
    """Greedy completion up to a stop sequence.

    Chain of thought is no adapter of its own, as it is none in HELM: examples show the steps that their references
    have, and the model goes on in the same way. (HELM's gsm and math have the steps in the text of the reference.)
    """

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The input after the solved examples."""
        layout = spec.layout_of(instance)
        solved = [
            layout.solved(layout.input(example.input), shown_answer(layout, example, spec)) for example in examples
        ]
        context = build_context(
            layout,
            solved,
            lambda text: layout.asked(layout.input(text)),
            instance.input,
            window,
            max_tokens=spec.max_tokens,
        )
        return context.to_generate(spec)

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:  # noqa: ARG002
        """The text, without the spaces around it."""
        (completion,) = completions
        return written(completion)


def output(example: Instance, spec: AdapterSpec) -> str:
    """What an example shows as its answer."""
    if spec.multi_label:
        return ", ".join(example.golds) or NO_GOLD
    return example.gold or NO_GOLD


def explanation(example: Instance) -> str:
    """The steps to the first correct reference, or an empty string."""
    return next((reference.explanation for reference in example.references if reference.is_correct), "")


def shown_answer(layout: Layout, example: Instance, spec: AdapterSpec) -> str:
    """The answer of an example, after the steps that lead to it where there are any."""
    steps, answer = explanation(example), output(example, spec)
    return layout.reasoned(steps, answer) if steps else answer
