from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from harness.errors import RunError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.gguf_facts import read_facts
from harness.serving.endpoint import SELF_TEST_PROMPT, Endpoint
from harness.serving.process import ServerProcess
from harness.types import Request

TOKENS = ["One", " two", " three", ",", " one two three", "."]
SCORES = [None, -1.5, -0.5, -2.0, -3.0, -0.25]

Choice = dict[str, Any]
Reply = Callable[[int], tuple[int, str]]
"""Status and body of the nth answer, counted from 0."""


def right(**changes: Any) -> Choice:
    """The choice of a server that echoes and scores the self-test prompt rightly, with something changed."""
    offsets = [sum(map(len, TOKENS[:i])) for i in range(len(TOKENS))]
    logprobs = {"tokens": TOKENS, "token_logprobs": SCORES, "text_offset": offsets, "top_logprobs": None}
    choice: Choice = {"index": 0, "text": SELF_TEST_PROMPT, "finish_reason": "length", "logprobs": logprobs}
    for key, value in changes.items():
        (choice if key in choice else logprobs)[key] = value
    return choice


def reply(*choices: Choice) -> Reply:
    """Always the same answer."""
    body = {"id": "c", "object": "text_completion", "created": 0, "model": "m", "choices": choices}
    return lambda _count: (200, json.dumps(body))


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], Endpoint]]:
    """An endpoint on a small server that answers every request by a function."""
    started: list[tuple[ThreadingHTTPServer, Endpoint]] = []

    def start(answer: Reply) -> Endpoint:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = answer(len(asked) - 1)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        asked: list[dict[str, Any]] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "m")
        started.append((server, endpoint))
        return endpoint

    yield start
    for server, endpoint in started:
        endpoint.__exit__(None, None, None)
        server.shutdown()
        server.server_close()


ECHO = r"cannot be used for scoring: it "
LACKS = "returned no log-probability for some of the tokens"
DEFECTS = {
    "echo ignored": (
        right(text="", tokens=[], token_logprobs=[], text_offset=[]),
        ECHO + "echoes the prompt as ''",
    ),
    "prompt and more": (right(text=SELF_TEST_PROMPT + " four"), ECHO + "echoes the prompt as 'One .* four'"),
    "beginning mark shown": (right(text="<s>" + SELF_TEST_PROMPT), ECHO + "echoes the prompt as '<s>One"),
    "off by one": (right(token_logprobs=[*SCORES[1:], None]), LACKS),
    "off by one, and a number for the last": (
        right(token_logprobs=[*SCORES[1:], -1.0]),
        ECHO + "gives the first token a log-probability, although nothing precedes it",
    ),
    "a number for the first": (
        right(token_logprobs=[-9.0, *SCORES[1:]]),
        ECHO + "gives the first token a log-probability, although nothing precedes it",
    ),
    "zeros": (right(token_logprobs=[None] + [0.0] * 5), ECHO + "returns zero for every log-probability"),
    "probabilities": (right(token_logprobs=[None] + [0.5] * 5), ECHO + "returns something else than log-prob"),
    "a null inside": (right(token_logprobs=[None, -1.0, None, -1.0, -1.0, -1.0]), LACKS),
    "a token too few": (right(token_logprobs=SCORES[:-1]), "returned arrays of different lengths for one completion"),
    "no offsets": (right(text_offset=None), "returned arrays of different lengths for one completion"),
    "one token only": (
        right(tokens=[SELF_TEST_PROMPT], token_logprobs=[None], text_offset=[0]),
        ECHO + "does not return one log-probability and one offset",
    ),
    "no log-probabilities": (right(logprobs=None), "returned no log-probabilities, although they were asked for"),
}


@pytest.mark.parametrize(("choice", "said"), DEFECTS.values(), ids=DEFECTS)
def test_an_endpoint_that_would_score_wrongly_is_refused(
    choice: Choice, said: str, serve: Callable[[Reply], Endpoint]
) -> None:
    with pytest.raises(RunError, match=f"^The endpoint of m {said}"):
        serve(reply(choice)).self_test()


@pytest.mark.parametrize("count", [0, 2])
def test_as_many_choices_as_prompts_are_expected(count: int, serve: Callable[[Reply], Endpoint]) -> None:
    with pytest.raises(RunError, match=rf"^The endpoint of m returned {count} choices for 1 prompts\.$"):
        serve(reply(*[right()] * count)).self_test()


