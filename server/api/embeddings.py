"""``POST /v1/embeddings``."""

from __future__ import annotations

import asyncio
import base64

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from pydantic_core import to_json

from server.api.execution import engine_errors, while_connected
from server.api.jobs import check_model
from server.api.prompts import check_bytes, check_ids
from server.api.state import Served, ServedModel
from server.engine.embedding import Embedder
from server.engine.llama import Model
from server.protocol.embeddings import EmbeddingRequest, EmbeddingResponse
from server.protocol.errors import ContextTooLong, InvalidRequest, NotSupported

router = APIRouter()


@router.post("/v1/embeddings", response_model=EmbeddingResponse)
async def embeddings(body: EmbeddingRequest, request: Request, served: ServedModel) -> Response:
    """A vector of length 1 for each text."""
    check_model(body.model, served)
    body.check()
    embedder = _embedder(body, served)
    texts = await asyncio.to_thread(_tokenize, body, served.engine.model, embedder.size)
    with engine_errors():
        async with asyncio.timeout(served.settings.request_timeout):
            vectors = await while_connected(embedder.embed(texts), request.receive)
    tokens = sum(map(len, texts))
    answer = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": i, "embedding": _encode(vector, body.encoding_format)}
            for i, vector in enumerate(vectors)
        ],
        "model": served.id,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Response(to_json(answer), media_type="application/json")


def _embedder(body: EmbeddingRequest, served: Served) -> Embedder:
    """The one who can.

    Raises:
        NotSupported: nobody can, or not with so many dimensions.
    """
    engine = served.engine
    if not engine.model.can_embed:
        raise NotSupported("This kind of model gives no embeddings.")
    if engine.embedder is None:
        raise NotSupported(
            "This model does not say how its states become an embedding; the server's operator can choose with "
            "--pooling mean, cls or last."
        )
    if body.dimensions not in (None, engine.model.n_embd):
        raise NotSupported(
            f"'dimensions' is {body.dimensions}, but this model's embeddings have {engine.model.n_embd}.",
            param="dimensions",
        )
    return engine.embedder


def _tokenize(body: EmbeddingRequest, model: Model, size: int) -> list[list[int]]:
    """Token ids as they are; texts with the special tokens that the model was trained to see around them."""
    found = []
    for text in body.inputs:
        if isinstance(text, str):
            check_bytes(text, "input")
        tokens = text if isinstance(text, list) else model.tokenize(text, add_special=True)
        check_ids(tokens, model, "input")
        if not tokens:
            raise InvalidRequest("'input' has a text without a single token.", param="input")
        if len(tokens) > size:
            error = ContextTooLong(len(tokens), size)
            error.param = "input"
            raise error
        found.append(tokens)
    return found


def _encode(vector: NDArray[np.float32], form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers: list[float] = vector.tolist()
    return numbers
