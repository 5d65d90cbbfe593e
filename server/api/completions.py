"""``POST /v1/completions``."""

from __future__ import annotations

import secrets
import time
from typing import Any

from fastapi import APIRouter

from server.api.prompts import read_prompts
from server.api.state import Served, ServedModel
from server.engine.prompt import Prompt
from server.engine.scheduler import QueueFull, SequenceFailed
from server.engine.sequence import Job
from server.formats.llama_cpp import extension_fields
from server.formats.openai import Formatted, format_choice
from server.protocol.completions import CompletionRequest, CompletionResponse, Usage
from server.protocol.errors import EngineFailure, InvalidRequest, ModelNotFound, Overloaded

router = APIRouter()


@router.post("/v1/completions")
async def complete(request: CompletionRequest, served: ServedModel) -> dict[str, Any]:
    """Complete or score prompts; with ``echo`` and ``logprobs``, every token of the prompt gets its log-probability."""
    if request.model is not None and request.model != served.id:
        raise ModelNotFound(
            f"The model '{request.model}' is not served here; this server serves '{served.id}'.", param="model"
        )
    request.refuse_unsupported()
    most = served.engine.max_waiting
    if request.n_prompts * request.n > most:
        raise InvalidRequest(f"'n' completions of so many prompts are more than the {most} that may wait.", param="n")
    prompts = read_prompts(request, served.engine.model, served.engine.context_size)
    asked = [prompt for prompt in prompts for _ in range(request.n)]
    seed = request.seed if request.seed is not None else secrets.randbits(32)
    jobs = [_job(request, prompt, seed + i % request.n, served.engine.context_size) for i, prompt in enumerate(asked)]
    try:
        results = await served.engine.run(jobs)
    except QueueFull:
        raise Overloaded("The server has as many requests waiting as it accepts; try again later.") from None
    except SequenceFailed as error:
        raise EngineFailure(f"The request could not be computed: {error}.") from error
    model = served.engine.model
    choices = [
        format_choice(i, request, model, prompt, result)
        for i, (prompt, result) in enumerate(zip(asked, results, strict=True))
    ]
    extensions = [
        extension_fields(request, prompt, result, done.choice.text, served.id, served.engine.context_size)
        for prompt, result, done in zip(asked, results, choices, strict=True)
    ]
    return _response(served, request, choices, extensions)


def _job(request: CompletionRequest, prompt: Prompt, seed: int, context_size: int) -> Job:
    return Job(
        prompt=prompt.tokens,
        max_tokens=min(request.max_tokens, context_size - len(prompt.tokens)),
        score_prompt=request.echo and request.logprobs is not None,
        top_k=request.logprobs,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=seed,
        stops=tuple(request.stop),
    )


def _response(
    served: Served, request: CompletionRequest, choices: list[Formatted], extensions: list[dict[str, Any]]
) -> dict[str, Any]:
    """OpenAI's object. llama.cpp's fields stand at the top where there is one choice, else in each choice."""
    prompt_tokens = sum(done.prompt_tokens for done in choices[:: request.n])
    completion_tokens = sum(done.completion_tokens for done in choices)
    body = CompletionResponse(
        id=f"cmpl-{secrets.token_hex(12)}",
        created=int(time.time()),
        model=served.id,
        system_fingerprint=served.fingerprint,
        choices=[done.choice for done in choices],
        usage=Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=prompt_tokens + completion_tokens,
        ),
    ).model_dump()
    if len(extensions) == 1:
        return body | extensions[0]
    for choice, fields in zip(body["choices"], extensions, strict=True):
        choice.update(fields)
    return body
