from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import psutil
import pytest

from harness.errors import RunError
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.serving.timing import Memory, read_memory, stream

PROMPT = [1, 2, 3]


def client_of(*, events: list[Any] = [], page: str | None = None) -> openai.OpenAI:  # noqa: B006 # only read
    """A client of an endpoint that sends these events, and this page of metrics."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
            return httpx.Response(200, text="".join(lines), headers={"content-type": "text/event-stream"})
        assert request.url.path == "/metrics"
        return httpx.Response(404) if page is None else httpx.Response(200, text=page)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none", http_client=http, max_retries=0)


@pytest.fixture(params=[{}, {"token_ids": [7, 8]}], ids=["text", "ids"])
def piece(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"text": "ab", **request.param}


def test_all_tokens_are_timed(endpoint: Endpoint) -> None:
    begin = time.perf_counter()
    timed = endpoint.time([*endpoint.bos, *endpoint.tokenize("A town by the sea")], 40)
    seconds = time.perf_counter() - begin
    assert timed.first > 0
    assert timed.rest > 0
    assert timed.first + timed.rest <= seconds
    assert 30 <= timed.n_rest <= 39  # a slow reader finds more than one token in the first piece


def test_one_token_has_no_rest(endpoint: Endpoint) -> None:
    timed = endpoint.time(endpoint.tokenize("A town"), 1)
    assert (timed.rest, timed.n_rest) == (0, 0)


def test_no_cache_answers(served: ServerProcess, endpoint: Endpoint) -> None:
    prompt = endpoint.tokenize("The same words again and again") * 4

    def reused() -> float:
        page = httpx.get(served.base_url.removesuffix("/v1") + "/metrics", trust_env=False).text
        return float(
            next(line for line in page.splitlines() if line.startswith("vllm:prefix_cache_hits_total")).split()[1]
        )

    before = reused()
    for _ in range(3):
        endpoint.time(prompt, 1)
    assert reused() == before


def test_pieces_without_tokens_are_none(piece: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"text": "", "token_ids": []} if "token_ids" in piece else {"text": ""}
    events = [{"choices": [nothing]}, {"choices": [piece]}, {"choices": [piece]}, {"choices": [nothing]}]
    with client_of(events=[*events, {"choices": []}, "[DONE]"]) as client:
        timed = stream(client, "m", PROMPT, 9)
    assert timed.n_rest == (2 if "token_ids" in piece else 1)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (["[DONE]"], r"^The endpoint of m generated nothing, so it cannot be timed\.$"),
        ([{"choices": [{"text": "a"}]}, {"error": {"message": "no room"}}], r"^The endpoint of m broke off: .*no room"),
    ],
    ids=["nothing", "error"],
)
def test_streams_that_cannot_be_timed(events: list[Any], said: str) -> None:
    with client_of(events=events) as client, pytest.raises(RunError, match=said):
        stream(client, "m", PROMPT, 9)


@pytest.mark.parametrize("event", ["{", '{"choices": 3}'], ids=["broken", "other"])
def test_events_that_are_no_pieces_are_told(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint("http://127.0.0.1:1/v1", "m") as endpoint, client_of(events=[event]) as client:
        monkeypatch.setattr(endpoint._transport, "client", client)
        with pytest.raises(RunError, match=r"^The endpoint of m answered "):
            endpoint.time(PROMPT, 9)


def test_a_stream_that_breaks_off_is_told(breaking: Callable[[int], str]) -> None:
    with Endpoint(breaking(1), "m") as endpoint:
        assert endpoint.time(PROMPT, 1).n_rest == 0
        with pytest.raises(RunError, match=r"^The endpoint of m broke off: peer closed connection"):
            endpoint.time(PROMPT, 1)


def test_and_the_process_behind_it_is_asked_first(breaking: Callable[[int], str]) -> None:
    def alive() -> None:
        raise RunError("it was killed")

    with Endpoint(breaking(0), "m", alive=alive) as endpoint, pytest.raises(RunError, match=r"^it was killed$"):
        endpoint.time(PROMPT, 1)


def test_memory_is_what_the_server_says(served: ServerProcess, endpoint: Endpoint) -> None:
    memory = endpoint.memory()
    resident = psutil.Process(served.pid).memory_info().rss
    assert 0.98 * resident <= memory.resident < 8 << 30
    assert memory.gpu >= 0


def numbers(memory: Memory) -> Iterator[float]:
    return (-1 if math.isnan(value) else value for value in memory)


def test_servers_that_refuse_or_show_something_else() -> None:
    refusing = httpx.MockTransport(lambda _request: httpx.Response(501, json={"error": {"message": "no metrics"}}))
    with (
        openai.OpenAI(
            base_url="http://h/v1", api_key="none", http_client=httpx.Client(transport=refusing), max_retries=0
        ) as none,
        client_of(page="<html>{not metrics") as other,
    ):
        assert list(numbers(read_memory(none))) == list(numbers(read_memory(other))) == [-1, -1, -1]


def test_servers_that_say_nothing_of_memory() -> None:
    with client_of() as none, client_of(page="# HELP a b\na 1\nquant:gpu_memory_free_bytes 7\n") as some:
        assert list(numbers(read_memory(none))) == [-1, -1, -1]
        assert list(numbers(read_memory(some))) == [-1, -1, 7]
