"""The tokenizer over HTTP: ``/tokenize``, ``/detokenize``, ``/decode``, ``/tokenizer_info``, ``/version``.

Clients look for these at the root, some under ``/v1``; they are the same in both places.
"""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version

from fastapi import APIRouter

from server.api.jobs import check_model
from server.api.prompts import check_bytes, check_ids, missing_bos
from server.api.state import ServedModel
from server.api.templates import ChatRenderer
from server.engine.llama import Model
from server.engine.text import token_name
from server.protocol.tokens import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
    TokenizerInfo,
    TokenPiece,
    Version,
)

_routes = APIRouter()


@_routes.post("/tokenize")
async def tokenize(body: TokenizeRequest, served: ServedModel, renderer: ChatRenderer) -> TokenizeResponse:
    """Token ids of a text, or of a conversation as the model would see it."""
    begin = time.perf_counter()
    check_model(body.model, served)
    body.check()
    if body.messages is not None:
        text = await renderer.render(body.template_messages(), **body.template_variables())
    else:
        text = next(text for text in (body.prompt, body.text, body.content) if text is not None)
    check_bytes(text, "prompt")
    tokens, names = await asyncio.to_thread(_tokenize, text, body, served.engine.model)
    return TokenizeResponse(
        tokens=_with_pieces(tokens, served.engine.model) if body.with_pieces else tokens,
        count=len(tokens),
        max_model_len=served.engine.context_size,
        token_strs=names,
        request_time=time.perf_counter() - begin,
    )


def _tokenize(text: str, body: TokenizeRequest, model: Model) -> tuple[list[int], list[str] | None]:
    """Token ids, and their names if they are wanted."""
    if text == body.text and not body.truncation and model.adds_spaces:
        # HELM asks how many tokens a choice has after its context, with the space before it. The vocabulary adds that.
        text = text.removeprefix(" ") or text
    tokens = model.tokenize(text, parse_special=body.parse_special or body.content is None)
    if body.wants_special:
        tokens = missing_bos(tokens, model) + tokens
    if body.truncation:
        tokens = tokens[: body.max_length]
    return tokens, [token_name(model.piece(token)) for token in tokens] if body.return_token_strs else None


def _with_pieces(tokens: list[int], model: Model) -> list[TokenPiece]:
    def piece(token: int) -> str | list[int]:
        data = model.piece(token)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return list(data)

    return [TokenPiece(id=token, piece=piece(token)) for token in tokens]


@_routes.post("/detokenize")
@_routes.post("/decode")
async def detokenize(body: DetokenizeRequest, served: ServedModel) -> DetokenizeResponse:
    """The text that token ids stand for; special tokens as their names, broken UTF-8 as U+FFFD."""
    begin = time.perf_counter()
    check_model(body.model, served)
    body.check()
    model = served.engine.model
    check_ids(body.tokens, model, "tokens")
    text = (await asyncio.to_thread(model.detokenize, body.tokens)).decode(errors="replace")
    return DetokenizeResponse(prompt=text, content=text, text=text, request_time=time.perf_counter() - begin)


@_routes.get("/tokenizer_info")
async def tokenizer_info(served: ServedModel, renderer: ChatRenderer) -> TokenizerInfo:
    """What a client needs to know of the tokenizer."""
    model = served.engine.model
    return TokenizerInfo(
        eos_token=model.name(model.eos),
        bos_token=model.name(model.bos),
        pad_token=model.name(model.pad),
        add_bos_token=model.adds_bos,
        vocab_size=model.n_vocab,
        model_max_length=served.engine.context_size,
        chat_template=renderer.template,
    )


@_routes.get("/version")
async def show_version(served: ServedModel) -> Version:
    """Of this program, and of what computes its answers."""
    return Version(version=version("quant-harness"), engine=served.fingerprint)


router = APIRouter()
router.include_router(_routes)
router.include_router(_routes, prefix="/v1", include_in_schema=False)