def test_scores_must_repeat(serve: Callable[[Reply], Endpoint]) -> None:
    def answer(count: int) -> tuple[int, str]:
        return reply(right(token_logprobs=[None, *(score - count for score in SCORES[1:])]))(count)

    with pytest.raises(RunError, match=r"^The endpoint of m cannot be .*: it does not repeat its own scores\.$"):
        serve(answer).self_test()


def test_a_failing_endpoint_is_told_with_its_own_words(serve: Callable[[Reply], Endpoint]) -> None:
    body = json.dumps({"error": {"message": "the cat sat on it", "type": "server_error"}})
    with pytest.raises(RunError, match=r"^The endpoint of m failed: .*500.*the cat sat on it"):
        serve(lambda _count: (500, body)).self_test()


def test_a_passing_failure_is_tried_again(serve: Callable[[Reply], Endpoint]) -> None:
    serve(lambda count: (503, "{}") if count == 0 else reply(right())(count)).self_test()


def test_an_endpoint_that_does_it_right_passes(serve: Callable[[Reply], Endpoint]) -> None:
    serve(reply(right())).self_test()


def test_a_failure_while_trying_for_size_is_told_as_well(serve: Callable[[Reply], Endpoint]) -> None:
    # The small server knows no GET at all.
    with pytest.raises(RunError, match=r"^The endpoint of m failed: .*501"):
        serve(reply(right())).fits(Request(("a",), max_tokens=1))


@pytest.mark.parametrize(
    ("words", "answer", "fits"),
    [(0.01, 0.01, True), (0.5, 0, True), (0.97, 9, False), (9, 0, False)],
)
def test_what_fits_the_context(words: float, answer: float, fits: bool, endpoint: Endpoint) -> None:
    context = min(read_facts(BUNDLED_MODEL).context_length, 4096)
    prompt = "a" + " b" * round(context * words)  # a token a word
    assert endpoint.fits(Request((prompt,), max_tokens=round(context * answer), echo=answer == 0)) == fits


def test_one_prompt_that_does_not_fit_is_enough(endpoint: Endpoint) -> None:
    assert not endpoint.fits(Request(("a", "a" + " b" * 9000, "a"), max_tokens=0, echo=True))


def test_choices_come_in_the_order_of_their_prompts(serve: Callable[[Reply], Endpoint]) -> None:
    backwards = reply(right(index=1, text="second"), right(index=0, text="first"))
    found = serve(backwards).complete(Request(("a", "b"), max_tokens=0, echo=True))
    assert [completion.text for completion in found] == ["first", "second"]


def test_an_endpoint_that_is_not_there() -> None:
    with (
        Endpoint("http://127.0.0.1:9/v1", "m") as endpoint,
        pytest.raises(RunError, match=r"^The endpoint of m could not be reached: "),
    ):
        endpoint.self_test()


def test_the_process_behind_a_silent_endpoint_is_asked_first() -> None:
    def alive() -> None:
        raise RunError("it was killed")

    with (
        Endpoint("http://127.0.0.1:9/v1", "m", alive=alive) as endpoint,
        pytest.raises(RunError, match=r"^it was killed$"),
    ):
        endpoint.self_test()


def test_proxies_are_not_for_the_loopback_address(served: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Endpoint(served.base_url, "world") as endpoint:
        endpoint.self_test()


def test_the_real_server_passes(endpoint: Endpoint) -> None:
    endpoint.self_test()


def test_the_real_server_scores_several_prompts_at_once(endpoint: Endpoint) -> None:
    prompts = ("One two three.", "One two four.")
    found = endpoint.complete(Request(prompts, max_tokens=0, echo=True))
    assert tuple(completion.text for completion in found) == prompts
    for completion in found:
        assert completion.token_logprobs[0] is None
        assert all(value is not None and value <= 0 for value in completion.token_logprobs[1:])
        ends = (*completion.text_offset[1:], len(completion.text))
        pieces = [completion.text[a:b] for a, b in zip(completion.text_offset, ends, strict=True)]
        assert pieces == list(completion.tokens)


def test_the_real_server_stops_at_the_end_of_the_line(endpoint: Endpoint) -> None:
    (found,) = endpoint.complete(Request(("Question: What is 1 + 2?\nAnswer:",), max_tokens=3, stop=("\n",)))
    assert "\n" not in found.text
    assert len(found.tokens) == len(found.token_logprobs) == len(found.text_offset) <= 3
    assert found.finish_reason in ("stop", "length")
