"""multiple_choice_separate_original: each choice is scored as a continuation; the likeliest per token is the answer."""

from __future__ import annotations

import math

from harness.adaptation.generation import output
from harness.adaptation.in_context import build_context
from harness.adaptation.reading import best, continuation_logprobs
from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Prompt, Request


class MultipleChoiceSeparateOriginal:
    """All choices of an instance go in one request, so that the server computes their common context once."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """One prompt a choice: the question and the choice as its answer."""
        layout = spec.layout_of(instance)
        space = layout.output_prefix[len(layout.output_prefix.rstrip()) :]
        answers = [f"{space}{reference.text}" for reference in instance.references]
        context = build_context(
            layout,
            [layout.solved(layout.input(example.input), output(example, spec)) for example in examples],
            lambda text: layout.asked(layout.input(text)),
            instance.input,
            window,
            answers=answers,
        )
        return Request(
            tuple(Prompt(context.text, answer) for answer in answers),
            max_tokens=0,
            echo=True,
            n_examples=context.n_examples,
            n_dropped=context.n_dropped,
            n_cut=context.n_cut,
        )

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The choice with the highest mean log-probability per token; all of them where several tie."""
        logprobs = [continuation_logprobs(*pair) for pair in zip(completions, request.prompts, strict=True)]
        sums = tuple(math.fsum(values) for values in logprobs)
        means = [total / len(values) for total, values in zip(sums, logprobs, strict=True)]
        texts = [reference.text for reference in instance.references]
        chosen = best(means, texts)
        first = chosen[0]
        return Answer(
            text=texts[first],
            logprob=sums[first],
            token_logprobs=logprobs[first],
            n_bytes=len(str(request.prompts[first].continuation).encode()),
            choice_logprobs=sums,
            chosen=chosen,
        )
