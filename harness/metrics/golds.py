"""From a comparison of two texts to a judgement of an answer: the best that any correct reference gives."""

from __future__ import annotations

from collections.abc import Callable

from harness.types import Answer, Instance

Compare = Callable[[str, str], float]
"""From a correct reference and what was answered, stripped of outer white space, to a value from 0 to 1."""


def best_of_golds(compare: Compare) -> Callable[[Instance, Answer], float]:
    """Judge by the correct reference that the answer is nearest to (HELM's rule).

    0 for an answer that is none, that is empty, or that has no correct reference to be compared with.
    """

    def judge(instance: Instance, answer: Answer) -> float:
        text = answer.text.strip()
        if not answer.valid or not text:
            return 0.0
        return max((float(compare(gold.strip(), text)) for gold in instance.golds), default=0.0)

    return judge


def credit(instance: Instance, taken: tuple[int, ...]) -> float:
    """Share of the references with these indices that are correct: 1 or 0, or between them for ties (HELM's rule)."""
    return sum(instance.references[index].is_correct for index in taken) / len(taken)
