from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from harness.doctor.diagnosis import SCORING, Check, Client, Diagnosis, Outcome
from harness.errors import RunError, UserError
from harness.execution.abilities import Ability
from harness.models.null_run import NULL
from harness.served.running import NO_TOKENIZER, Named, RunningEndpoint, RunningEndpoints, read_named
from harness.serving.address import read_url
from harness.serving.dialects import Card, Size
from harness.serving.process import ServerProcess

WRONG = ["", "http://h/v1", "=http://h", "a b=http://h", "a,b=http://h", "a/b=http://h", "http://h/v1?key=1", "a"]


@pytest.mark.parametrize("word", WRONG)
def test_an_endpoint_needs_a_label(word: str) -> None:
    with pytest.raises(UserError, match=r"^--endpoint takes LABEL=URL, such as awq=http://127\.0\.0\.1:8000/v1, "):
        read_named(word)


def test_a_word_names_a_label_a_url_and_perhaps_a_model() -> None:
    assert read_named(" awq=http://h:1 ") == Named("awq", read_url("http://h:1/v1"), None)
    assert read_named("a=http://h/v1/#org/m=1") == Named("a", read_url("http://h/v1"), "org/m=1")
    assert str(read_named("a=http://me:secret@h#m")) == "a=http://h/v1#m"
    with pytest.raises(UserError, match=r"give one such as http"):
        read_named("a=h:80")


@pytest.mark.parametrize(
    "word", ["http://me:secret@h/v1?a=b", "a=http://me:p#secret@h/v1", "a=http://me:p/secret@h", "me:secret=x"]
)
def test_what_is_wrong_with_a_word_is_told_without_passwords(word: str) -> None:
    with pytest.raises(UserError) as caught:
        read_named(word)
    assert "secret" not in str(caught.value)


def endpoints(*words: str, **more: Any) -> RunningEndpoints:
    return RunningEndpoints(tuple(map(read_named, words)), **more)


def test_a_run_compares_endpoints_that_can_be_told_apart() -> None:
    for words in ([], ["a=http://h"]):
        with pytest.raises(UserError, match=r"^--endpoint is given once, and a run compares: name the reference and "):
            endpoints(*words)
    with pytest.raises(UserError, match=r"^two endpoints are called 'a'; give each a label of its own\.$"):
        endpoints("a=http://h", "b=http://h", "a=http://i")


def test_a_key_is_shown_nowhere() -> None:
    source = endpoints("a=http://me:secret@h", "b=http://i", key="open sesame", context=64)
    words = source.words()
    assert words == ["--endpoint", "a=http://h/v1", "--endpoint", "b=http://i/v1", "--endpoint-context", "64"]
    shown = f"{source!r} {words} {json.dumps(source.plain())}"
    assert "sesame" not in shown
    assert "secret" not in shown


SCORES_NOT = Client(SCORING, "wrong numbers", ("Echo is ignored.",))
DIAGNOSIS = Diagnosis("http://h/v1", "m", 64, (Check("echo", Outcome.FAULT, "Ignored."),), (SCORES_NOT,))


def running(card: Card) -> RunningEndpoint:
    return RunningEndpoint(read_named("a=http://me:secret@h"), card, DIAGNOSIS, Ability("a"), "open sesame", 99)


def test_the_record_says_what_the_endpoint_says_and_null_for_the_rest() -> None:
    found = running(Card(id="m", meta=Size(n_vocab=10, n_params=16, size=9))).record
    assert found["endpoint"] == {"url": "http://h/v1", "model": "m", "diagnosis": DIAGNOSIS.record()}
    known = {key: value for key, value in found.items() if value not in (None, [], {}) and key != "endpoint"}
    assert known == {
        **{"label": "a", "name": "m", "bytes": 9, "parameters": 16},
        **{"bits_per_weight": 4.5, "context_length": 64, "vocabulary_size": 10},
    }
    silent = running(Card(id="m")).record
    assert silent.keys() == found.keys()
    assert [silent[key] for key in ("bytes", "parameters", "bits_per_weight", "vocabulary_size")] == [None] * 4
    assert "sesame" not in json.dumps(found)
    assert "secret" not in f"{json.dumps(found)} {running(Card(id='m'))!r}"


# Real servers and small ones


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, no_bos: Path) -> Iterator[ServerProcess]:
    """Another model on a server of ours."""
    from harness.models.config import ServeConfig

    log = tmp_path_factory.mktemp("other") / "log"
    with ServerProcess(no_bos, "other", ServeConfig(), log, slots=2) as server:
        yield server


def prepared(source: RunningEndpoints, tmp_path: Path, reference: str | None = None, null: int | None = None) -> Any:
    said: list[str] = []
    found = source.prepare(reference, null=null, folder=tmp_path, say=said.append)
    return found.models, found.notes, said


