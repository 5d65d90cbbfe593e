"""Requests of bounded size: a long text has more windows than an endpoint should hold and answer at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.types import Prompt, Request

MOST_TOKENS = 32_768
"""Of one request: minutes on a slow machine, and a few MB of log-probabilities."""


def in_batches(request: Request, most: int = MOST_TOKENS) -> Iterator[Request]:
    """The request in parts, in order: prompts of token ids in so many at most, unless one alone has more.

    Prompts of text are the choices of one question, which share their context, and stay together.
    """
    batch: list[Prompt] = []
    size = 0
    for prompt in request.prompts:
        length = 0 if isinstance(prompt.context, str) else len(prompt.whole)
        if batch and size + length > most:
            yield replace(request, prompts=tuple(batch))
            batch, size = [], 0
        batch.append(prompt)
        size += length
    yield replace(request, prompts=tuple(batch))
