"""A real server that records, compares with itself, and refuses."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.degradation.divergence import divergence_rows
from harness.divergence.comparison import Comparison
from harness.divergence.plan import Plan, Reading, make_plan
from harness.divergence.text import read_text
from harness.errors import RunError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Prompt, Request

N_WINDOWS = 5
"""More than one request brings."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to record in."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[Endpoint]:
    """The bundled model, with that folder."""
    log = tmp_path_factory.mktemp("recording") / "server.log"
    with (
        ServerProcess(BUNDLED_MODEL, "m", ServeConfig(), log, slots=4, store=store) as server,
        Endpoint(server.base_url, "m", alive=server.check_alive) as endpoint,
    ):
        yield endpoint


@pytest.fixture
def plan(endpoint: Endpoint) -> Plan:
    """The bundled text in windows of 128 tokens, for a model that reads it alike and one that does not."""
    text = read_text(None)
    own = Reading(endpoint.tokenize(text.text), endpoint.bos, 4096)
    readings = {"f16": own, "again": own, "other": own._replace(n_vocabulary=7)}
    return make_plan(text, readings, context=128, most=N_WINDOWS)


def test_a_model_does_not_diverge_from_itself(recording: Endpoint, plan: Plan) -> None:
    comparison, ticks = Comparison(plan), []
    assert comparison.ask(recording, "f16", lambda: ticks.append(1)) == "divergence, 5 windows recorded"
    assert comparison.tokens.empty
    words = comparison.ask(recording, "again", lambda: ticks.append(1))
    assert words.startswith("divergence, mean KLD ")
    assert words.endswith(f" over {N_WINDOWS * 63} tokens")
    assert len(ticks) == comparison.n_asked == 2 * N_WINDOWS
    tokens = comparison.tokens
    assert len(tokens) == plan.windows.n_scored == N_WINDOWS * 63
    assert tokens["kld"].abs().max() < 1e-5
    assert tokens["same_top"].mean() > 0.99
    assert (tokens["kld_bound"] == 0).all()
    rows = {row["metric"]: row for row in divergence_rows(tokens, seed=0)}
    assert rows["ppl_ratio"]["value"] == pytest.approx(1, abs=1e-4)
    assert comparison.record == plan.record
    assert comparison.notes == plan.notes


def test_log_probabilities_are_those_of_a_completion(recording: Endpoint, plan: Plan) -> None:
    comparison = Comparison(plan)
    for label in ("f16", "again"):
        comparison.ask(recording, label, lambda: None)
    prompts = tuple(Prompt((), tuple(window)) for window in plan.windows.tokens)
    completions = recording.complete(Request(prompts, max_tokens=0, echo=True))
    expected = [completion.token_logprobs[plan.windows.score_from :] for completion in completions]
    for column in ("logprob", "reference_logprob"):
        found = comparison.tokens[column].to_numpy()
        assert found == pytest.approx(np.ravel(np.array(expected, float)), abs=0.02)


def test_a_model_that_reads_the_text_otherwise_is_asked_nothing(plan: Plan, endpoint: Endpoint) -> None:
    comparison = Comparison(plan)
    assert comparison.ask(endpoint, "other", lambda: pytest.fail("it was asked")).startswith("divergence, left out")
    assert comparison.tokens.empty
    assert "other reads the text as other tokens" in comparison.notes[0]


def test_an_endpoint_that_does_not_record_is_a_note(plan: Plan, endpoint: Endpoint) -> None:
    comparison, ticks = Comparison(plan), []
    for label in ("f16", "again"):
        assert comparison.ask(endpoint, label, lambda: ticks.append(1)) == "divergence, not measured"
    assert len(ticks) == comparison.n_asked
    assert comparison.tokens.empty
    assert comparison.record is None
    (note,) = comparison.notes
    assert note.startswith("Divergence was not measured. The endpoint does not compare next-token distributions: ")


def test_a_model_that_cannot_be_compared_is_a_note_and_the_next_one_is(recording: Endpoint, plan: Plan) -> None:
    plan = dataclasses.replace(plan, compared=("again", "third"))
    comparison, ticks = Comparison(plan), []
    comparison.ask(recording, "f16", lambda: None)
    own = plan.windows.tokens[1][-1]
    plan.windows.tokens[1][-1] += 1  # not what was recorded
    assert comparison.ask(recording, "again", lambda: ticks.append(1)) == "divergence, not measured"
    assert len(ticks) == N_WINDOWS
    plan.windows.tokens[1][-1] = own
    assert comparison.ask(recording, "third", lambda: None).startswith("divergence, mean KLD")
    assert comparison.tokens["model"].unique().tolist() == ["third"]
    *_, note = comparison.notes
    assert note.startswith(
        "Divergence of again was not measured. The endpoint could not compare next-token distributions: Window 1 has "
        "other tokens"
    )
    assert comparison.record == plan.record


def test_a_store_that_is_gone_is_told_as_that(recording: Endpoint, plan: Plan, store: Path) -> None:
    comparison = Comparison(plan)
    comparison.ask(recording, "f16", lambda: None)
    (store / comparison.store).unlink()
    comparison.ask(recording, "again", lambda: None)
    *_, note = comparison.notes
    assert f"could not compare next-token distributions: There is no store '{comparison.store}'" in note


def test_a_server_that_is_gone_ends_the_run(tmp_path: Path, plan: Plan) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with (
        ServerProcess(BUNDLED_MODEL, "m", ServeConfig(), tmp_path / "log", slots=1, store=store) as server,
        Endpoint(server.base_url, "m", alive=server.check_alive) as endpoint,
    ):
        comparison = Comparison(plan)
        comparison.ask(endpoint, "f16", lambda: None)
        assert server._process is not None
        server._process.kill()
        server._process.wait(60)
        with pytest.raises(RunError, match="was killed by signal 9"):
            comparison.ask(endpoint, "again", lambda: None)


def test_an_endpoint_that_is_too_slow_is_a_note(plan: Plan) -> None:
    """It answers no more, and its process lives on."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        with Endpoint(f"http://{host}:{port}/v1", "m") as endpoint:
            endpoint._transport.client = endpoint._transport.client.with_options(timeout=0.2)
            comparison = Comparison(plan)
            assert comparison.ask(endpoint, "f16", lambda: None) == "divergence, not measured"
    (note,) = comparison.notes
    assert note.startswith("Divergence was not measured. The endpoint of m could not be reached: Request timed out")


def test_a_compact_store_gives_bounds(recording: Endpoint, plan: Plan) -> None:
    comparison = Comparison(dataclasses.replace(plan, store_format="compact"))
    for label in ("f16", "again"):
        comparison.ask(recording, label, lambda: None)
    tokens = comparison.tokens
    assert tokens["kld"].max() < 1e-3
    assert (tokens["kld_bound"] >= 0).all()
    assert (tokens["kld"] + tokens["kld_bound"]).min() > -1e-6
    assert comparison.record is not None
    assert comparison.record["store"] == "compact"
