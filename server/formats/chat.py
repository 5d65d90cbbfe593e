"""Pieces of completions as OpenAI's chat completion, whole or in chunks."""

from __future__ import annotations

from typing import Any

from server.engine.llama import Model
from server.engine.text import token_name
from server.formats.transcript import Entry, Piece
from server.protocol.chat_completions import ChatRequest


def answer(index: int, request: ChatRequest, model: Model, piece: Piece) -> dict[str, Any]:
    """A whole choice."""
    message = {"role": "assistant", "content": piece.text, "refusal": None}
    return {"index": index, "message": message, **_rest(request, model, piece)}


def opening(index: int) -> dict[str, Any]:
    """The first chunk of a choice: who speaks."""
    delta = {"role": "assistant", "content": "", "refusal": None}
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def chunk(index: int, request: ChatRequest, model: Model, piece: Piece) -> dict[str, Any]:
    """A later chunk of a choice."""
    delta = {"content": piece.text} if piece.text else {}
    return {"index": index, "delta": delta, **_rest(request, model, piece)}


def _rest(request: ChatRequest, model: Model, piece: Piece) -> dict[str, Any]:
    k = request.alternatives
    # The token that ends an answer is no part of it: OpenAI's tokens joined are the content.
    spoken = [entry for entry in piece.entries if not model.ends_generation(entry.token)]
    return {
        "logprobs": None if k is None else {"content": [_entry(entry, k, model) for entry in spoken], "refusal": None},
        "finish_reason": piece.result.finish_reason if piece.result else None,
    }


def _entry(entry: Entry, k: int, model: Model) -> dict[str, Any]:
    assert entry.logprob is not None
    top = [_token(model.piece(token), logprob) for token, logprob in entry.top[:k]]
    return {**_token(entry.piece, entry.logprob), "top_logprobs": top}


def _token(piece: bytes, logprob: float) -> dict[str, Any]:
    return {"token": token_name(piece), "logprob": logprob, "bytes": list(piece)}
