"""Checks of several prompts in one request: each has its own answer, and they can be told apart."""

from __future__ import annotations

from harness.doctor.answers import TOLERANCE, Answer, Arrays, distance
from harness.doctor.case import PROMPTS, Case, Finding, fault, good
from harness.doctor.subjects import Subject


def _ask(case: Case) -> Answer:
    return case.patient.complete(list(PROMPTS), max_tokens=1, **_echo(case))


def _echo(case: Case) -> dict[str, object]:
    return {"echo": True, "logprobs": 1} if case.is_good(Subject.ECHO) else {}


def batch(case: Case) -> Finding:
    """By their indices, the answers are those of the prompts alone."""
    choices = {choice.raw.get("index"): choice for choice in _ask(case).choices}
    if sorted(map(str, choices)) != [str(index) for index in range(len(PROMPTS))]:
        return fault(f"The choices for {len(PROMPTS)} prompts have the indices {list(choices)}.")
    found = [choices[index] for index in range(len(PROMPTS))]
    alone = [case.patient.complete(prompt, max_tokens=1, **_echo(case)).only for prompt in PROMPTS]
    if not _echo(case):
        texts, expected = [choice.text for choice in found], [choice.text for choice in alone]
        # A near tie may fall either way beside others; answers of other prompts are all there, in another order.
        if texts != expected and sorted(texts) == sorted(expected):
            return fault(f"The choices for {len(PROMPTS)} prompts have the indices of each other.")
        return good(f"{len(PROMPTS)} prompts have an answer each.")
    for prompt, together, single in zip(PROMPTS, found, alone, strict=True):
        if prompt not in together.text:
            return fault(f"Of {len(PROMPTS)} prompts, {prompt!r} has not the choice of its index.")
        if case.is_good(Subject.TWICE) and _apart(together.arrays, single.arrays, prompt) > TOLERANCE:
            return fault(f"Among other prompts, {prompt!r} has other log-probabilities than alone.")
    return good(f"{len(PROMPTS)} prompts have the answers that each has alone.")


def _apart(one: Arrays, other: Arrays, prompt: str) -> float:
    first, second = one.parts(prompt), other.parts(prompt)
    if first.inside != second.inside:
        return float("inf")
    return distance(
        one.values[first.before : first.before + first.inside],
        other.values[second.before : second.before + second.inside],
    )


def order(case: Case) -> Finding:
    """For clients that do not look at the index."""
    indices = [choice.raw.get("index") for choice in _ask(case).choices]
    if indices != list(range(len(PROMPTS))):
        return fault(f"The choices for {len(PROMPTS)} prompts are listed in the order {indices}.")
    return good("Choices are listed in the order of the prompts.")
