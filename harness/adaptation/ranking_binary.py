"""ranking_binary: the model says of each passage whether it answers the query; they are ranked by what it says."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.adaptation.in_context import Context, build_context
from harness.adaptation.reading import scored, written
from harness.adaptation.window import Window
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec
from harness.ties import highest
from harness.types import Answer, Completion, Instance, Prompt, Reference, Request

YES, NO = "Yes", "No"
APART = 1e6
"""More than any log-probability of an answer, so that every Yes stands above every No."""


class RankingBinary:
    """The references are passages, the input is the query; :data:`harness.layout.RANKING` is HELM's layout."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """One prompt a passage, after as many examples for all.

        Where a passage is too long even without examples, its end is cut.
        """
        layout = spec.layout_of(instance)
        blocks = [_example(example, layout) for example in examples]

        def contexts(blocks: list[str]) -> list[Context]:
            return [
                build_context(
                    layout,
                    blocks,
                    lambda passage: layout.asked(_passage(passage, instance, layout)),
                    reference.text,
                    window,
                    max_tokens=spec.max_tokens,
                )
                for reference in instance.references
            ]

        found = contexts(blocks)
        fewest = min(context.n_examples for context in found)
        if fewest < len(blocks):
            found = contexts(blocks[:fewest])
        return Request(
            tuple(Prompt(context.text) for context in found),
            max_tokens=spec.max_tokens,
            stop=spec.stop,
            n_examples=fewest,
            n_dropped=len(blocks) - fewest,
            n_cut=sum(context.n_cut for context in found),
        )

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:  # noqa: ARG002
        """The passage that is ranked first; ``choice_logprobs`` ranks all.

        Valid if the model said Yes or No of any passage.
        """
        scores = [_score(completion) for completion in completions]
        chosen = highest(scores)
        first = chosen[0]
        answer = replace(written(completions[first]), choice_logprobs=tuple(scores))
        if all(_said(completion) not in (YES.lower(), NO.lower()) for completion in completions):
            return replace(answer, valid=False)
        return replace(answer, text=instance.references[first].text, chosen=chosen)


def _passage(passage: str, instance: Instance, layout: Layout) -> str:
    return f"{layout.reference_prefix}{passage}{layout.reference_suffix}{layout.input(instance.input)}"


def _example(example: Instance, layout: Layout) -> str:
    """One relevant and one irrelevant passage, in the order of the references: two blocks, kept or dropped as one."""
    firsts: dict[bool, Reference] = {}
    for reference in example.references:
        firsts.setdefault(reference.is_correct, reference)
    return layout.instance_prefix.join(
        layout.solved(_passage(reference.text, example, layout), YES if reference.is_correct else NO)
        for reference in firsts.values()
    )


def _said(completion: Completion) -> str:
    return completion.text.strip().lower()


def _score(completion: Completion) -> float:
    """Sorts as HELM's ``RankingMetric``: Yes by falling probability, No by rising, everything else after that."""
    logprob = math.fsum(scored(completion))
    said = _said(completion)
    if said == YES.lower():
        return APART + logprob
    return -logprob if said == NO.lower() else -APART - logprob
