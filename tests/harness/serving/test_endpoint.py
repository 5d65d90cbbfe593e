from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from harness.errors import HarnessError, RunError, UserError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.models.gguf_facts import read_facts
from harness.serving.address import read_url
from harness.serving.echo import ECHO_PROMPT
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.serving.transport import Transport
from harness.types import Prompt, Request

TOKENS = ["One", " two", " three", ",", " one two three", "."]
SCORES = [None, -1.5, -0.5, -2.0, -3.0, -0.25]

Choice = dict[str, Any]
Reply = Callable[[int], tuple[int, str]]
"""Status and body of the nth answer, counted from 0."""


def right(**changes: Any) -> Choice:
    """The choice of a server that echoes and scores the self-test prompt rightly, with something changed."""
    offsets = [sum(map(len, TOKENS[:i])) for i in range(len(TOKENS))]
    logprobs = {"tokens": TOKENS, "token_logprobs": SCORES, "text_offset": offsets, "top_logprobs": None}
    choice: Choice = {"index": 0, "text": ECHO_PROMPT, "finish_reason": "length", "logprobs": logprobs}
    for key, value in changes.items():
        (choice if key in choice else logprobs)[key] = value
    return choice


def late() -> Choice:
    """The choice of a server that leaves out the scores of a context, which is ``One two three,``."""
    return right(token_logprobs=[*[None] * 4, *SCORES[4:]])


def reply(*choices: Choice) -> Reply:
    """Always the same answer."""
    body = {"id": "c", "object": "text_completion", "created": 0, "model": "m", "choices": choices}
    return lambda _count: (200, json.dumps(body))


def silent(_count: int) -> tuple[int, str]:
    """A server that does not know completions."""
    return 404, "{}"


class StandIn(NamedTuple):
    """An endpoint, and the requests that it has sent."""

    endpoint: Endpoint
    asked: list[dict[str, Any]]
    headers: list[dict[str, str]]


Start = Callable[..., StandIn]


