"""Checks of an echoed prompt: that it comes back, whole, with its log-probabilities and nothing else."""

from __future__ import annotations

import math

from harness.doctor.answers import Arrays, short
from harness.doctor.case import PROMPT, Case, Finding, fault, good
from harness.doctor.likeness import differ
from harness.doctor.subjects import Subject

HELM = {"best_of": 1, "n": 1, "frequency_penalty": 0, "presence_penalty": 0, "stop": None, "top_p": 1}
"""What HELM sends with every request."""
FRESH = "Entry {nonce}. The first of them went north, and the second of them went south."


def echo(case: Case) -> Finding:
    """Whether the prompt comes back at all, as lm-eval asks for it."""
    found = case.echoed
    if PROMPT not in found.text:
        return fault(f"echo is ignored: {PROMPT!r} was sent and {short(found.text)} came back.")
    if case.is_good(Subject.ARRAYS):
        found.arrays.parts(PROMPT)
    return good("With echo and logprobs the prompt comes back.")


def bos_echoed(case: Case) -> Finding:
    """A BOS that the server adds is not the client's."""
    found = case.echoed
    before = found.arrays.parts(PROMPT).before
    if before or not found.text.startswith(PROMPT):
        extra = found.arrays.tokens[:before] or [found.text[: found.text.index(PROMPT)]]
        return fault(f"The echo of {PROMPT!r} begins with {', '.join(map(repr, extra))}, which was not sent.")
    return good("The echo begins with the prompt's first token.")


def nothing_more(case: Case) -> Finding:
    """HELM's scoring request: the last entries must be the prompt's."""
    found = case.patient.complete(PROMPT, max_tokens=0, echo=True, logprobs=1, **HELM).only
    after = found.arrays.parts(PROMPT).after
    if after or not found.text.endswith(PROMPT):
        return fault(f"With max_tokens 0 the echo has {after or 'some'} more than the prompt: {short(found.text, 90)}.")
    return good("max_tokens 0 gives the prompt's entries and no other.")


def one_more(case: Case) -> Finding:
    """lm-eval's scoring request: it drops one entry at the end, whatever that is."""
    after = case.echoed.arrays.parts(PROMPT).after
    if after != 1:
        return fault(f"With max_tokens 1 the echo has {after} entries after the prompt's, in place of one.")
    return good("max_tokens 1 gives one entry after the prompt's.")


def nulls(case: Case) -> Finding:
    """The first token has nothing before it, all others have."""
    arrays = case.scored
    if missing := [name for name, value in zip(arrays.tokens[1:], arrays.values[1:], strict=True) if value is None]:
        return fault(f"{len(missing)} of {len(arrays.tokens)} tokens have null in place of a log-probability.")
    begins_with_bos = case.is_wrong(Subject.BOS_ECHOED) or case.adds_bos
    if arrays.values[0] is not None and not begins_with_bos:
        return fault("The first token has a log-probability, although nothing precedes it.")
    return good("Every token but the first has a log-probability.")


def values(case: Case) -> Finding:
    """Finite, not above 0 and not all the same."""
    return judge_values(case.scored, "echoed")


def judge_values(arrays: Arrays, kind: str) -> Finding:
    """Whether these are log-probabilities."""
    given = [value for value in arrays.values if value is not None]
    if strange := [value for value in given if not isinstance(value, int | float) or not math.isfinite(value)]:
        return fault(f"{strange[0]!r} is among the {kind} log-probabilities.")
    if above := [value for value in given if value > 1e-6]:
        return fault(f"{above[0]} is among the {kind} log-probabilities, which are never above 0.")
    if len(given) > 1 and len(set(given)) == 1:
        return fault(f"All {kind} log-probabilities are {given[0]}.")
    return good(f"The {kind} log-probabilities are finite and not above 0.")


def twice(case: Case) -> Finding:
    """The same request gives the same numbers."""
    for _ in range(2):
        if apart := differ(case.score(PROMPT).values, case.score(PROMPT).values):
            return fault(f"The same prompt, sent again, has log-probabilities that are {apart}.")
    return good("The same prompt, sent again, has the same log-probabilities.")


def prefix(case: Case) -> Finding:
    """What is computed from a cached beginning is what is computed at once."""
    text = FRESH.format(nonce=case.nonce)
    shared = text[: len(text) // 2]
    first = case.score(text)
    case.score(shared)
    case.score(shared + " nothing at all.")
    # What is taken from the cache cannot differ, and would hide what is computed after it.
    after = first.parts(shared).inside - 1
    if apart := differ(first.values[after:], case.score(text).values[after:]):
        return fault(f"After a prompt with the same beginning, its log-probabilities are {apart}.")
    return good("After prompts with the same beginning, log-probabilities are the same.")
