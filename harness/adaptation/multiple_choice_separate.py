"""multiple_choice_separate_original: each choice is scored as a continuation; the likeliest per token is the answer."""

from __future__ import annotations

import math

from harness.errors import RunError
from harness.layout import question, with_examples
from harness.scenarios.base import Scenario
from harness.types import Answer, Completion, Instance, Request


class MultipleChoiceSeparateOriginal:
    """All choices of an instance go in one request, so that the server computes their common context once."""

    def adapt(self, instance: Instance, examples: list[Instance], scenario: Scenario) -> Request:  # noqa: ARG002
        """One prompt a choice: the question and the choice as its answer."""
        solved = [f"{question(example.input)} {example.gold}" for example in examples]
        context = with_examples(solved, question(instance.input))
        return Request(
            tuple(f"{context} {reference.text}" for reference in instance.references), max_tokens=0, echo=True
        )

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The choice with the highest mean log-probability per token; the first of equals."""
        scored = [
            continuation_logprobs(completion, len(prompt) - len(f" {reference.text}"))
            for completion, prompt, reference in zip(completions, request.prompts, instance.references, strict=True)
        ]
        means = [sum(logprobs) / len(logprobs) for logprobs in scored]
        best = max(range(len(means)), key=means.__getitem__)
        text = instance.references[best].text
        return Answer(
            text=text,
            logprob=math.fsum(scored[best]),
            token_logprobs=scored[best],
            n_bytes=len(f" {text}".encode()),
            prompt=request.prompts[0],
            choice_logprobs=tuple(math.fsum(logprobs) for logprobs in scored),
        )


def continuation_logprobs(completion: Completion, begin: int) -> tuple[float, ...]:
    """Log-probabilities of the tokens that reach beyond character ``begin``.

    A token that straddles the border belongs to the continuation: without it, part of the choice would go unscored.

    Raises:
        RunError: the endpoint gave no log-probability for one of them.
    """
    ends = (*completion.text_offset[1:], len(completion.text))
    found = [value for value, end in zip(completion.token_logprobs, ends, strict=True) if end > begin]
    known = tuple(value for value in found if value is not None)
    if not known or len(known) < len(found):
        raise RunError(f"The endpoint returned no log-probabilities for the choice {completion.text[begin:]!r}.")
    return known
