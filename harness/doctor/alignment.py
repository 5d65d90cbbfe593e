"""Checks that log-probabilities belong to their tokens: against completions of one token (:mod:`steps`)."""

from __future__ import annotations

import functools

from harness.doctor.answers import Arrays
from harness.doctor.case import LONGEST, PROMPTS, Case, Finding, absent, fault, good
from harness.doctor.echo import judge_values
from harness.doctor.likeness import TOLERANCE
from harness.doctor.steps import K, Step, likely_next

FEWEST = 3
"""Tokens that must be comparable."""


def aligned(case: Case) -> Finding:
    """Whether echoed log-probabilities are those of the tokens at which they stand."""
    return judge_alignment("Echoed log-probabilities", case.grown.steps, case.score(case.grown.text, K))


def judge_alignment(what: str, steps: list[Step], arrays: Arrays) -> Finding:
    """Whether the entries of a grown text are those of its steps; ``what`` is the subject of sentences."""
    pairs = _pairs(arrays, steps)
    if len(pairs) < FEWEST:
        return absent(
            f"Whether {what[:1].lower()}{what[1:]} are those of their tokens cannot be told: "
            "too few of these are known from completions of one token."
        )
    gap = functools.partial(_gap, arrays.values, pairs)
    if gap(0) <= TOLERANCE:
        return good(f"{what} are those with which the tokens are generated.")
    if gap(1) <= TOLERANCE:
        return fault(f"{what} stand one token too late: each is that of the token before.")
    if gap(-1) <= TOLERANCE:
        return fault(f"{what} stand one token too early: each is that of the token after.")
    return fault(
        f"{what} are not those of their tokens: on average they are {gap(0):.1f} nats off "
        "those with which the tokens are generated."
    )


def _pairs(arrays: Arrays, steps: list[Step]) -> list[tuple[int, Step]]:
    """The entries of an echo that are the steps' tokens, up to where the text is tokenized otherwise."""
    pairs = []
    for step in steps:
        index = arrays.begins_at(len(step.before))
        if index is None or arrays.tokens[index] != step.token:
            break
        pairs.append((index, step))
    return pairs


def _gap(values: list[float | None], pairs: list[tuple[int, Step]], shift: int) -> float:
    """How far the values are from the steps', if each stands ``shift`` places later; nats, on average."""
    gaps = []
    for index, step in pairs:
        value = values[index + shift] if 0 <= index + shift < len(values) else None
        if value is not None:
            gaps.append(abs(value - step.top[step.token]))
    return sum(gaps) / len(gaps) if len(gaps) >= FEWEST - 1 else float("inf")


def tops(case: Case) -> Finding:
    """Whether echoed alternatives are those of their positions, and hold the token that stands there."""
    arrays = case.score(case.grown.text, K)
    if not arrays.tops:
        return absent("Echoed logprobs have no top_logprobs.")
    if trouble := _inconsistency(arrays.cut(1, len(arrays.tokens))):
        return fault(f"Echoed {trouble}")
    pairs = [(arrays.tops[index] or {}, step.top) for index, step in _pairs(arrays, case.grown.steps)]
    if _apart(pairs) > TOLERANCE:
        return fault("Echoed top_logprobs are not those of their positions: completions of one token have others.")
    return good("Echoed top_logprobs hold the token that stands there, and the likeliest.")


def _inconsistency(arrays: Arrays) -> str | None:
    """What is wrong with top_logprobs beside the tokens, as the end of a sentence."""
    for token, value, top in zip(arrays.tokens, arrays.values, arrays.tops, strict=True):
        if not top or token not in top:
            return f"top_logprobs lack the token that stands there, {token!r}."
        if top[token] < value or (max(top.values()) == top[token] and abs(top[token] - value) > 1e-9):
            return f"top_logprobs give {token!r} {top[token]:.4f}, and token_logprobs {value:.4f}."
    return None


def _apart(pairs: list[tuple[dict[str, float], dict[str, float]]]) -> float:
    """How far the maxima of pairs of alternatives are apart; infinitely where most have other tokens."""
    gaps = [abs(max(one.values()) - max(other.values())) for one, other in pairs if one and other]
    alike = [len(set(one) & set(other)) >= min(len(one), len(other)) / 2 for one, other in pairs]
    if not pairs:
        return 0.0
    return sum(gaps) / len(gaps) if gaps and sum(alike) > len(pairs) / 2 else float("inf")


def generated_values(case: Case) -> Finding:
    """Finite, not above 0, not all the same, none missing."""
    arrays = case.generated.arrays
    if None in arrays.values:
        return fault("A generated token has null in place of a log-probability.")
    return judge_values(arrays, "generated")


def generated_tops(case: Case) -> Finding:
    """As many alternatives as were asked for."""
    arrays = case.generated.arrays
    if not arrays.tops:
        return absent("Generated logprobs have no top_logprobs.")
    most = max(len(top or ()) for top in arrays.tops)
    if not K <= most <= K + 1:
        return fault(f"logprobs {K} gives {most} alternatives at a token.")
    return good(f"logprobs {K} gives {K} alternatives.")


def generated_alignment(case: Case) -> Finding:
    """Whether alternatives hold the token that stands there, and a first entry is that of a completion of one token."""
    if not case.generated.arrays.tops:
        return absent("Generated logprobs have no top_logprobs.")
    if trouble := _inconsistency(case.generated.arrays):
        return fault(f"Generated {trouble}")
    pairs = []
    for prompt in PROMPTS:
        tops = case.patient.complete(prompt, max_tokens=LONGEST, logprobs=K).only.arrays.tops
        pairs.append(((tops[0] if tops else None) or {}, likely_next(case.patient, prompt)))
    if _apart(pairs) > TOLERANCE:
        return fault(f"The first of {LONGEST} generated tokens has other top_logprobs than when it is generated alone.")
    return good("Generated log-probabilities are those of their tokens.")
