"""What a model said, from the requests that HELM made for one instance: columns of ``instances``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from harness.interop.imports.helm_files import Completion, RequestState, Token
from harness.ties import highest

LIKELIHOOD = "language_modeling"
APART = "multiple_choice_separate"
CALIBRATED = "multiple_choice_separate_calibrated"
CALIBRATION = "calibration"
"""The mode of a request that scores a choice without its question."""


def columns_of(states: Sequence[RequestState], method: str, pattern: str | None = None) -> dict[str, Any]:
    """The columns of one instance, as far as HELM wrote them.

    Args:
        states: its requests, each with a completion: one, or one a choice, twice where choices are calibrated, or one
            a window of text.
        method: HELM's name of the way of asking.
        pattern: what of a completion is the letter of a choice (``output_mapping_pattern``); None for all of it.

    Raises:
        ArithmeticError, LookupError, ValueError, re.error: they are not as HELM writes them.
    """
    first, instance = states[0], states[0].instance
    texts = [reference.output.text for reference in instance.references]
    golds = [number for number, one in enumerate(instance.references) if "correct" in one.tags]
    is_choice = method.startswith(APART) or (first.reference_index is None and first.output_mapping is not None)
    several = is_choice and len(texts) > 1  # else they are several right answers in words, or passages to rank
    times = [one.result.request_time for one in states if one.result.request_time is not None]
    found: dict[str, Any] = {
        "prompt": first.request.prompt,
        "golds": [texts[number] for number in golds],
        "gold": texts[golds[0]] if golds else "",
        "choices": texts if several else [],
        "gold_choices": golds if several else [],
        "n_examples": first.num_train_instances,
        "seconds": math.fsum(times) if times else None,
    }
    if method.startswith(APART):
        return found | _choice(states, texts, method)
    if method == LIKELIHOOD:
        return found | _windows(states)
    if first.reference_index is not None:
        return found  # passages that are ranked: what was said of each is not one answer
    return found | _text(states, texts, pattern)


def _text(states: Sequence[RequestState], texts: Sequence[str], pattern: str | None) -> dict[str, Any]:
    """Of the likeliest completion, which is what HELM judges; a letter stands for the choice that it names."""
    best = max(states[0].result.completions, key=lambda said: said.logprob)
    mapping = states[0].output_mapping
    said = _letter(best.text.strip(), pattern) if mapping else best.text
    answer = mapping.get(said, said) if mapping else said
    chosen = [texts.index(answer)] if mapping and said in mapping and answer in texts else []
    return {
        "answer": answer,
        "valid": not mapping or said in mapping,
        "chosen": chosen,
        "n_tied": len(chosen),
        "logprob": best.logprob,
        "token_logprobs": [token.logprob for token in best.tokens],
        "tokens": [token.text for token in best.tokens],
        "n_bytes": len(best.text.encode()),
        "finish_reason": (best.finish_reason or {}).get("reason"),
    }


def _windows(states: Sequence[RequestState]) -> dict[str, Any]:
    """Of running text: its tokens, without those of each window that are only there to be gone on from."""
    tokens: list[Token] = []
    for one in states:
        window = one.result.completions[0].tokens
        # As HELM: a token without a text, before those that are not scored, is none of them.
        is_empty = one.num_conditioning_tokens > 0 and window[0].text == ""
        tokens += window[one.num_conditioning_tokens + is_empty :]
    return {
        "prompt": states[0].instance.input.text,
        "logprob": math.fsum(token.logprob for token in tokens),
        "token_logprobs": [token.logprob for token in tokens],
        "tokens": [token.text for token in tokens],
        "n_bytes": sum(map(_n_bytes, tokens)),
    }


def _n_bytes(token: Token) -> int:
    """``bytes:\\xe2\\x80``, a part of a letter, stands for two."""
    return token.text.count("\\x") if token.text.startswith("bytes:") else len(token.text.encode())


def _letter(said: str, pattern: str | None) -> str:
    """What HELM looks up; an answer in which the pattern finds nothing stays as it is, and is no letter."""
    found = re.search(pattern, said) if pattern else None
    return said if found is None else (found[1] or "") if found.groups() else found[0]


def _choice(states: Sequence[RequestState], texts: Sequence[str], method: str) -> dict[str, Any]:
    """The log-probability of every choice, and by it the one that was taken.

    Nothing where the tokens of a choice cannot be told from those before it.
    """
    first = states[0].request.prompt
    found: dict[str, Any] = {"prompt": first.removesuffix(f" {texts[0]}") if texts else first}
    scored: dict[tuple[bool, int], list[float]] = {}
    for one in states:
        if one.reference_index is None:
            return found
        if one.reference_index >= len(texts):
            raise ValueError(f"reference_index {one.reference_index} of {len(texts)} references")
        ends = last_tokens(one.result.completions[0], f" {texts[one.reference_index]}")
        if ends is None:
            return found
        scored[one.request_mode == CALIBRATION, one.reference_index] = ends
    indices = range(len(texts))
    needed = [(False, i) for i in indices] + [(True, i) for i in indices if method == CALIBRATED]
    if any(place not in scored for place in needed):
        return found
    sums = [math.fsum(scored[False, i]) for i in indices]
    lengths = [len(scored[False, i]) for i in indices]
    if method == CALIBRATED:
        sums = [after - math.fsum(scored[True, i]) for i, after in enumerate(sums)]
        lengths = [1] * len(texts)
    if any(math.isnan(value) for value in sums):
        return found
    chosen = highest([value / length for value, length in zip(sums, lengths, strict=True)])
    return found | {
        "answer": texts[chosen[0]],
        "logprob": math.fsum(scored[False, chosen[0]]),
        "token_logprobs": scored[False, chosen[0]],
        "choice_logprobs": sums,
        "choice_lengths": lengths,
        "chosen": list(chosen),
        "n_tied": len(chosen),
    }


def last_tokens(completion: Completion, text: str) -> list[float] | None:
    """Log-probabilities of the last tokens, which together are ``text``; None where no tokens are just that."""
    rest = text
    found: list[float] = []
    for token in reversed(completion.tokens):
        if not rest:
            break
        if not token.text or not rest.endswith(token.text):
            return None
        rest = rest.removesuffix(token.text)
        found.insert(0, token.logprob)
    return found if found and not rest else None
