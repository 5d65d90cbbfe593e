"""What a model said, from a line of lm-eval's samples: columns of ``instances``."""

from __future__ import annotations

import math
import re
from itertools import zip_longest
from typing import Any

from harness.interop.imports.lm_eval_files import Sample
from harness.ties import highest

GENERATION, ROLLING = "generation", "language_modeling"
CHOICE, CONTINUATION = "multiple_choice_separate_original", "continuation"
NO_ANSWER = "[invalid]"
"""What lm-eval's filters make of a text in which they find no answer."""
_NUMBERS = re.compile(r"\d+|\[\d+(, *\d+)*\]")


def adapter_of(sample: Sample) -> str:
    """Our name of the way of asking, by what was sent."""
    requests = list(sample.arguments.values())
    if "arg_1" not in requests[0]:
        return ROLLING
    if isinstance(requests[0]["arg_1"], dict):
        return GENERATION
    return CHOICE if len(requests) > 1 else CONTINUATION


def columns_of(sample: Sample, metric: str) -> dict[str, Any]:
    """The columns of one document, as far as lm-eval wrote them.

    Args:
        sample: after the filter that the main metric looks at.
        metric: the main metric, without its filter: by ``acc_norm`` choices are compared per character, by
            ``acc_bytes`` per byte, and by ``acc_mutual_info`` to what they are without the question.

    Raises:
        LookupError, TypeError, ValueError: the document is not as lm-eval writes it.
    """
    if len(sample.filtered_resps) != len(sample.arguments):
        raise ValueError(f"{len(sample.filtered_resps)} answers to {len(sample.arguments)} requests")
    contexts = [str(one.get("arg_0", "")) for one in sample.arguments.values()]
    adapter = adapter_of(sample)
    if adapter == ROLLING:
        return _text(sample, contexts[0])
    target = sample.target if isinstance(sample.target, list) else [sample.target]
    golds = [str(one).strip() for one in target if one is not None]
    found: dict[str, Any] = {"prompt": contexts[0], "golds": golds, "gold": golds[0] if golds else ""}
    if adapter == GENERATION:
        said = sample.filtered_resps[0]
        answer = str(said[0] if isinstance(said, list) and said else said).strip()
        return found | {"answer": answer, "valid": answer != NO_ANSWER}
    scored = [_pair(one) for one in sample.filtered_resps]
    texts = [str(one["arg_1"]).strip() for one in sample.arguments.values()]
    if adapter == CONTINUATION:
        right = {"golds": texts, "gold": texts[0]}
        return found | right | {"answer": texts[0], "logprob": scored[0][0], "is_greedy": scored[0][1]}
    return found | _choice(sample, contexts, texts, [one for one, _ in scored], metric)


def _text(sample: Sample, text: str) -> dict[str, Any]:
    logprob = sample.filtered_resps[0]
    value = float(logprob[0] if isinstance(logprob, list) else logprob)
    return {"prompt": text, "logprob": value, "n_bytes": len(text.encode())}


def _choice(
    sample: Sample, contexts: list[str], texts: list[str], logprobs: list[float | None], metric: str
) -> dict[str, Any]:
    """What of several was the likeliest; where only the contexts differ, these are the choices."""
    alone: list[float | None] = []
    if "acc_mutual_info" in sample.metrics:  # every choice once more, without the question
        half = len(texts) // 2
        contexts, texts, logprobs, alone = contexts[:half], texts[:half], logprobs[:half], logprobs[half:]
    if len(set(texts)) < len(texts):
        texts = contexts
    golds = _golds(sample.target, texts)
    right = [texts[number] for number in golds]
    found: dict[str, Any] = {"choices": texts, "gold_choices": golds}
    found |= {"golds": right, "gold": right[0]} if right else {}
    needed = [*logprobs, *(alone if metric == "acc_mutual_info" else [])]
    known = [one for one in needed if one is not None]
    if len(known) < len(needed):
        return found
    scores = [one - other for one, other in zip_longest(known[: len(texts)], known[len(texts) :], fillvalue=0.0)]
    lengths = [_length(text, metric) for text in texts]
    chosen = highest([value / length for value, length in zip(scores, lengths, strict=True)])
    return found | {
        "answer": texts[chosen[0]],
        "logprob": known[chosen[0]],
        "choice_logprobs": scores,
        "choice_lengths": lengths,
        "chosen": list(chosen),
        "n_tied": len(chosen),
    }


def _length(text: str, metric: str) -> int:
    """What the log-probability of a choice is divided by."""
    lengths = {"acc_norm": len(text), "acc_bytes": len(text.encode())}
    return max(1, lengths.get(metric, 1))


def _golds(target: Any, texts: list[str]) -> list[int]:
    """Which choices are right: a number, several, or a text; nothing where the target is none of these.

    lm-eval writes any target as text. It takes one that looks like a number for the choice's number, so ``1`` is the
    second choice, whatever the choices say.
    """
    told = str(target).strip()
    if _NUMBERS.fullmatch(told):
        numbers = [int(number) for number in re.findall(r"\d+", told)]
        if all(number < len(texts) for number in numbers):
            return numbers
    return [texts.index(told)] if told in texts else []


def _pair(response: Any) -> tuple[float | None, bool | None]:
    """A log-probability and whether greedy decoding says the same: lm-eval writes both as text."""
    if not isinstance(response, list) or len(response) != 2:
        return None, None
    try:
        value = float(response[0])
    except ValueError:
        return None, None
    return (None if math.isnan(value) else value), str(response[1]) == "True"
