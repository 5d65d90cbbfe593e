"""What a model said, from a line of lm-eval's samples: columns of ``instances``."""

from __future__ import annotations

from typing import Any

from harness.interop.imports.lm_eval_files import Sample
from harness.ties import highest

GENERATION, ROLLING = "generation", "language_modeling"
CHOICE, CONTINUATION = "multiple_choice_separate_original", "continuation"
NO_ANSWER = "[invalid]"
"""What lm-eval's filters make of a text in which they find no answer."""


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
        metric: the main metric: by ``acc_norm`` choices are compared per character.
    """
    contexts = [str(one.get("arg_0", "")) for one in sample.arguments.values()]
    adapter = adapter_of(sample)
    if adapter == ROLLING:
        return _text(sample, contexts[0])
    target = sample.target if isinstance(sample.target, list) else [sample.target]
    golds = [str(one).strip() for one in target if one is not None]
    found: dict[str, Any] = {"prompt": contexts[0], "golds": golds, "gold": golds[0] if golds else ""}
    if adapter == GENERATION:
        said = sample.filtered_resps[0] if sample.filtered_resps else ""
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
    if "acc_mutual_info" in sample.metrics:  # every choice once more, without the question
        half = len(texts) // 2
        contexts, texts, logprobs = contexts[:half], texts[:half], logprobs[:half]
    if len(set(texts)) < len(texts):
        texts = contexts
    known = [one for one in logprobs if one is not None]
    golds = _golds(sample.target, texts)
    right = [texts[number] for number in golds]
    found: dict[str, Any] = {"choices": texts, "gold_choices": golds}
    found |= {"golds": right, "gold": right[0]} if right else {}
    if len(known) < len(texts):
        return found
    lengths = [max(1, len(text)) if metric.startswith("acc_norm") else 1 for text in texts]
    chosen = highest([value / length for value, length in zip(known, lengths, strict=True)])
    return found | {
        "answer": texts[chosen[0]],
        "logprob": known[chosen[0]],
        "choice_logprobs": known,
        "choice_lengths": lengths,
        "chosen": list(chosen),
        "n_tied": len(chosen),
    }


def _golds(target: Any, texts: list[str]) -> list[int]:
    """Which choices are right: a number, a text, or several of either; nothing where the target is none of these."""
    found: list[int] = []
    for one in target if isinstance(target, list) else [target]:
        told = str(one).strip()
        if told in texts:
            found.append(texts.index(told))
        elif told.isdecimal() and int(told) < len(texts):
            found.append(int(told))
    return found


def _pair(response: Any) -> tuple[float | None, bool | None]:
    """A log-probability and whether greedy decoding says the same: lm-eval writes both as text."""
    if not isinstance(response, list) or len(response) != 2:
        return None, None
    try:
        return float(response[0]), str(response[1]) == "True"
    except ValueError:
        return None, None
