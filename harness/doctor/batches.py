"""Checks of several prompts in one request: each has its own answer, and they can be told apart."""

from __future__ import annotations

from harness.doctor.answers import Answer, Arrays, Choice, short
from harness.doctor.case import LONGEST, PROMPTS, Case, Finding, fault, good
from harness.doctor.likeness import differ, sure_text
from harness.doctor.steps import START
from harness.doctor.subjects import Subject

TOGETHER = (*PROMPTS, START)
"""What they go on with differs from the beginning, for some."""


def _ask(case: Case) -> Answer:
    return case.patient.complete(list(TOGETHER), **_fields(case))


def _fields(case: Case) -> dict[str, object]:
    if case.is_good(Subject.ECHO, Subject.ARRAYS):
        return {"max_tokens": 1, "echo": True, "logprobs": 1}
    return {"max_tokens": LONGEST}


def batch(case: Case) -> Finding:
    """By their indices, the answers are those of the prompts alone."""
    answer = _ask(case)
    choices = {choice.index: choice for choice in answer.choices}
    if len(answer.choices) != len(TOGETHER) or set(choices) != set(range(len(TOGETHER))):
        indices = [choice.raw.get("index") for choice in answer.choices]
        return fault(f"The choices for {len(TOGETHER)} prompts have the indices {short(indices)}.")
    found = [choices[index] for index in range(len(TOGETHER))]
    return _echoed(case, found) if case.is_good(Subject.ECHO, Subject.ARRAYS) else _generated(case, found)


def _echoed(case: Case, found: list[Choice]) -> Finding:
    for prompt, together in zip(TOGETHER, found, strict=True):
        if prompt not in together.text:
            return fault(f"Of {len(TOGETHER)} prompts, {prompt!r} has not the choice of its index.")
        if case.is_good(Subject.VALUES, Subject.TWICE):
            alone = case.patient.complete(prompt, **_fields(case)).only
            if apart := differ(_values(together.arrays, prompt), _values(alone.arrays, prompt)):
                return fault(f"Among other prompts, {prompt!r} has log-probabilities that are {apart}.")
    return good(f"{len(TOGETHER)} prompts have the answers that each has alone.")


def _values(arrays: Arrays, prompt: str) -> list[float | None]:
    parts = arrays.parts(prompt)
    return arrays.values[parts.before : parts.before + parts.inside]


def _generated(case: Case, found: list[Choice]) -> Finding:
    case.require(Subject.GREEDY)
    alone = [case.greedy[prompt] for prompt in TOGETHER]
    for prompt, together, single in zip(TOGETHER, found, alone, strict=True):
        if not together.text.startswith(sure_text(single) or ""):
            return fault(f"Among other prompts, {prompt!r} goes on with {short(together.text)}, not as it does alone.")
    texts, expected = [choice.text for choice in found], [choice.text for choice in alone]
    # A near tie may fall either way beside others; answers of other prompts are all there, in another order.
    if texts != expected and sorted(texts) == sorted(expected):
        return fault(f"The choices for {len(TOGETHER)} prompts have the indices of each other.")
    return good(f"{len(TOGETHER)} prompts have an answer each.")


def order(case: Case) -> Finding:
    """For clients that do not look at the index."""
    indices = [choice.raw.get("index") for choice in _ask(case).choices]
    if indices != list(range(len(TOGETHER))):
        return fault(f"The choices for {len(TOGETHER)} prompts are listed in the order {indices}.")
    return good("Choices are listed in the order of the prompts.")
