"""Engine results as OpenAI's completion response."""

from __future__ import annotations

import math
from dataclasses import dataclass

from server.engine.llama import Model
from server.engine.prompt import Prompt
from server.engine.sequence import Result, ScoreLog
from server.engine.text import text_and_offsets, token_name
from server.protocol.completions import Choice, CompletionRequest, Logprobs

LOWEST = -9999.0
"""Stands for minus infinity, which JSON cannot say."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """One choice, with what the usage count needs to know of it."""

    choice: Choice
    prompt_tokens: int
    completion_tokens: int


def format_choice(index: int, request: CompletionRequest, model: Model, prompt: Prompt, result: Result) -> Formatted:
    """One completion of one prompt, its text cut before the stop string, its arrays in step with its text."""
    prompt_pieces = prompt.pieces(model)
    prompt_text, prompt_offsets = text_and_offsets(prompt_pieces)
    pieces = [model.piece(token) for token in result.completion]
    ended = bool(pieces) and model.ends_generation(result.completion[-1])
    # A token that ends generation has an entry of its own, but it is no part of the text.
    text, offsets = text_and_offsets(pieces[:-1] if ended else pieces)
    kept = len(pieces)
    if ended:
        offsets.append(len(text))
    if result.cut is not None:
        text = text[: result.cut]
        kept = sum(offset < result.cut for offset in offsets)
    begin = 0 if request.echo else len(prompt_pieces)
    logprobs = None
    if request.logprobs is not None:
        assert result.scores is not None
        positions = range(prompt.hidden + begin, len(prompt.tokens) + kept)
        # The first token of a prompt has no log-probability, after which OpenAI starts to count. Of an empty prompt,
        # which is nothing but a hidden token, all that follow are generated and have one.
        first = prompt.hidden if prompt_pieces else None
        tokens = (*prompt.tokens, *result.completion)
        names = [token_name(piece) for piece in (*prompt_pieces, *pieces)]
        shown = names[begin : len(prompt_pieces) + kept]
        logprobs = Logprobs(
            tokens=shown,
            token_logprobs=[_logprob(result.scores, p) if p != first else None for p in positions],
            top_logprobs=[
                _top_logprobs(result.scores, p, tokens[p], name, model) if p != first else None
                for p, name in zip(positions, shown, strict=True)
            ],
            text_offset=[*prompt_offsets, *(len(prompt_text) + o for o in offsets)][begin : len(prompt_pieces) + kept],
        )
    return Formatted(
        Choice(
            index=index,
            text=prompt_text + text if request.echo else text,
            finish_reason=result.finish_reason,
            logprobs=logprobs,
        ),
        prompt_tokens=len(prompt_pieces),
        completion_tokens=kept,
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else LOWEST


def _logprob(scores: ScoreLog, position: int) -> float:
    """The token's raw log-probability."""
    return _finite(float(scores.logprob[position]))


def _top_logprobs(scores: ScoreLog, position: int, chosen: int, name: str, model: Model) -> dict[str, float]:
    """The most likely tokens and the chosen one; of two tokens with the same name the likelier is kept."""
    alternatives: dict[str, float] = {}
    ranked = zip(scores.top_ids[position].tolist(), scores.top_logprobs[position].tolist(), strict=True)
    for token, logprob in ranked:
        alternatives.setdefault(name if token == chosen else token_name(model.piece(token)), _finite(logprob))
    alternatives.setdefault(name, _logprob(scores, position))
    return alternatives
