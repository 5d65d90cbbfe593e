"""llama.cpp's own response: its fields beside OpenAI's (llama.cpp pull request 10627 named them), or alone."""

from __future__ import annotations

from typing import Any

from server.engine.llama import Model
from server.engine.sampling import Sampling
from server.engine.sequence import Job, Result
from server.engine.text import token_name
from server.formats.transcript import Entry, Piece
from server.protocol.completions import CompletionRequest
from server.protocol.sampling import SamplingFields


def settings_in_effect(job: Job, request: SamplingFields, model_id: str, n_ctx: int) -> dict[str, Any]:
    """``generation_settings``: every parameter as it was used, under the names of then and now."""
    s = job.sampling
    return {
        "n_ctx": n_ctx,
        "n_predict": job.max_tokens,
        "model": model_id,
        "seed": s.seed,
        "seed_cur": s.seed,
        "temperature": s.temperature,
        "dynatemp_range": s.dynatemp_range,
        "dynatemp_exponent": s.dynatemp_exponent,
        "top_k": s.top_k,
        "top_p": s.top_p,
        "min_p": s.min_p,
        "top_n_sigma": s.top_n_sigma,
        "xtc_probability": s.xtc_probability,
        "xtc_threshold": s.xtc_threshold,
        "typical_p": s.typical_p,
        "repeat_last_n": s.repeat_last_n,
        "repeat_penalty": s.repeat_penalty,
        "presence_penalty": s.presence_penalty,
        "frequency_penalty": s.frequency_penalty,
        "dry_multiplier": s.dry_multiplier,
        "dry_base": s.dry_base,
        "dry_allowed_length": s.dry_allowed_length,
        "dry_penalty_last_n": s.dry_penalty_last_n,
        "dry_sequence_breakers": list(s.dry_sequence_breakers),
        "mirostat": s.mirostat,
        "mirostat_tau": s.mirostat_tau,
        "mirostat_eta": s.mirostat_eta,
        "stop": list(job.stops),
        "max_tokens": job.max_tokens,
        "n_keep": 0,
        "n_discard": 0,
        "ignore_eos": s.ignore_eos,
        "min_tokens": s.min_tokens,
        "stream": request.stream,
        "logit_bias": [[token, max(bias, -100.0)] for token, bias in s.logit_bias],
        "n_probs": job.top_k or 0,
        "min_keep": s.min_keep,
        "grammar": s.grammar,
        "samplers": _samplers(s),
        "timings_per_token": False,
    }


def _samplers(s: Sampling) -> list[str]:
    """What the chain does, in its order; what would change nothing is not in it."""
    links = {
        "penalties": s.penalizes,
        "dry": s.dry_multiplier > 0,
        "top_n_sigma": s.top_n_sigma > 0,
        "top_k": s.top_k > 0,
        "typ_p": s.typical_p < 1,
        "top_p": s.top_p < 1,
        "min_p": s.min_p > 0,
        "xtc": s.xtc_probability > 0,
        "temperature": s.temperature != 1,
    }
    return [name for name, used in links.items() if used]


def extension_fields(
    job: Job, result: Result, request: SamplingFields, text: str, model_id: str, n_ctx: int
) -> dict[str, Any]:
    """What llama.cpp reports of one completion. Times are milliseconds, rates are tokens per second."""
    word = result.stop is not None
    limit = result.finish_reason == "length"
    return {
        "id_slot": result.slot,
        "tokens_predicted": len(result.completion),
        "tokens_evaluated": len(job.prompt),
        "tokens_cached": len(job.prompt) + max(len(result.completion) - 1, 0),
        "generation_settings": settings_in_effect(job, request, model_id, n_ctx),
        "has_new_line": "\n" in text,
        "truncated": False,
        "stop_type": "limit" if limit else "word" if word else "eos",
        "stopped_eos": not limit and not word,
        "stopped_word": word,
        "stopped_limit": limit,
        "stopping_word": result.stop or "",
        "timings": timings(result),
    }


def native(index: int, request: CompletionRequest, model: Model, piece: Piece) -> dict[str, Any]:
    """A piece of a completion in llama.cpp's own format; the last one gets :func:`extension_fields` too."""
    answer: dict[str, Any] = {
        "index": index,
        "content": (piece.prompt_text or "") + piece.text if request.echo else piece.text,
        "tokens": [entry.token for entry in piece.entries] if request.return_tokens else [],
        "stop": piece.result is not None,
    }
    if request.logprobs:
        entries = [*(piece.prompt_entries if request.echo else []), *piece.entries]
        answer["completion_probabilities"] = [_probabilities(entry, request.logprobs, model) for entry in entries]
    return answer


def _probabilities(entry: Entry, k: int, model: Model) -> dict[str, Any]:
    top = [_token(model, token, logprob) for token, logprob in entry.top[:k]]
    return {**_token(model, entry.token, entry.logprob), "top_logprobs": top}


def _token(model: Model, token: int, logprob: float | None) -> dict[str, Any]:
    piece = model.piece(token)
    return {"id": token, "token": token_name(piece), "bytes": list(piece), "logprob": logprob}


def timings(result: Result) -> dict[str, float]:
    """Prompt and generation apart, in milliseconds; a prompt that is only scored ends when the result does."""
    evaluated = len(result.job.prompt) - result.reused
    times = result.timings
    prompt_done = times.prompt_done or times.finished
    return {
        "cache_n": result.reused,
        **_rate("prompt", evaluated, prompt_done - times.admitted),
        **_rate("predicted", len(result.completion), times.finished - prompt_done),
    }


def _rate(name: str, n: int, seconds: float) -> dict[str, float]:
    return {
        f"{name}_n": n,
        f"{name}_ms": 1000 * seconds,
        f"{name}_per_token_ms": 1000 * seconds / n if n else 0.0,
        f"{name}_per_second": n / seconds if seconds > 0 else 0.0,
    }
