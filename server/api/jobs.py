"""A validated request into jobs for the engine."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from server.api.prompts import check_bytes, check_ids
from server.api.state import Served
from server.engine.grammar import BadGrammar, read_grammar
from server.engine.prompt import Prompt
from server.engine.sampling import Sampling
from server.engine.sequence import Job
from server.protocol.completions import CompletionRequest
from server.protocol.errors import InvalidRequest, ModelNotFound, NotSupported
from server.protocol.json_schema import unfollowed
from server.protocol.sampling import PredictedPart, Prediction, SamplingFields

MAX_ENTRIES = 8_000_000
"""Log-probabilities in one answer, alternatives counted: about 100 MB of JSON."""
MIN_XTC_THRESHOLD = 1e-37
"""Above 0, lest XTC counts tokens that cannot come (bans, top-n-sigma) among those that are likely enough."""


def check_model(name: str | None, served: Served) -> None:
    """Raise :class:`ModelNotFound` for another model than the one served."""
    if name is not None and name != served.id:
        shown = name if len(name) <= 100 else f"{name[:100]}..."
        raise ModelNotFound(f"The model '{shown}' is not served here; this server serves '{served.id}'.", param="model")


def check_count(n: int, served: Served) -> None:
    """Raise for more completions than may ever wait."""
    if n > served.engine.max_waiting:
        raise InvalidRequest(
            f"The request asks for {n} completions, more than the {served.engine.max_waiting} that may wait.", param="n"
        )


def read_sampling(request: SamplingFields, served: Served) -> Sampling:
    """The sampler's parameters; its seed is the first completion's.

    Raises:
        InvalidRequest: token ids out of range, or a grammar that llama.cpp does not understand.
        NotSupported: a grammar, where the operator has not allowed them.
    """
    check_ids(request.logit_bias, served.engine.model, "logit_bias")
    written_otherwise: dict[str, Any] = {
        "top_k": max(request.top_k, 0),
        "xtc_threshold": max(request.xtc_threshold, MIN_XTC_THRESHOLD),
        "dry_sequence_breakers": tuple(request.dry_sequence_breakers),
        "logit_bias": tuple(request.logit_bias.items()),
        "grammar": _read_grammar(request, served),
        "seed": request.seed if request.seed is not None else secrets.randbits(31),
    }
    # All others are the request's own fields, by the same names.
    same = {
        field.name: getattr(request, field.name) for field in fields(Sampling) if field.name not in written_otherwise
    }
    return Sampling(**same, **written_otherwise)


def _read_grammar(request: SamplingFields, served: Served) -> str:
    schema = request.json_schema if request.json_schema is not None else request.wanted_schema
    if schema is None and not request.grammar:
        return ""
    field = "grammar" if request.grammar else "response_format" if request.json_schema is None else "json_schema"
    if not served.settings.allow_grammars:
        raise NotSupported(
            f"'{field}' is off on this server, because some grammars take very long; its operator can turn it on "
            "with --allow-grammars.",
            param=field,
        )
    try:
        keyword = unfollowed(schema)
    except RecursionError:
        raise InvalidRequest(f"'{field}' is nested too deeply.", param=field) from None
    if keyword is not None:
        raise NotSupported(
            f"'{field}' has a schema whose '{keyword:.50}' cannot be followed; leave it out.", param=field
        )
    try:
        return read_grammar(served.engine.model, request.grammar, schema)
    except BadGrammar:
        raise InvalidRequest(f"'{field}' is nothing that llama.cpp can follow.", param=field) from None


def read_prediction(prediction: Prediction | None, served: Served) -> tuple[int, ...]:
    """The tokens of what is predicted.

    Raises:
        InvalidRequest: a token id is none of the model's, or the text is too long.
    """
    if prediction is None:
        return ()
    model, content = served.engine.model, prediction.content
    ids = [part for part in content if isinstance(part, int)] if isinstance(content, list) else []
    if ids:
        check_ids(ids, model, "prediction")
        return tuple(ids)
    text = (
        content
        if isinstance(content, str)
        else "".join(part.text for part in content if isinstance(part, PredictedPart))
    )
    check_bytes(text, "prediction")
    if model.adds_spaces:  # it puts one before any text, and a completion's first word has its own
        text = text.removeprefix(" ")
    return tuple(model.tokenize(text, parse_special=False))


def completion_jobs(request: CompletionRequest, prompts: list[Prompt], served: Served) -> list[Job]:
    """The jobs of a completion request."""
    ranks_itself = request.candidates > request.n
    wanted = (request.logprobs, request.prompt_logprobs, 0 if ranks_itself else None)
    return make_jobs(
        request,
        prompts,
        served,
        candidates=request.candidates,
        score_from=(lambda prompt: _first_scored(request, prompt, served)) if request.scores_prompt else None,
        top_k=max((k for k in wanted if k is not None), default=None),
    )


def _first_scored(request: CompletionRequest, prompt: Prompt, served: Served) -> int:
    """The later of what the request's two fields say; the first token of all is never scored."""
    offset = request.logprob_start_offset
    beyond = prompt.first_beyond(served.engine.model, offset) if offset else 0
    return max(request.logprob_start_len, beyond, 1)


def make_jobs(
    request: SamplingFields,
    prompts: list[Prompt],
    served: Served,
    *,
    candidates: int,
    score_from: Callable[[Prompt], int] | None,
    top_k: int | None,
) -> list[Job]:
    """One job a candidate, those of one prompt together; candidate *j* draws with seed + *j*.

    Args:
        request: how to draw, and when to stop.
        prompts: what to complete.
        served: the model.
        candidates: completions of each prompt.
        score_from: which of the tokens that the client knows of is the first to be scored; None: none is.
        top_k: alternatives to each scored token; None: no log-probabilities.
    """
    sampling = read_sampling(request, served)
    draft = read_prediction(request.prediction, served)
    firsts = [None if score_from is None else score_from(prompt) for prompt in prompts]
    jobs = [
        Job(
            prompt=prompt.tokens,
            max_tokens=max(0, min(request.limit, served.engine.context_size - len(prompt.tokens))),
            score_from=None if first is None else prompt.hidden + first,
            top_k=top_k,
            sampling=sampling if j == 0 else replace(sampling, seed=sampling.seed + j),
            stops=tuple(request.stop),
            cache=(request.cache_salt or "") if request.cache_prompt else None,
            draft=draft,
        )
        for prompt, first in zip(prompts, firsts, strict=True)
        for j in range(candidates)
    ]
    entries = sum(job.entries for job in jobs)
    if entries > MAX_ENTRIES:
        raise InvalidRequest(
            f"The answer could have {entries:,} log-probabilities, and may have {MAX_ENTRIES:,}; ask for fewer "
            "prompts, tokens or alternatives at once.",
            param="logprobs",
        )
    return jobs
