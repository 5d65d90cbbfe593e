"""generation: the model writes its answer."""

from __future__ import annotations

from harness.adaptation.in_context import build_context
from harness.adaptation.reading import scored
from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Prompt, Request

NO_GOLD = "n/a"
"""What an example without a correct reference shows, as in HELM."""


class Generation:
    """Greedy completion up to a stop sequence."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The input after the solved examples."""
        layout = spec.layout_of(instance)
        solved = [layout.solved(layout.input(example.input), output(example, spec)) for example in examples]
        context = build_context(
            layout,
            solved,
            lambda text: layout.asked(layout.input(text)),
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
        )

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:  # noqa: ARG002
        """The text, without the spaces around it."""
        (completion,) = completions
        logprobs = scored(completion)
        return Answer(
            text=completion.text.strip(),
            logprob=sum(logprobs),
            token_logprobs=logprobs,
            n_bytes=len(completion.text.encode()),
        )


def output(example: Instance, spec: AdapterSpec) -> str:
    """What an example shows as its answer."""
    if spec.multi_label:
        return ", ".join(example.golds) or NO_GOLD
    return example.gold or NO_GOLD
