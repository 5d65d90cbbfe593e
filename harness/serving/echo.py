"""Whether an endpoint echoes a prompt as it should: whole, each token with its own log-probability."""

from __future__ import annotations

import math

from harness.types import Completion

ECHO_PROMPT = "One two three, one two three."


def problem_with_echo(completion: Completion, *, adds_bos: bool) -> str | None:
    """What is wrong with the echo of :data:`ECHO_PROMPT`, as the end of a sentence; None if it is right.

    It must come back whole, with one entry a token, every one but the first a log-probability. The first is null, or
    may be the log-probability after BOS where the endpoint puts one before a text (``adds_bos``).
    """
    if completion.text != ECHO_PROMPT:
        return f"echoes the prompt as {completion.text!r}"
    if not len(completion.tokens) == len(completion.token_logprobs) == len(completion.text_offset) > 1:
        return "does not return one log-probability and one offset for each token of the prompt"
    first, *rest = completion.token_logprobs
    if first is not None and not adds_bos:
        return "gives the first token a log-probability, although nothing precedes it"
    known = rest if first is None else [first, *rest]
    if any(value is None or not math.isfinite(value) or value > 0 for value in known):
        return "returns something else than log-probabilities for some tokens"
    if all(value == 0 for value in rest):
        return "returns zero for every log-probability"
    return None
