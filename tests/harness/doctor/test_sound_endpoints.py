"""Nothing is found where nothing is wrong: with BOS and without, again and again, and beside other requests."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from misbehaving import Tampering, misbehaving

from harness.doctor.diagnosis import Diagnosis, Outcome
from harness.doctor.examine import examine
from harness.doctor.subjects import Subject
from harness.errors import RunError, UserError

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def _findings(diagnosis: Diagnosis, outcome: Outcome) -> dict[str, str]:
    return {check.name: check.finding for check in diagnosis.checks if check.outcome is outcome}


def test_our_own_server_is_sound_again_and_again(server: ServerUnderTest) -> None:
    for _ in range(2):
        diagnosis = examine(server.url, None, None, str.strip)
        assert not _findings(diagnosis, Outcome.FAULT)
        assert set(_findings(diagnosis, Outcome.ABSENT)) == {Subject.CHAT}  # neither model has a chat template
        assert {client.name for client in diagnosis.clients if client.verdict != "right"} == {"Inspect, chat"}
        assert diagnosis.is_sound
        assert (diagnosis.cannot_score, diagnosis.cannot_generate, diagnosis.no_logprobs) == (None, None, None)
        assert {check.name for check in diagnosis.checks} == set(Subject)
        assert set(_findings(diagnosis, Outcome.SKIPPED)) == {Subject.CHAT_LOGPROBS}
    assert diagnosis.model == server.id
    assert diagnosis.context in (1024, 2048)


def test_other_requests_under_way_are_no_fault(server: ServerUnderTest) -> None:
    done = threading.Event()

    def ask() -> None:
        number = 0
        while not done.is_set():
            number += 1
            server.complete(f"Number {number} and what comes after it", max_tokens=24, logprobs=1, echo=True)

    others = [threading.Thread(target=ask) for _ in range(3)]
    for other in others:
        other.start()
    try:
        diagnosis = examine(server.url, None, None, str.strip)
    finally:
        done.set()
        for other in others:
            other.join()
    assert not _findings(diagnosis, Outcome.FAULT)


def test_a_proxy_that_changes_nothing_is_no_fault(bundled_server: ServerUnderTest) -> None:
    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering()) as url:
        assert examine(url, None, None, str.strip).is_sound


def test_chats_are_looked_at_where_there_is_a_template(
    serve, make_llama, tmp_path_factory: pytest.TempPathFactory
) -> None:
    template = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
    path: Path = make_llama(tmp_path_factory.mktemp("doctor") / "chat.gguf", chat_template=template)
    server = serve(path)
    diagnosis = examine(server.url, None, None, str.strip)
    assert diagnosis.is_sound
    assert {client.verdict for client in diagnosis.clients} == {"right"}

    def as_completions(body):
        for choice in body["choices"]:
            if choice["logprobs"]:
                choice["logprobs"] = {"tokens": [entry["token"] for entry in choice["logprobs"]["content"]]}
        return body

    routes = {"/v1/chat/completions": as_completions}
    with misbehaving(server.url.removesuffix("/v1"), Tampering(routes=routes)) as url:
        found = examine(url, None, None, str.strip)
    assert set(_findings(found, Outcome.FAULT)) == {Subject.CHAT_LOGPROBS}
    assert {client.name: client.verdict for client in found.clients}["Inspect, chat"] == "fails"


def test_what_is_not_there_is_not_offered_and_no_fault(bundled_server: ServerUnderTest) -> None:
    def none(body):
        return {}

    routes = {"/tokenize": none, "/detokenize": none, "/decode": none, "/tokenizer_info": none, "/props": none}
    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering(routes=routes)) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert diagnosis.is_sound
    assert diagnosis.cannot_score is None
    absent = _findings(diagnosis, Outcome.ABSENT)
    assert {Subject.ROUND_TRIP, Subject.HELM_TOKENIZER, Subject.LM_EVAL_TOKENIZER, Subject.EOS_AT_END} <= set(absent)
    assert {client.name: client.verdict for client in diagnosis.clients}["lm-eval gguf"] == "right"


def test_logprobs_that_are_refused_are_not_offered(bundled_server: ServerUnderTest) -> None:
    def request(body, ask):
        return {**body, "logprobs": "none"} if "logprobs" in body else body  # which the server refuses

    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering(request=request)) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert diagnosis.is_sound
    assert "refused with status 400" in _findings(diagnosis, Outcome.ABSENT)[Subject.ARRAYS]
    assert diagnosis.cannot_generate is None
    assert None not in (diagnosis.cannot_score, diagnosis.no_logprobs)


def test_names_that_lose_characters_leave_offsets_to_be_checked(bundled_server: ServerUnderTest) -> None:
    def answer(body, request):
        for choice in body["choices"]:
            if arrays := choice["logprobs"]:
                arrays["tokens"] = ["\ufffd" if name.startswith("bytes:") else name for name in arrays["tokens"]]
        return body

    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering(answer=answer)) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert set(_findings(diagnosis, Outcome.FAULT)) == {Subject.PARTIAL}
    assert "where tokens are whole characters" in _findings(diagnosis, Outcome.GOOD)[Subject.OFFSETS]
    assert diagnosis.cannot_score is None


def test_alternatives_are_not_needed_to_score(bundled_server: ServerUnderTest) -> None:
    def answer(body, request):
        for choice in body["choices"]:
            if arrays := choice["logprobs"]:
                arrays["top_logprobs"] = None
        return body

    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering(answer=answer)) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert diagnosis.is_sound
    assert diagnosis.cannot_score is None
    assert Subject.ALIGNMENT in _findings(diagnosis, Outcome.GOOD)


JUNK = [
    ("top_logprobs", [["a"]]),
    ("top_logprobs", [{"a": None}]),
    ("content", [None, 1]),
    ("token_logprobs", ["-1"]),
    ("text_offset", [[1]]),
]


@pytest.mark.parametrize(("name", "entries"), JUNK)
def test_junk_among_logprobs_is_a_fault(bundled_server: ServerUnderTest, name: str, entries: list[object]) -> None:
    def answer(body, request):
        for choice in body["choices"]:
            if arrays := choice["logprobs"]:
                if name == "content":
                    arrays.clear()
                arrays[name] = (entries * len(arrays.get("tokens", entries)))[: len(arrays.get("tokens", entries))]
        return body

    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering(answer=answer)) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert Subject.ARRAYS in _findings(diagnosis, Outcome.FAULT)


@pytest.mark.parametrize("index", ["0", None, [0]])
def test_junk_for_an_index_is_a_fault(bundled_server: ServerUnderTest, index: object) -> None:
    def answer(body, request):
        return {**body, "choices": [{**choice, "index": index} for choice in body["choices"]]}

    with misbehaving(bundled_server.url.removesuffix("/v1"), Tampering(answer=answer)) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert {Subject.BATCH, Subject.N} <= set(_findings(diagnosis, Outcome.FAULT))


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("127.0.0.1:1", UserError, "no URL of an endpoint"),
        ("http://127.0.0.1:1", RunError, "could not be reached"),
    ],
)
def test_what_is_no_endpoint(url: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        examine(url, None, None, str.strip)


def test_a_server_that_answers_neither_completions_nor_chats(bundled_server: ServerUnderTest) -> None:
    other = bundled_server.url + "/elsewhere/v1"
    with pytest.raises(RunError, match="answers neither completions nor chats"):
        examine(other, "m", None, str.strip)


def test_another_model_is_named(bundled_server: ServerUnderTest) -> None:
    with pytest.raises(UserError, match=f"no model 'nobody'; it has {bundled_server.id}"):
        examine(bundled_server.url, "nobody", None, str.strip)


def test_a_key_that_is_asked_for(serve, bundled: Path) -> None:
    server = serve(bundled, "--api-key=secret-of-the-house")
    with pytest.raises(UserError, match="without the right key"):
        examine(server.url, None, None, str.strip)
    assert examine(server.url, None, "secret-of-the-house", str.strip).is_sound
