"""What adapters read out of completions alike."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import RunError
from harness.types import Completion, Prompt


def scored(completion: Completion) -> tuple[float, ...]:
    """The log-probabilities that there are."""
    return tuple(value for value in completion.token_logprobs if value is not None)


def continuation_logprobs(completion: Completion, prompt: Prompt) -> tuple[float, ...]:
    """Log-probabilities of the tokens of the continuation.

    Of a text these are the tokens that reach beyond its border with the context, by ``text_offset``: a token that
    straddles the border belongs to the continuation, without it part of the continuation would go unscored.

    Raises:
        RunError: the endpoint gave no log-probability for one of them.
    """
    begin = first_of_continuation(completion, prompt)
    found = completion.token_logprobs[begin:]
    known = tuple(value for value in found if value is not None)
    if not known or len(known) < len(found):
        raise RunError(f"The endpoint returned no log-probabilities for the continuation {prompt.continuation!r}.")
    return known


def first_of_continuation(completion: Completion, prompt: Prompt) -> int:
    """Index of the continuation's first token."""
    if not isinstance(prompt.context, str):
        return len(completion.tokens) - len(prompt.continuation)
    ends = (*completion.text_offset[1:], len(completion.text))
    return next((index for index, end in enumerate(ends) if end > len(prompt.context)), len(ends))


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
    highest = max(scores)
    return tuple(index for index, score in enumerate(scores) if score == highest)
