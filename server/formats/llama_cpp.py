"""llama.cpp's own response fields, sent beside OpenAI's (llama.cpp pull request 10627 named them)."""

from __future__ import annotations

from typing import Any

from server.engine.prompt import Prompt
from server.engine.sequence import Result
from server.protocol.completions import CompletionRequest


def extension_fields(
    request: CompletionRequest, prompt: Prompt, result: Result, text: str, model_id: str, n_ctx: int
) -> dict[str, Any]:
    """What llama.cpp reports of one completion. Times are milliseconds, rates are tokens per second."""
    evaluated = len(prompt.tokens) - result.reused
    return {
        "id_slot": result.slot,
        "tokens_predicted": len(result.completion),
        "tokens_evaluated": len(prompt.tokens),
        "tokens_cached": len(prompt.tokens) + max(len(result.completion) - 1, 0),
        "generation_settings": {
            "n_ctx": n_ctx,
            "n_predict": request.max_tokens,
            "model": model_id,
            "seed": result.job.seed,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": request.stop,
            "max_tokens": result.job.max_tokens,
            "n_probs": request.logprobs or 0,
            "stream": False,
            "samplers": ["top_p", "temperature"] if request.temperature > 0 else [],
        },
        "has_new_line": "\n" in text,
        "truncated": False,
        "stopped_eos": result.finish_reason == "stop" and result.stop is None,
        "stopped_word": result.stop is not None,
        "stopped_limit": result.finish_reason == "length",
        "stopping_word": result.stop or "",
        "timings": _timings(result, evaluated),
    }


def _timings(result: Result, evaluated: int) -> dict[str, float]:
    """Prompt and generation apart; a prompt that is only scored ends when the result does."""
    times = result.timings
    prompt_done = times.prompt_done or times.finished
    predicted = len(result.completion)
    return {
        **_rate("prompt", evaluated, prompt_done - times.admitted),
        **_rate("predicted", predicted, times.finished - prompt_done),
        "cache_n": result.reused,
    }


def _rate(name: str, n: int, seconds: float) -> dict[str, float]:
    return {
        f"{name}_n": n,
        f"{name}_ms": 1000 * seconds,
        f"{name}_per_token_ms": 1000 * seconds / n if n else 0.0,
        f"{name}_per_second": n / seconds if seconds > 0 else 0.0,
    }