@pytest.fixture
def stand_in() -> Iterator[Start]:
    """An endpoint on a small server.

    It answers completions by a function; and what else is asked by the end of a path, with a body or a function. All
    others are not there. ``key``, ``has_logprobs`` and ``assumed_context`` are the endpoint's.
    """
    started: list[tuple[ThreadingHTTPServer, Endpoint]] = []

    def start(answer: Reply = silent, **more: Any) -> StandIn:
        options = {name: more.pop(name) for name in ("key", "has_logprobs", "assumed_context") if name in more}
        routes: dict[str, Any] = more

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.path.endswith("/completions"):
                    self.respond_with(body)
                    return
                asked.append(body)
                headers.append({name.lower(): value for name, value in self.headers.items()})
                self.respond(*answer(len(asked) - 1))

            def do_GET(self) -> None:
                self.respond_with({})

            def respond_with(self, asked: dict[str, Any]) -> None:
                body = next((body for end, body in routes.items() if self.path.endswith(end)), None)
                body = body(asked) if callable(body) else body
                self.respond(404 if body is None else 200, body or '{"error": {"message": "Not Found"}}')

            def respond(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if body.startswith("<") else "application/json")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        asked: list[dict[str, Any]] = []
        headers: list[dict[str, str]] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "m", **options)
        started.append((server, endpoint))
        return StandIn(endpoint, asked, headers)

    yield start
    for server, endpoint in started:
        endpoint.__exit__(None, None, None)
        server.shutdown()
        server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints that try but once."""
    monkeypatch.setattr("harness.serving.transport.RETRIES", 0)


@pytest.fixture
def serve(stand_in: Start) -> Callable[[Reply], Endpoint]:
    """An endpoint that answers completions by a function."""
    return lambda answer: stand_in(answer).endpoint


def echoed(*texts: str) -> Request:
    """Texts to be scored whole."""
    return Request(tuple(Prompt("", text) for text in texts), max_tokens=0, echo=True)


CANNOT = r"cannot be used for scoring: it "
OTHER = "echoed something else than the prompt"
LACKS = "returned no log-probability for some of the tokens"
DEFECTS = {
    "echo ignored": (
        right(text="", tokens=[], token_logprobs=[], text_offset=[]),
        OTHER,
    ),
    "prompt and more": (right(text=ECHO_PROMPT + " four"), CANNOT + "echoes the prompt as 'One .* four'"),
    "beginning mark shown": (right(text="<s>" + ECHO_PROMPT), OTHER),
    "off by one": (right(token_logprobs=[*SCORES[1:], None]), LACKS),
    "off by one, and a number for the last": (
        right(token_logprobs=[*SCORES[1:], -1.0]),
        CANNOT + "gives the first token a log-probability, although nothing precedes it",
    ),
    "a number for the first": (
        right(token_logprobs=[-9.0, *SCORES[1:]]),
        CANNOT + "gives the first token a log-probability, although nothing precedes it",
    ),
    "zeros": (right(token_logprobs=[None] + [0.0] * 5), CANNOT + "returns zero for every log-probability"),
    "probabilities": (right(token_logprobs=[None] + [0.5] * 5), CANNOT + "returns something else than log-prob"),
    "a null inside": (right(token_logprobs=[None, -1.0, None, -1.0, -1.0, -1.0]), LACKS),
    "a token too few": (right(token_logprobs=SCORES[:-1]), "returned arrays of different lengths for one completion"),
    "no offsets": (right(text_offset=None), "returned arrays of different lengths for one completion"),
    "one token only": (
        right(tokens=[ECHO_PROMPT], token_logprobs=[None], text_offset=[0]),
        CANNOT + "does not return one log-probability and one offset",
    ),
    "no log-probabilities": (right(logprobs=None), "returned no log-probabilities, although they were asked for"),
}


@pytest.mark.parametrize(("choice", "said"), DEFECTS.values(), ids=DEFECTS)
def test_an_endpoint_that_would_score_wrongly_is_refused(
    choice: Choice, said: str, serve: Callable[[Reply], Endpoint]
) -> None:
    with pytest.raises(RunError, match=f"^The endpoint of m {said}"):
        serve(reply(choice)).self_test()


def bos_of(*ids: int) -> dict[str, Callable[[dict[str, Any]], str] | str]:
    """Tokenizer routes of an endpoint that puts these before a text."""

    def tokenize(body: dict[str, Any]) -> str:
        begin = list(ids) if body.get("add_special_tokens") else []
        return json.dumps({"tokens": begin + list(body.get("prompt", "").encode())})

    return {"/tokenize": tokenize, "/detokenize": '{"prompt": "a"}'}


def test_a_first_token_may_be_scored_where_bos_precedes_it(stand_in: Start) -> None:
    """As some servers do; the doctor takes it too."""
    scored = right(token_logprobs=[-9.0, *SCORES[1:]])
    stand_in(reply(scored), **bos_of(1)).endpoint.self_test()
    with pytest.raises(RunError, match=CANNOT + "gives the first token a log-probability"):
        stand_in(reply(scored), **bos_of()).endpoint.self_test()
    with pytest.raises(RunError, match=CANNOT + "returns something else than log-probabilities"):
        stand_in(reply(right(token_logprobs=[9.0, *SCORES[1:]])), **bos_of(1)).endpoint.self_test()


def of_ids(*ids: int) -> Request:
    """Token ids to be scored whole."""
    return Request((Prompt((), ids),), max_tokens=0, echo=True)


@pytest.mark.parametrize("scored", [echoed("Two"), echoed(ECHO_PROMPT + "."), of_ids(1, 2), of_ids(*range(7))])
def test_an_echo_of_another_prompt_is_not_scored(scored: Request, serve: Callable[[Reply], Endpoint]) -> None:
    with pytest.raises(RunError, match=rf"^The endpoint of m {OTHER}\.$"):
        serve(reply(right())).complete(scored)


def test_an_echo_of_as_many_ids_is_scored(serve: Callable[[Reply], Endpoint]) -> None:
    (found,) = serve(reply(right())).complete(of_ids(*range(6)))
    assert found.token_logprobs == tuple(SCORES)


GENERATE = Request((Prompt("a"),), max_tokens=4)


def test_what_is_generated_needs_no_offsets(serve: Callable[[Reply], Endpoint]) -> None:
    (found,) = serve(reply(right(text_offset=None, token_logprobs=[-1.0, *SCORES[1:]]))).complete(GENERATE)
    assert (found.text, found.tokens, found.text_offset) == (ECHO_PROMPT, tuple(TOKENS), ())


@pytest.mark.parametrize(
    "logprobs", [{"content": [{"token": "One", "logprob": -1.0}]}, {"tokens": [], "token_logprobs": []}, None]
)
def test_a_text_without_tokens_has_no_log_probabilities(logprobs: Any, serve: Callable[[Reply], Endpoint]) -> None:
    with pytest.raises(RunError, match=r"^The endpoint of m returned no log-probabilities, although they were asked"):
        serve(reply(right(logprobs=logprobs))).complete(GENERATE)


def test_nothing_may_be_generated(serve: Callable[[Reply], Endpoint]) -> None:
    (found,) = serve(reply(right(text="", logprobs={"tokens": [], "token_logprobs": []}))).complete(GENERATE)
    assert (found.text, found.tokens, found.has_logprobs) == ("", (), True)


@pytest.mark.parametrize("count", [0, 2])
def test_as_many_choices_as_prompts_are_expected(count: int, serve: Callable[[Reply], Endpoint]) -> None:
    with pytest.raises(RunError, match=rf"^The endpoint of m returned {count} choices for 1 prompts\.$"):
        serve(reply(*[right()] * count)).self_test()


def test_scores_must_repeat(serve: Callable[[Reply], Endpoint]) -> None:
    def answer(count: int) -> tuple[int, str]:
        return reply(right(token_logprobs=[None, *(score - count for score in SCORES[1:])]))(count)

    with pytest.raises(RunError, match=r"^The endpoint of m cannot be .*: it does not repeat its own scores\.$"):
        serve(answer).self_test()


@pytest.mark.usefixtures("impatient")
def test_a_failing_endpoint_is_told_with_its_own_words(serve: Callable[[Reply], Endpoint]) -> None:
    body = json.dumps({"error": {"message": "the cat sat on it", "type": "server_error"}})
    with pytest.raises(RunError, match=r"^The endpoint of m failed: .*500.*the cat sat on it"):
        serve(lambda _count: (500, body)).self_test()


def test_a_passing_failure_is_tried_again(serve: Callable[[Reply], Endpoint]) -> None:
    serve(lambda count: (503, "{}") if count == 0 else reply(right())(count)).self_test()


def test_an_endpoint_that_does_it_right_passes(serve: Callable[[Reply], Endpoint]) -> None:
    serve(reply(right())).self_test()


def test_the_context_is_not_scored_where_the_endpoint_can_leave_it_out(stand_in: Start) -> None:
    served = stand_in(lambda count: reply(late() if count == 2 else right())(count))
    served.endpoint.self_test()
    assert "logprob_start_offset" not in served.asked[0]
    assert 0 < served.asked[2]["logprob_start_offset"] < len(ECHO_PROMPT)
    later = len("One two three,")
    served.endpoint.complete(Request((Prompt(ECHO_PROMPT[:later], ECHO_PROMPT[later:]),), 0, echo=True))
    assert served.asked[3]["logprob_start_offset"] == later
    served.endpoint.complete(Request((Prompt((1, 2, 3, 4), (5, 6)),), 0, echo=True))
    assert served.asked[4]["logprob_start_len"] == 4


def test_prompts_that_share_a_scoredare_scored_from_the_end_of_the_shortest_context(stand_in: Start) -> None:
    def answer(count: int) -> tuple[int, str]:
        return reply(*[[right()], [right()], [late()], [right(), right(index=1)]][count])(count)

    served = stand_in(answer)
    served.endpoint.self_test()
    served.endpoint.complete(Request((Prompt("One two", " three"), Prompt("One", " two")), 0, echo=True))
    assert served.asked[3]["logprob_start_offset"] == 3


@pytest.mark.parametrize("refuses", [False, True])
def test_and_is_scored_where_it_does_not_know_how(refuses: bool, stand_in: Start) -> None:
    def answer(count: int) -> tuple[int, str]:
        return (400, '{"error": {"message": "unknown field"}}') if refuses and count == 2 else reply(right())(count)

    served = stand_in(answer)
    served.endpoint.self_test()
    served.endpoint.complete(Request((Prompt("One two", " three, one two three."),), 0, echo=True))
    assert len(served.asked) == 4
    assert not {"logprob_start_offset", "logprob_start_len"} & served.asked[3].keys()


def test_only_what_is_needed_must_have_scores(serve: Callable[[Reply], Endpoint]) -> None:
    (found,) = serve(reply(late())).complete(Request((Prompt("One two three,", " one two three."),), 0, echo=True))
    assert found.token_logprobs == (*[None] * 4, *SCORES[4:])
    with pytest.raises(RunError, match=LACKS):
        serve(reply(late())).complete(Request((Prompt("One two three", ", one two three."),), 0, echo=True))


def test_an_endpoint_that_is_overloaded_says_so_and_is_asked_again(stand_in: Start) -> None:
    said: list[str] = []
    served = stand_in(lambda count: (429 if count == 0 else 200, reply(right())(count)[1]))
    served.endpoint.on_overload(lambda: said.append("overloaded"))
    served.endpoint.complete(echoed(ECHO_PROMPT))
    assert (said, len(served.asked)) == (["overloaded"], 2)


CARDS = '{"object": "list", "data": [{"id": "l", "max_model_len": 32}, {"id": "m", "max_model_len": 64}]}'
TOKENIZED = '{"tokens": [5, 6, 7], "count": 3}'


def test_what_is_known_of_the_tokenizer(stand_in: Start) -> None:
    endpoint = stand_in(**{"/models": CARDS, "/tokenize": TOKENIZED, "/detokenize": '{"prompt": "a b"}'}).endpoint
    assert endpoint.context == 64
    assert endpoint.tokenize("a b") == endpoint.tokenize_chat("a b") == [5, 6, 7]
    assert endpoint.bos == (5, 6, 7)
    assert endpoint.detokenize([5, 6, 7]) == "a b"


def test_llama_server_is_asked_in_its_own_words(stand_in: Start) -> None:
    """It names its fields otherwise, and applies a chat template elsewhere, without the BOS that comes before it."""

    def tokenize(body: dict[str, Any]) -> str:
        begin = [1] if body.get("add_special") else []
        return json.dumps({"tokens": begin + list(body.get("content", "").encode())})

    def template(body: dict[str, Any]) -> str:
        return json.dumps({"prompt": f"[{body['messages'][0]['content']}]"})

    endpoint = stand_in(
        **{"/tokenize": tokenize, "/detokenize": '{"content": "a"}', "/apply-template": template}
    ).endpoint
    assert (endpoint.tokenize("ab"), endpoint.bos, endpoint.detokenize([97])) == ([97, 98], (1,), "a")
    assert endpoint.tokenize_chat("a") == [1, *b"[a]"]


USES: dict[str, Callable[[Endpoint], object]] = {
    "context": lambda endpoint: endpoint.context,
    "tokenize": lambda endpoint: endpoint.tokenize("a"),
    "detokenize": lambda endpoint: endpoint.detokenize([1]),
    "tokenize_chat": lambda endpoint: endpoint.tokenize_chat("a"),
    "bos": lambda endpoint: endpoint.bos,
}
UNUSABLE = {
    "nothing": None,
    "a page": "<html>Welcome to nginx!</html>",
    "other fields": '{"object": "list"}',
    "fields of other types": '{"data": [{"id": "m", "max_model_len": null}], "tokens": "5 6", "prompt": [1]}',
    "an array": "[]",
    "half an answer": '{"tokens": [1, 2',
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
def test_an_endpoint_without_a_tokenizer_is_refused_in_one_sentence(
    use: Callable[[Endpoint], object], body: str | None, stand_in: Start
) -> None:
    ends = ("/models", "/tokenize", "/detokenize")
    endpoint = stand_in(**({} if body is None else dict.fromkeys(ends, body))).endpoint
    with pytest.raises(HarnessError) as caught:
        use(endpoint)
    said = str(caught.value)
    assert re.match("The endpoint of m (has no tokenizer|does not say how long its context is)", said)
    assert "\n" not in said


def test_a_context_may_be_assumed_where_the_endpoint_does_not_say(stand_in: Start) -> None:
    silent_about_it, telling = stand_in(assumed_context=99), stand_in(assumed_context=99, **{"/models": CARDS})
    assert (silent_about_it.endpoint.context, telling.endpoint.context) == (99, 64)


def test_where_there_is_no_tokenizer_bytes_can_be_counted(stand_in: Start) -> None:
    endpoint = stand_in().endpoint
    endpoint.count_bytes()
    assert (endpoint.tokenize("aé"), endpoint.bos) == ([97, 195, 169], ())
    assert endpoint.detokenize([97, 195, 169, 195]) == "aé\ufffd"
    with pytest.raises(UserError, match=r"^m cannot be asked with --chat, so leave that out: it has no tokenizer"):
        endpoint.tokenize_chat("a")


def test_what_is_generated_may_come_without_log_probabilities(stand_in: Start) -> None:
    served = stand_in(reply(right(logprobs={"content": []})), has_logprobs=False)
    (found,) = served.endpoint.complete(Request((Prompt("a"),), max_tokens=1))
    assert (found.text, found.tokens, found.has_logprobs) == (ECHO_PROMPT, (), False)
    assert served.asked[0]["logprobs"] is None
    with pytest.raises(RunError, match=r"^The endpoint of m returned"):
        served.endpoint.complete(echoed("a"))


def test_a_key_is_sent_and_one_that_is_not_taken_is_told(stand_in: Start) -> None:
    refusal = json.dumps({"error": {"message": "Incorrect API key provided"}})
    served = stand_in(lambda count: (401, refusal) if count == 0 else reply(right())(count), key="open sesame")
    with pytest.raises(UserError, match=r"^The endpoint of m wants a key.*HARNESS_ENDPOINT_KEY.*Incorrect API key"):
        served.endpoint.complete(echoed("a"))
    assert served.headers[0]["authorization"] == "Bearer open sesame"


@pytest.mark.parametrize(("path", "is_told"), [("models", True), ("../tokenize", False)])
def test_what_is_refused_beside_the_api_is_not_offered(path: str, is_told: bool, gatekeeper: str) -> None:
    transport = Transport(read_url(gatekeeper), "m")
    with contextlib.closing(transport):
        if is_told:
            with pytest.raises(UserError, match=r"^The endpoint of m wants a key"):
                transport.ask(path, None)
        else:
            assert transport.ask(path, None) is None


@pytest.fixture
def gatekeeper() -> Iterator[str]:
    """A server that refuses everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_choices_with_the_same_number_are_of_no_prompt(serve: Callable[[Reply], Endpoint]) -> None:
    with pytest.raises(RunError, match=r"^The endpoint of m numbered the choices of 2 prompts 0, 0\.$"):
        serve(reply(right(), right())).complete(echoed("a", "b"))


