"""``POST /v1/completions``, and the same as llama.cpp names it: ``/completion``, ``/completions``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from server.api.execution import results, start
from server.api.jobs import check_count, check_model, completion_jobs
from server.api.pieces import grow
from server.api.prompts import read_prompts
from server.api.sse import STREAMED, EventStream
from server.api.state import Served, ServedModel
from server.engine.prompt import Prompt
from server.engine.run import Run
from server.engine.sequence import Job, Result
from server.formats.llama_cpp import extension_fields, native
from server.formats.openai import Envelope, choice, usage
from server.formats.transcript import Piece, Transcript
from server.protocol.completions import CompletionAnswer, CompletionRequest, NativeRequest

router = APIRouter()


@router.post("/v1/completions", response_model=CompletionAnswer, responses=STREAMED)
async def complete(body: CompletionRequest, request: Request, served: ServedModel) -> Response:
    """Complete or score prompts; with ``echo`` and ``logprobs``, every token of the prompt gets its log-probability."""
    return await _answer(body, request, served)


@router.post("/completion", response_model=CompletionAnswer, responses=STREAMED)
@router.post("/completions", response_model=CompletionAnswer, include_in_schema=False)
async def complete_as_llama_cpp(body: NativeRequest, request: Request, served: ServedModel) -> Response:
    """The same with llama.cpp's default of unlimited tokens; ``"oai_compat": false`` answers in its format alone."""
    return await _answer(body, request, served)


async def _answer(body: CompletionRequest, request: Request, served: Served) -> Response:
    check_model(body.model, served)
    body.check()
    check_count(body.n_prompts * body.candidates, served)
    # In threads: long texts, grammars and answers take their time, in which others are to be answered.
    writer, jobs = await asyncio.to_thread(_prepare, body, served)
    if body.stream:
        run = start(jobs, served, stream=True)
        return EventStream(run, writer.stream(run, jobs), done=body.oai_compat)
    found = _best(body, await results(jobs, request, served))
    write = writer.whole if body.oai_compat else writer.whole_native
    content = await asyncio.to_thread(lambda: to_json(write(found)))
    return Response(content, media_type="application/json")


def _prepare(body: CompletionRequest, served: Served) -> tuple[_Writer, list[Job]]:
    prompts = read_prompts(body, served.engine.model, served.engine.context_size)
    return _Writer(body, served, prompts), completion_jobs(body, prompts, served)


def _best(body: CompletionRequest, found: list[Result]) -> list[Result]:
    """Of each prompt's candidates, the ``n`` with the highest log-probability per token, best first."""
    if body.candidates == body.n:
        return found
    groups = [found[i : i + body.candidates] for i in range(0, len(found), body.candidates)]
    return [result for group in groups for result in sorted(group, key=_mean_logprob, reverse=True)[: body.n]]


def _mean_logprob(result: Result) -> float:
    assert result.scores is not None
    begin = len(result.job.prompt)
    n = len(result.completion)
    return float(result.scores.logprob[begin : begin + n].mean()) if n else 0.0


class _Writer:
    """Writes the completions of one request, at once or as they come."""

    def __init__(self, body: CompletionRequest, served: Served, prompts: list[Prompt]) -> None:
        self._body = body
        self._served = served
        self._envelope = Envelope(served.id, served.fingerprint)
        model = served.engine.model
        self._transcripts = [Transcript(model, prompt, tuple(body.stop)) for prompt in prompts for _ in range(body.n)]

    def whole(self, found: list[Result]) -> dict[str, Any]:
        """OpenAI's object. llama.cpp's fields stand at the top where there is one choice, else in each choice."""
        choices, fields = [], []
        for i, result in enumerate(found):
            piece = self._transcripts[i].finish(result)
            choices.append(choice(i, self._body, self._served.engine.model, piece))
            fields.append(self._extensions(i, result.job, piece))
        answer = self._envelope.wrap(choices, usage=self._usage(found))
        if len(choices) == 1:
            return fields[0] | answer
        return answer | {"choices": [more | one for more, one in zip(fields, choices, strict=True)]}

    def whole_native(self, found: list[Result]) -> dict[str, Any] | list[dict[str, Any]]:
        """llama.cpp's object, or a list of them where there are several completions."""
        answers = [self._native(i, result.job, self._transcripts[i].finish(result)) for i, result in enumerate(found)]
        return answers[0] if len(answers) == 1 else answers

    async def stream(self, run: Run, jobs: list[Job]) -> AsyncIterator[dict[str, Any]]:
        """The chunks of all completions as they grow, and the usage at the end if it was asked for."""
        extra = {"usage": None} if self._body.streams_usage else {}
        async for i, piece in grow(run, self._transcripts, self._served):
            if not self._body.oai_compat:
                yield self._native(i, jobs[i], piece)
                continue
            one = choice(i, self._body, self._served.engine.model, piece)
            more = self._extensions(i, jobs[i], piece) if piece.result else {}
            yield self._envelope.wrap([more | one], **extra)
        if self._body.streams_usage and self._body.oai_compat:
            yield self._envelope.wrap([], usage=self._usage(await run.results()))

    def _extensions(self, i: int, job: Job, piece: Piece) -> dict[str, Any]:
        assert piece.result is not None
        size = self._served.engine.context_size
        return extension_fields(job, piece.result, self._body, self._transcripts[i].text, self._served.id, size)

    def _native(self, i: int, job: Job, piece: Piece) -> dict[str, Any]:
        answer = native(i, self._body, self._served.engine.model, piece) | {"model": self._served.id}
        if piece.result is not None:
            answer |= self._extensions(i, job, piece) | {"prompt": self._transcripts[i].prompt_text}
        return answer

    def _usage(self, found: list[Result]) -> dict[str, Any]:
        return usage(self._transcripts, self._body.n, found)
