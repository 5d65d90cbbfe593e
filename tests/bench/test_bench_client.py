"""The client and the rows against a real server of ours."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.client import arrivals, exchange
from bench.decode import rates_of_ours, streamed_rate
from bench.hellaswag import Item, is_correct, tokenized
from bench.memory import peak_bytes
from bench.multiple_choice import ask, scores_from_a_position
from bench.processes import Serving, our_server
from bench.scoring import require_scores, scoring_body
from bench.setup import BenchError, Inputs, Setup
from bench.vocabulary import Vocabulary


@pytest.fixture
def serving(bundled_server) -> Serving:
    return Serving(f"{bundled_server.url}/completions", bundled_server.process.pid)


@pytest.fixture
def vocabulary(bundled: Path) -> Vocabulary:
    return Vocabulary(bundled, seed=0)


@pytest.mark.parametrize("clients", [1, 3, 9])
def test_answers_are_in_the_order_of_the_requests(serving: Serving, vocabulary: Vocabulary, clients: int) -> None:
    prompts = [prompt[: 3 + number] for number, prompt in enumerate(vocabulary.random_prompts(7, 12))]
    done = exchange(serving.url, [scoring_body(prompt, 1) for prompt in prompts], clients=clients)
    assert [answer["usage"]["prompt_tokens"] for answer in done.answers] == [3, 4, 5, 6, 7, 8, 9]
    assert done.seconds > 0
    assert done.cpu_seconds >= 0


def test_a_refused_request_is_an_error_with_its_message(serving: Serving) -> None:
    with pytest.raises(BenchError, match=r"status 400: .*max_tokens"):
        exchange(serving.url, [{"prompt": "a", "max_tokens": -1}], clients=1)
    with pytest.raises(BenchError, match=r"status 400: .*max_tokens"):
        arrivals(serving.url, [{"prompt": "a", "max_tokens": -1, "stream": True}])


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(BenchError, match="a server stopped answering"):
        exchange(f"http://127.0.0.1:{port}/v1/completions", [{"prompt": "a"}], clients=1)


def test_prompts_must_be_scored_in_full(serving: Serving, vocabulary: Vocabulary) -> None:
    done = exchange(serving.url, [scoring_body(vocabulary.random_prompts(2, 8), 1)], clients=1)
    require_scores(done, 8)
    with pytest.raises(BenchError, match="9 tokens did not come back with 8 scores"):
        require_scores(done, 9)


def test_a_stream_has_an_event_for_about_every_token(serving: Serving, vocabulary: Vocabulary) -> None:
    bodies = [
        {"prompt": prompt, "max_tokens": 20, "temperature": 0, "ignore_eos": True, "stream": True}
        for prompt in vocabulary.random_prompts(3, 8)
    ]
    times = arrivals(serving.url, bodies)
    assert len(times) == 3
    for events in times:
        assert 5 < len(events) <= 22
        assert events == sorted(events)


def test_all_rates_of_a_round(serving: Serving, vocabulary: Vocabulary) -> None:
    rates = rates_of_ours(serving, vocabulary, 16)
    assert min(rates) > 0
    assert rates.client < 1


def test_streams_are_timed_from_the_last_first_event() -> None:
    early = [0.0 + second for second in range(10)]
    late = [4.0 + second for second in range(10)]
    # From 4 to 13: five of the early stream's ten events, nine of the late one's.
    assert streamed_rate([early, late], 10) == pytest.approx(14 / 9)
    # Two tokens an event.
    assert streamed_rate([early, late], 20) == pytest.approx(28 / 9)


@given(st.integers(1, 16), st.integers(3, 64), st.floats(0.001, 1))
def test_an_even_stream_has_its_own_rate(clients: int, tokens: int, step: float) -> None:
    times = [[step * token for token in range(tokens)] for _ in range(clients)]
    assert streamed_rate(times, tokens) == pytest.approx(clients / step)


def test_choices_are_judged(serving: Serving, vocabulary: Vocabulary) -> None:
    item = Item("the sum of 2 and 3", ("is 5.", "is 7 and 9.", "was.", "is here or there."), 0)
    question = tokenized(item, vocabulary.tokenize)
    done = exchange(serving.url, [scoring_body(question.prompts, 1)], clients=1)
    right = [is_correct(done.answers[0], question._replace(gold=gold)) for gold in range(4)]
    assert sum(right) == 1
    questions = [question._replace(gold=gold) for gold in range(4)]
    assert scores_from_a_position(serving, vocabulary)
    for from_shared in (False, True):
        rate, correct = ask(serving, questions, from_shared=from_shared)
        assert rate > 0
        assert correct == 1


def test_a_server_that_knows_no_first_position_is_noticed(serving: Serving, vocabulary: Vocabulary) -> None:
    elsewhere = Serving(serving.url.replace("/completions", "/models"), serving.pid)
    assert not scores_from_a_position(elsewhere, vocabulary)


def test_peak_memory_is_that_of_the_process(serving: Serving) -> None:
    assert 50 << 20 < peak_bytes(Path(f"/proc/{serving.pid}/status")) < 4 << 30


def test_a_system_without_peaks(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="leave out the row 'memory'"):
        peak_bytes(tmp_path / "status")


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"not a model")
    inputs = Inputs(setup=Setup(threads=1), scratch=tmp_path, rounds=1, seed=0, say=print)
    with (
        pytest.raises(BenchError, match=r"our server did not start with broken\.gguf: error: "),
        our_server(inputs, model),
    ):
        raise AssertionError("it started")
