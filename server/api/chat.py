"""``POST /v1/chat/completions``: a conversation becomes a prompt by the model's chat template, and is completed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from server.api.execution import results, start
from server.api.jobs import check_count, check_model, make_jobs
from server.api.pieces import grow
from server.api.prompts import check_length, check_size, read_text
from server.api.sse import STREAMED, EventStream
from server.api.state import Served, ServedModel
from server.api.templates import ChatRenderer
from server.engine.prompt import Prompt
from server.engine.run import Run
from server.engine.sequence import Job, Result
from server.formats.chat import answer, chunk, opening
from server.formats.llama_cpp import timings
from server.formats.openai import Envelope, ranked, usage
from server.formats.transcript import Piece, Transcript
from server.protocol.chat_completions import ChatRequest, ChatResponse

router = APIRouter()


@router.post("/v1/chat/completions", response_model=ChatResponse, responses=STREAMED)
@router.post("/chat/completions", response_model=ChatResponse, include_in_schema=False)
async def chat(body: ChatRequest, request: Request, served: ServedModel, renderer: ChatRenderer) -> Response:
    """Answer a conversation."""
    check_model(body.model, served)
    body.check()
    check_count(body.n, served)
    text = await renderer.render(body.template_messages(), **body.template_variables())
    check_size(text, served.engine.model, served.engine.context_size)
    writer, jobs = await asyncio.to_thread(_prepare, body, text, served)
    if body.stream:
        run = start(jobs, served, stream=True)
        return EventStream(run, writer.stream(run))
    found = await results(jobs, request, served)
    content = await asyncio.to_thread(lambda: to_json(writer.whole(found)))
    return Response(content, media_type="application/json")


def _prepare(body: ChatRequest, text: str, served: Served) -> tuple[_Writer, list[Job]]:
    prompt = read_text(text, served.engine.model)
    check_length(prompt, served.engine.context_size, generates=True)
    wanted = [k for k in (body.alternatives, body.prompt_logprobs) if k is not None]
    jobs = make_jobs(
        body,
        [prompt],
        served,
        candidates=body.n,
        score_from=None if body.prompt_logprobs is None else lambda _prompt: 1,
        top_k=max(wanted, default=None),
    )
    return _Writer(body, served, prompt), jobs


class _Writer:
    """Writes the answers of one request, at once or as they come."""

    def __init__(self, body: ChatRequest, served: Served, prompt: Prompt) -> None:
        self._body = body
        self._served = served
        self._model = served.engine.model
        self._transcripts = [Transcript(self._model, prompt, tuple(body.stop)) for _ in range(body.n)]

    def _envelope(self, kind: str) -> Envelope:
        return Envelope(self._served.id, self._served.fingerprint, kind, "chatcmpl")

    def whole(self, found: list[Result]) -> dict[str, Any]:
        """OpenAI's object."""
        pieces = [transcript.finish(result) for transcript, result in zip(self._transcripts, found, strict=True)]
        choices = [answer(i, self._body, self._model, piece) for i, piece in enumerate(pieces)]
        return self._envelope("chat.completion").wrap(
            choices, usage=self._usage(found), timings=timings(found[0]), **self._prompt_logprobs(pieces[0])
        )

    async def stream(self, run: Run) -> AsyncIterator[dict[str, Any]]:
        """Its chunks, and the usage at the end if it was asked for."""
        extra = {"usage": None} if self._body.streams_usage else {}
        envelope = self._envelope("chat.completion.chunk")
        opened = False
        async for i, piece in grow(run, self._transcripts, self._served):
            if not opened:  # not before there is something to say: what fails until then has a status of its own
                opened = True
                for j in range(self._body.n):
                    yield envelope.wrap([opening(j)], **extra)
            more = self._prompt_logprobs(piece) if i == 0 and piece.prompt_text is not None else {}
            if piece.result is not None:
                more |= {"timings": timings(piece.result)}
            yield envelope.wrap([chunk(i, self._body, self._model, piece)], **extra, **more)
        if self._body.streams_usage:
            yield envelope.wrap([], usage=self._usage(await run.results()))

    def _prompt_logprobs(self, piece: Piece) -> dict[str, Any]:
        """vLLM's field: in a chat it stands at the top, since all choices have one prompt."""
        k = self._body.prompt_logprobs
        if k is None:
            return {}
        return {"prompt_logprobs": [ranked(entry, k, self._model) for entry in piece.prompt_entries]}

    def _usage(self, found: list[Result]) -> dict[str, Any]:
        return usage(self._transcripts, self._body.n, found)