def test_the_context_is_the_models_own(endpoint: Endpoint) -> None:
    assert endpoint.context == min(read_facts(BUNDLED_MODEL).context_length, 4096)


@pytest.mark.parametrize(("room", "context"), [(None, 2048), (100, 100), (2048, 2048), (99_999, 2048)])
def test_there_is_never_more_room_than_all_models_have(room: int | None, context: int, endpoint: Endpoint) -> None:
    endpoint.room = room
    assert endpoint.context == context


def test_what_fits_the_context_is_answered_and_one_more_token_is_refused(endpoint: Endpoint) -> None:
    prompt = "a" + " b" * 1000
    rest = endpoint.context - len(endpoint.tokenize(prompt)) - len(endpoint.bos)
    # Scored without going on: as long as the context.
    longest = prompt + " b" * rest
    assert len(endpoint.tokenize(longest)) + len(endpoint.bos) == endpoint.context
    endpoint.complete(echoed(longest))
    with pytest.raises(RunError, match=r"^The endpoint of world refused: .*2,?049"):
        endpoint.complete(echoed(longest + " b"))


TEXTS = ["", "One two three.", "Question: What is 1 + 2?\nAnswer:", "  Ö, naïve – 東京 🙂\n\n", "a <s> </s>"]


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_that_a_prompt_gets_and_stand_for_its_text(text: str, endpoint: Endpoint) -> None:
    tokens = endpoint.tokenize(text)
    assert endpoint.detokenize(tokens) == text
    if text:
        (of_text,) = endpoint.complete(echoed(text))
        ids = Prompt(endpoint.bos, tuple(tokens))
        (of_ids,) = endpoint.complete(Request((ids,), 0, echo=True))
        assert len(of_text.tokens) == len(tokens)
        assert of_ids.token_logprobs[-1] == pytest.approx(of_text.token_logprobs[-1], abs=0.02)


