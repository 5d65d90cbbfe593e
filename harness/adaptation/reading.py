"""What adapters read out of completions alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.continuation import first_of_continuation, token_bytes
from harness.errors import RunError
from harness.ties import highest
from harness.types import Answer, Completion, Prompt


def scored(completion: Completion) -> tuple[float, ...]:
    """The log-probabilities that there are."""
    return tuple(value for value in completion.token_logprobs if value is not None)


def written(completion: Completion) -> Answer:
    """Generated text, without the spaces around it."""
    logprobs = scored(completion)
    known = zip(completion.tokens, completion.token_logprobs, strict=True)
    return Answer(
        text=completion.text.strip(),
        logprob=math.fsum(logprobs) if completion.has_logprobs else math.nan,
        token_logprobs=logprobs,
        n_bytes=len(completion.text.encode()),
        tokens=tuple(token for token, value in known if value is not None),
    )


def continuation_logprobs(completion: Completion, prompt: Prompt) -> tuple[float, ...]:
    """Log-probabilities of the tokens of the continuation.

    Raises:
        RunError: the endpoint gave no log-probability for one of them.
    """
    begin = first_of_continuation(completion, prompt)
    found = completion.token_logprobs[begin:]
    known = tuple(value for value in found if value is not None)
    if not known or len(known) < len(found):
        shown = prompt.continuation if isinstance(prompt.continuation, str) else completion.text[-50:]
        raise RunError(f"The endpoint returned no log-probabilities for the continuation {shown!r}.")
    return known


def continuation_tokens(completion: Completion, prompt: Prompt) -> tuple[str, ...]:
    """Names of the tokens of the continuation."""
    return completion.tokens[first_of_continuation(completion, prompt) :]


def continuation_bytes(completion: Completion, prompt: Prompt) -> int:
    """UTF-8 bytes of the continuation."""
    if isinstance(prompt.continuation, str):
        return len(prompt.continuation.encode())
    return sum(len(token_bytes(token)) for token in continuation_tokens(completion, prompt))


def is_greedy(completion: Completion, prompt: Prompt) -> bool | None:
    """Whether each token of the continuation is the likeliest one at its place; None where that is not known."""
    begin = first_of_continuation(completion, prompt)
    pairs = list(zip(completion.token_logprobs, completion.top_logprobs, strict=False))[begin:]
    if not pairs or any(value is None or top is None for value, top in pairs):
        return None
    return all(value == top for value, top in pairs)


def best(scores: Sequence[float], texts: Sequence[str]) -> tuple[int, ...]:
    """Indices of the highest scores: one, or all of those that tie for it.

    Raises:
        RunError: all of several different choices score the same, as on a server whose log-probabilities mean nothing.
    """
    if len(set(texts)) > 1 and len(set(scores)) == 1:
        raise RunError(
            f"The endpoint gave all {len(scores)} choices the same log-probability ({scores[0]:g}); its scores mean "
            "nothing, so they are not judged."
        )
    return highest(scores)
