"""multiple_choice_joint: all choices in one prompt, the model answers with a letter."""

from __future__ import annotations

from harness.adaptation.generation import NO_GOLD
from harness.adaptation.in_context import build_context
from harness.adaptation.reading import scored
from harness.adaptation.window import Window
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Prompt, Request


class MultipleChoiceJoint:
    """Letters A, B, C ... in the order of the references."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The question with its lettered choices, after solved examples of the same form."""
        layout = spec.layout_of(instance)
        context = build_context(
            layout,
            [layout.solved(listed(layout, example, example.input), letter(layout, example)) for example in examples],
            lambda text: layout.asked(listed(layout, instance, text)),
            instance.input,
            window,
            max_tokens=spec.max_tokens,
        )
        return Request(
            (Prompt(context.text),),
            max_tokens=spec.max_tokens,
            stop=spec.stop,
            n_examples=context.n_examples,
            n_dropped=context.n_dropped,
            n_cut=context.n_cut,
            labels=tuple(layout.label(index) for index in range(len(instance.references))),
        )

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The choice whose letter was given. Anything else is kept as it is and marked invalid: it is simply wrong."""
        (completion,) = completions
        given = completion.text.strip()
        chosen = (request.labels.index(given),) if given in request.labels else ()
        logprobs = scored(completion)
        return Answer(
            text=instance.references[chosen[0]].text if chosen else given,
            logprob=sum(logprobs),
            token_logprobs=logprobs,
            n_bytes=len(completion.text.encode()),
            chosen=chosen,
            valid=bool(chosen),
        )


def listed(layout: Layout, instance: Instance, text: str) -> str:
    """The input with its choices under it."""
    return layout.listed(text, [reference.text for reference in instance.references])


def letter(layout: Layout, example: Instance) -> str:
    """The letter of an example's first correct choice."""
    return next((layout.label(i) for i, reference in enumerate(example.references) if reference.is_correct), NO_GOLD)
