"""multiple_choice_joint: all choices in one prompt, the model answers with a letter, at once or after its reasons."""

from __future__ import annotations

from dataclasses import replace

from harness.adaptation.generation import NO_GOLD, explanation
from harness.adaptation.in_context import build_context
from harness.adaptation.reading import written
from harness.adaptation.window import Window
from harness.errors import UserError
from harness.layout import LETTERS, Layout
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Request


class MultipleChoiceJoint:
    """Letters A, B, C ... in the order of the references."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The question with its lettered choices, after solved examples of the same form.

        Raises:
            UserError: there are more choices than letters.
        """
        layout = spec.layout_of(instance)
        if len(instance.references) > len(LETTERS):
            raise UserError(
                f"Instance {instance.id} has {len(instance.references)} choices and there are {len(LETTERS)} letters; "
                "ask it with multiple_choice_separate_original."
            )
        context = build_context(
            layout,
            [
                layout.solved(listed(layout, example, example.input), self.shown(layout, example))
                for example in examples
            ],
            lambda text: layout.asked(listed(layout, instance, text)),
            instance.input,
            window,
            max_tokens=spec.max_tokens,
        )
        labels = tuple(layout.label(index) for index in range(len(instance.references)))
        return replace(context.to_generate(spec), labels=labels)

    def shown(self, layout: Layout, example: Instance) -> str:
        """The answer of an example: the letter of its first correct choice."""
        index = first_correct(example)
        return NO_GOLD if index is None else layout.label(index)

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The choice whose letter was given. Anything else is kept as it is and marked invalid: it is simply wrong."""
        (completion,) = completions
        answer = written(completion)
        if answer.text not in request.labels:
            return replace(answer, valid=False)
        index = request.labels.index(answer.text)
        return replace(answer, text=instance.references[index].text, chosen=(index,))


class MultipleChoiceJointChainOfThought(MultipleChoiceJoint):
    """The letter comes after the reasons, somewhere in the text: a metric finds it there, as in HELM."""

    def shown(self, layout: Layout, example: Instance) -> str:
        """The steps, and the prefix of the correct choice as it is listed, brackets and all."""
        index = first_correct(example)
        answer = NO_GOLD if index is None else layout.choice_prefix(index)
        return layout.reasoned(explanation(example), answer)

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:  # noqa: ARG002
        """The whole text."""
        (completion,) = completions
        return written(completion)


def listed(layout: Layout, instance: Instance, text: str) -> str:
    """The input with its choices under it."""
    return layout.listed(text, [reference.text for reference in instance.references])


def first_correct(example: Instance) -> int | None:
    """Index of the first correct choice."""
    return next((i for i, reference in enumerate(example.references) if reference.is_correct), None)