def test_our_own_servers_can_do_everything(served: ServerProcess, other: ServerProcess, tmp_path: Path) -> None:
    source = endpoints(f"world={served.base_url}", f"other={other.base_url}")
    (world, second), notes, said = prepared(source, tmp_path)
    assert [world.ability, second.ability] == [Ability("world"), Ability("other")]
    assert notes == []
    assert said == [f"world: examining {served.base_url}", f"other: examining {other.base_url}"]
    assert (world.vocabulary_size, world.bytes_to_load) == (1024, None)
    with world.open(slots=1, store=None) as endpoint:
        assert endpoint.context == 2048


def test_the_reference_is_the_first_or_the_one_that_is_named_and_may_be_asked_again(
    served: ServerProcess, other: ServerProcess, tmp_path: Path
) -> None:
    source = endpoints(f"world={served.base_url}", f"other={other.base_url}")
    with pytest.raises(UserError, match=r"^--reference: 'wrold' is no endpoint; the closest is world \(known: "):
        prepared(source, tmp_path, "wrold")
    models, notes, _ = prepared(source, tmp_path, "other", null=8)
    assert [model.label for model in models] == ["other", "world", NULL]
    assert models[2].record["note"] == notes[-1]
    assert notes[-1] == "null_run: other once more, with 8 requests at once, to show the noise floor."
    named = endpoints(f"{NULL}={served.base_url}", f"other={other.base_url}")
    with pytest.raises(UserError, match=r"^an endpoint is called 'null_run', as --null calls its run"):
        prepared(named, tmp_path, null=8)


def test_the_same_model_twice_is_refused(served: ServerProcess, tmp_path: Path) -> None:
    source = endpoints(f"a={served.base_url}", f"b={served.base_url}/#world")
    with pytest.raises(UserError, match=r"^a and b are the same model of the same endpoint; leave one of them out"):
        prepared(source, tmp_path)


@contextmanager
def listing(*cards: dict[str, Any], key: str | None = None) -> Iterator[str]:
    """A small server that has these models, and does not complete anything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = None if key is None else f"Bearer {key}"
            if wanted is not None and self.headers["Authorization"] != wanted:
                self._send(401, {"error": {"message": "No such key."}})
            elif self.path == "/v1/models":
                self._send(200, {"data": cards})
            else:
                self._send(404, {"error": {"message": "Not found."}})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(404, {"error": {"message": "Not found."}})

        def _send(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def test_of_several_models_one_has_to_be_named(tmp_path: Path) -> None:
    with listing({"id": "m"}, {"id": "n"}) as url:
        with pytest.raises(UserError, match=rf"^The endpoint of a has 2 models; name one as a={url}#MODEL: m, n\.$"):
            prepared(endpoints(f"a={url}", f"b={url}#n"), tmp_path)
        with pytest.raises(UserError, match=r"^The endpoint of a has no model 'o'; it has m, n\.$"):
            prepared(endpoints(f"a={url}#o", f"b={url}#n"), tmp_path)


def test_a_wrong_key_is_told(tmp_path: Path) -> None:
    with listing({"id": "m"}, key="right") as url:
        for key in (None, "wrong"):
            with pytest.raises(UserError, match=r"^The endpoint of a wants a key, or another one; give it in HARNESS_"):
                prepared(endpoints(f"a={url}", "b=http://127.0.0.1:9", key=key), tmp_path)


def test_an_endpoint_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.serving.transport.RETRIES", 0)
    with pytest.raises(RunError, match=r"^The endpoint of a could not be reached: "):
        prepared(endpoints("a=http://127.0.0.1:9", "b=http://127.0.0.1:9"), tmp_path)


def test_what_an_endpoint_lacks_is_no_ability_of_it(tmp_path: Path, fenced: Callable[..., str]) -> None:
    """A server of ours behind a gate that hides its tokenizer and ignores ``echo``, as some hosts do."""
    (bare, _), notes, said = prepared(endpoints(f"bare={fenced()}", f"other={fenced()}"), tmp_path)
    assert bare.ability.no_tokenizer == NO_TOKENIZER
    assert bare.ability.cannot_score is not None
    assert bare.ability.cannot_generate is None
    assert notes[0].startswith("bare: harness doctor finds faults in its endpoint (")
    assert any(line.startswith("bare: echo: ") for line in said)


def test_token_ids_that_are_refused_are_no_ability(tmp_path: Path, fenced: Callable[..., str]) -> None:
    """Beside a tokenizer that can be asked."""
    named = (f"{label}={fenced(beside='tokenizer')}" for label in "ab")
    (words, _), _, _ = prepared(endpoints(*named), tmp_path)
    assert words.ability.no_tokenizer is None
    assert "A prompt is a string" in words.ability.no_token_ids


def test_a_gateway_that_fails_beside_the_api_is_one_that_has_nothing_there(
    tmp_path: Path, fenced: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.serving.transport.RETRIES", 0)
    (bare, _), _, _ = prepared(endpoints(*(f"{label}={fenced(beside='failures')}" for label in "ab")), tmp_path)
    assert bare.ability.no_tokenizer == NO_TOKENIZER
    with bare.open(slots=1, store=None) as endpoint:
        endpoint.forget()
        assert endpoint.card.id == "world"