def test_bos_is_what_the_server_puts_before_a_prompt(endpoint: Endpoint, specials: Any) -> None:
    assert len(endpoint.bos) == 1
    assert endpoint.bos[0] not in endpoint.tokenize("One two three.")
    assert endpoint.detokenize(list(endpoint.bos)) == specials.bos


def test_a_model_without_a_chat_template_cannot_be_asked_to_chat(endpoint: Endpoint) -> None:
    with pytest.raises(UserError) as caught:
        endpoint.tokenize_chat("Hello")
    assert str(caught.value) == (
        "world cannot be asked with --chat, so leave that out: this model has no chat template."
    )


def test_a_message_goes_into_the_models_chat_template(make_llama: Callable[..., Path], tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    )
    model = make_llama(tmp_path / "chat.gguf", chat_template=template)
    with (
        ServerProcess(model, "chat", ServeConfig(), tmp_path / "log", slots=1) as server,
        Endpoint(server.base_url, "chat") as endpoint,
    ):
        tokens = endpoint.tokenize_chat("Hello [you]")
        assert endpoint.detokenize(tokens) == "[user: Hello [you]]>"
        assert endpoint.bos == ()


def test_choices_come_in_the_order_of_their_prompts(serve: Callable[[Reply], Endpoint]) -> None:
    backwards = reply(right(index=1, text="b, second"), right(index=0, text="a, first"))
    found = serve(backwards).complete(echoed("a", "b"))
    assert [completion.text for completion in found] == ["a, first", "b, second"]


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_that_is_not_there() -> None:
    with (
        Endpoint("http://127.0.0.1:9/v1", "m") as endpoint,
        pytest.raises(RunError, match=r"^The endpoint of m could not be reached: "),
    ):
        endpoint.self_test()


@pytest.mark.usefixtures("impatient")
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
    found = endpoint.complete(echoed(*prompts))
    assert tuple(completion.text for completion in found) == prompts
    for completion in found:
        assert completion.token_logprobs[0] is None
        assert all(value is not None and value <= 0 for value in completion.token_logprobs[1:])
        ends = (*completion.text_offset[1:], len(completion.text))
        pieces = [completion.text[a:b] for a, b in zip(completion.text_offset, ends, strict=True)]
        assert pieces == list(completion.tokens)


def test_the_real_server_stops_at_the_end_of_the_line(endpoint: Endpoint) -> None:
    (found,) = endpoint.complete(Request((Prompt("Question: What is 1 + 2?\nAnswer:"),), max_tokens=3, stop=("\n",)))
    assert "\n" not in found.text
    assert len(found.tokens) == len(found.token_logprobs) == len(found.text_offset) <= 3
    assert found.finish_reason in ("stop", "length")
