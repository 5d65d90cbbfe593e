"""multiple_choice_separate_*: each choice is scored as the answer that follows the question, and the best is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.adaptation.generation import output
from harness.adaptation.in_context import answer_space, build_context, prompts_after
from harness.adaptation.reading import best, continuation_bytes, continuation_logprobs, continuation_tokens
from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Normalization, Request

NO_QUESTION = "Answer:"
"""After which a choice is scored to see how likely it is whatever was asked (HELM; Brown et al. 2020, section 2.4)."""


class MultipleChoiceSeparateOriginal:
    """The likeliest choice, per token unless the scenario says otherwise.

    All choices of an instance go in one request, so that their context is computed once.
    """

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """One prompt a choice: the question and the choice as its answer."""
        layout = spec.layout_of(instance)
        answers = [f"{answer_space(layout)}{reference.text}" for reference in instance.references]
        context = build_context(
            layout,
            [layout.solved(layout.input(example.input), output(example, spec)) for example in examples],
            lambda text: layout.asked(layout.input(text)),
            instance.input,
            window,
            answers=answers,
        )
        others = self.other_contexts(len(answers))
        contexts = [context.text] * len(answers) + others
        prompts = prompts_after(contexts, answers * (len(contexts) // len(answers)), window)
        return replace(context.to_score(prompts), normalization=spec.normalization)

    def other_contexts(self, n_choices: int) -> list[str]:  # noqa: ARG002
        """After what else each choice is scored, choice by choice."""
        return []

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The choice with the highest score; all of those that tie for it."""
        logprobs = [continuation_logprobs(*pair) for pair in zip(completions, request.prompts, strict=True)]
        texts = [reference.text for reference in instance.references]
        sums, lengths = self.sums(logprobs), self.lengths(request.normalization, logprobs, texts)
        chosen = best([value / length for value, length in zip(sums, lengths, strict=True)], texts)
        first = chosen[0]
        return Answer(
            text=texts[first],
            logprob=math.fsum(logprobs[first]),
            token_logprobs=logprobs[first],
            n_bytes=continuation_bytes(completions[first], request.prompts[first]),
            choice_logprobs=tuple(sums),
            choice_lengths=tuple(lengths),
            chosen=chosen,
            tokens=continuation_tokens(completions[first], request.prompts[first]),
        )

    def sums(self, logprobs: Sequence[Sequence[float]]) -> list[float]:
        """The log-probability of each choice, from those of each prompt's tokens; metrics get to know them too."""
        return [math.fsum(values) for values in logprobs]

    def lengths(self, by: Normalization, logprobs: Sequence[Sequence[float]], texts: Sequence[str]) -> list[int]:
        """What the sum of each choice is divided by; an empty choice, which has no characters, counts for one."""
        if by == "token":
            return [len(values) for values in logprobs]
        return [max(1, len(text)) if by == "character" else 1 for text in texts]


class MultipleChoiceSeparateCalibrated(MultipleChoiceSeparateOriginal):
    """The choice that the question makes likelier the most."""

    def other_contexts(self, n_choices: int) -> list[str]:
        """:data:`NO_QUESTION`."""
        return [NO_QUESTION] * n_choices

    def sums(self, logprobs: Sequence[Sequence[float]]) -> list[float]:
        """Log-probability after the question less that after none: of the sums, as in HELM, not of the means."""
        sums = [math.fsum(values) for values in logprobs]
        half = len(sums) // 2
        return [after - alone for after, alone in zip(sums[:half], sums[half:], strict=True)]

    def lengths(self, by: Normalization, logprobs: Sequence[Sequence[float]], texts: Sequence[str]) -> list[int]:  # noqa: ARG002
        """1 each."""
        return [1] * len(texts)
