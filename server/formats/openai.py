"""Pieces of completions as OpenAI's completion object, whole or in chunks."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from server.engine.llama import Model
from server.engine.sequence import Result
from server.engine.text import token_name
from server.formats.transcript import Entry, Piece, Transcript
from server.protocol.completions import CompletionRequest


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of one response have in common."""

    model: str
    fingerprint: str
    kind: str = "text_completion"
    prefix: str = "cmpl"
    key: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def wrap(self, choices: list[dict[str, Any]], **others: Any) -> dict[str, Any]:
        """One chunk, or the whole response."""
        return {
            "id": f"{self.prefix}-{self.key}",
            "object": self.kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
            **others,
        }


def choice(index: int, request: CompletionRequest, model: Model, piece: Piece) -> dict[str, Any]:
    """A piece of one completion; the first one carries what the client asked to know of the prompt."""
    names = _Names(model, as_ids=request.return_tokens_as_token_ids)
    prompt = piece.prompt_entries if request.echo else []
    text = (piece.prompt_text or "") + piece.text if request.echo else piece.text
    # What an echo does not score (logprob_start_len) has no log-probabilities, and no alternatives either.
    logprobs = None if request.logprobs is None else _logprobs([*prompt, *piece.entries], request.logprobs, names)
    answer: dict[str, Any] = {
        "index": index,
        "text": text,
        "logprobs": logprobs,
        "finish_reason": piece.result.finish_reason if piece.result else None,
        "stop_reason": piece.result.stop if piece.result else None,
    }
    if request.prompt_logprobs is not None and piece.prompt_text is not None:
        answer["prompt_logprobs"] = [ranked(entry, request.prompt_logprobs, model) for entry in piece.prompt_entries]
    if request.return_token_ids:
        answer["token_ids"] = [entry.token for entry in piece.entries]
        if piece.prompt_text is not None:
            answer["prompt_token_ids"] = [entry.token for entry in piece.prompt_entries]
        if piece.result is not None:
            answer["generated_token_ids"] = list(piece.result.completion)
    return answer


def usage(transcripts: list[Transcript], per_prompt: int, found: list[Result]) -> dict[str, Any]:
    """Tokens counted as the arrays count them: every prompt once, every returned completion.

    Args:
        transcripts: all completions, those of one prompt together.
        per_prompt: how many those are.
        found: what came of each completion.
    """
    prompt = sum(transcript.prompt_tokens for transcript in transcripts[::per_prompt])
    completion = sum(transcript.completion_tokens for transcript in transcripts)
    cached = sum(
        max(result.reused - transcript.hidden, 0)
        for transcript, result in zip(transcripts[::per_prompt], found[::per_prompt], strict=True)
    )
    predicted = sum(len(result.job.draft) for result in found)
    accepted = sum(result.accepted for result in found)
    details = {"accepted_prediction_tokens": accepted, "rejected_prediction_tokens": predicted - accepted}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        **({"completion_tokens_details": details} if predicted else {}),
    }


class _Names:
    """Tokens as strings, the way the client wants them."""

    def __init__(self, model: Model, *, as_ids: bool) -> None:
        self._model = model
        self._as_ids = as_ids

    def of(self, token: int, piece: bytes | None = None) -> str:
        if self._as_ids:
            return f"token_id:{token}"
        return token_name(self._model.piece(token) if piece is None else piece)


def _logprobs(entries: list[Entry], k: int, names: _Names) -> dict[str, Any]:
    """Four parallel arrays."""
    return {
        "tokens": [names.of(entry.token, entry.piece) for entry in entries],
        "token_logprobs": [entry.logprob for entry in entries],
        "top_logprobs": [_alternatives(entry, k, names) for entry in entries],
        "text_offset": [entry.offset for entry in entries],
    }


def _alternatives(entry: Entry, k: int, names: _Names) -> dict[str, float] | None:
    """The k most likely tokens and the chosen one; of two tokens with the same name the likelier is kept."""
    if entry.logprob is None:
        return None
    name = names.of(entry.token, entry.piece)
    found: dict[str, float] = {}
    for token, logprob in entry.top[:k]:
        found.setdefault(name if token == entry.token else names.of(token), logprob)
    found.setdefault(name, entry.logprob)
    return found


def ranked(entry: Entry, k: int, model: Model) -> dict[str, dict[str, Any]] | None:
    """vLLM's ``prompt_logprobs`` of one token: by token id, the actual one first."""
    if entry.logprob is None:
        return None
    ranked = {entry.token: (entry.logprob, entry.rank)}
    for rank, (token, logprob) in enumerate(entry.top[:k], start=1):
        ranked.setdefault(token, (logprob, rank))
    return {
        str(token): {"logprob": logprob, "rank": rank, "decoded_token": token_name(model.piece(token))}
        for token, (logprob, rank) in ranked.items()
    }
