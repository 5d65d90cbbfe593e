"""Requests that are timed from the client's side, and the memory that a server says it took."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import openai
from prometheus_client.parser import text_string_to_metric_families

from harness.errors import RunError
from harness.serving.wire import Chunk

_EVENT = "data: "
_GAUGES = ("process_max_resident_memory_bytes", "quant:gpu_memory_used_bytes", "quant:gpu_memory_free_bytes")


class Timed(NamedTuple):
    """One completion that was streamed. Seconds."""

    first: float
    """From sending the request to having its first token."""
    rest: float
    """From there to the last token."""
    n_rest: int
    """Tokens that came after the first piece."""


class Memory(NamedTuple):
    """Bytes that a server took; NaN where it does not say."""

    resident: float
    """The most that was ever resident in main memory."""
    gpu: float
    gpu_free: float


def stream(client: openai.OpenAI, model: str, prompt: Sequence[int], max_tokens: int) -> Timed:
    """Have ``max_tokens`` tokens generated after a prompt that no cache is to know, and take the times.

    Nothing is parsed before the last token is there: on a machine without cores to spare that would slow the server.

    Raises:
        RunError: the endpoint broke off, or generated nothing.
    """
    begin = time.perf_counter()
    with client.completions.with_streaming_response.create(
        model=model,
        prompt=list(prompt),
        max_tokens=max_tokens,
        temperature=0,
        stream=True,
        # Each is an extension that others than our own server know too, or leave alone.
        extra_body={"ignore_eos": True, "cache_prompt": False, "return_token_ids": True},
    ) as response:
        lines = [(time.perf_counter(), line) for line in response.iter_lines()]
    events = [(at, line.removeprefix(_EVENT)) for at, line in lines if line.startswith(_EVENT)]
    pieces = [(at, n) for at, event in events if event != "[DONE]" and (n := _tokens(event, model))]
    if not pieces:
        raise RunError(f"The endpoint of {model} generated nothing, so it cannot be timed.")
    (first, _), (last, _) = pieces[0], pieces[-1]
    return Timed(first - begin, last - first, sum(n for _, n in pieces[1:]))


def _tokens(event: str, model: str) -> int:
    """Tokens of one event; where the endpoint names none, a piece of text is taken for one."""
    body = json.loads(event)
    if isinstance(body, dict) and "error" in body:
        raise RunError(f"The endpoint of {model} broke off: {body['error']}")
    choices = Chunk.model_validate(body).choices
    return sum(len(choice.token_ids) if choice.token_ids is not None else bool(choice.text) for choice in choices)


def read_memory(client: openai.OpenAI) -> Memory:
    """What the server's page of metrics says of memory; nothing where it has no such page."""
    try:
        page = client.get(str(client.base_url.join("../metrics")), cast_to=str)
        families = list(text_string_to_metric_families(page))
    except (openai.APIStatusError, ValueError):  # refused; or a page of something else
        families = []
    found = {sample.name: sample.value for family in families for sample in family.samples}
    return Memory(*(found.get(name, math.nan) for name in _GAUGES))
