from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from harness.efficiency.prompts import Prompts
from harness.efficiency.rounds import Subject, fit_together, measure
from harness.efficiency.samples import Quantity, efficiency_table
from harness.errors import RunError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.serving.timing import Memory

GIB = 1 << 30


class Models(NamedTuple):
    """Subjects that are the bundled model, and what became of their servers."""

    make: Callable[..., Subject]
    events: list[str]
    """``+a`` when a server was started and ``-a`` when it was stopped."""


@pytest.fixture
def models(tmp_path: Path) -> Models:
    events: list[str] = []

    def make(label: str, *, memory: Memory | None = None, size: int | None = 8_000_000, fails: bool = False) -> Subject:
        @contextmanager
        def serve() -> Iterator[Endpoint]:
            if fails:
                raise RunError("There is no memory for it.")
            with ExitStack() as stack:
                server = ServerProcess(BUNDLED_MODEL, label, ServeConfig(), tmp_path / f"{label}.log", slots=2)
                url = stack.enter_context(server).base_url
                events.append(f"+{label}")
                stack.callback(events.append, f"-{label}")
                yield stack.enter_context(Endpoint(url, label, alive=server.check_alive))

        return Subject(label, size, serve, memory)

    return Models(make, events)


def test_models_are_timed_round_by_round(models: Models) -> None:
    said: list[str] = []
    subjects = [models.make("a", memory=Memory(2.5 * GIB, 0, 0)), models.make("b")]
    samples, notes = measure(subjects, seed=0, say=said.append, rounds=2)
    assert notes == []
    assert said == ["timing a, b"]
    assert models.events == ["+a", "+b", "-b", "-a"]
    speeds = samples[samples["quantity"] == Quantity.DECODE]
    order = list(dict.fromkeys(zip(speeds["round"], speeds["model"], strict=True)))
    assert order == [(1, "a"), (1, "b"), (2, "b"), (2, "a")]
    counts = samples.groupby(["model", "round"])["quantity"].value_counts().unstack("model").fillna(0)
    assert (counts.loc[1:2, "a"] == counts.loc[1:2, "b"]).all()  # the same is asked of all
    assert (samples["value"] >= 0).all()
    records = [{"label": label, "bytes": 1, "bits_per_weight": 16.0} for label in "ab"]
    table = efficiency_table(samples, records).set_index("model")
    assert table["rounds"].tolist() == [2, 2]
    assert table.loc["a", ["peak_rss_bytes", "gpu_bytes"]].tolist() == [2.5 * GIB, 0]
    assert 1e7 < table.loc["b", "peak_rss_bytes"] < GIB
    assert (table["prefill_tokens_per_second"] > table["decode_tokens_per_second"]).all()
    assert (table["first_token_p50"] < 1).all()


def test_what_does_not_fit_into_memory_is_timed_one_after_the_other(models: Models) -> None:
    size = int(psutil.virtual_memory().available * 0.6)
    subjects = [models.make("a", memory=Memory(size, 0, 0)), models.make("b", memory=Memory(size, 0, 0))]
    samples, notes = measure(subjects, seed=0, say=lambda _words: None, rounds=1)
    assert models.events == ["+a", "-a", "+b", "-b"]
    assert notes == ["speeds: the models do not fit into memory together, so they were timed one after the other."]
    counts = samples[samples["round"] > 0].groupby("model")["quantity"].value_counts().unstack("model")
    assert (counts["a"] == counts["b"]).all()


def test_there_is_an_end_to_it(models: Models) -> None:
    samples, notes = measure([models.make("a")], seed=0, say=lambda _words: None, rounds=50, budget=0)
    assert notes == ["speeds: 1 of 50 rounds were timed in 0 minutes."]
    assert samples["round"].max() == 1


def test_a_failure_is_told_and_what_was_seen_is_kept(models: Models) -> None:
    subjects = [models.make("a", memory=Memory(7, math.nan, math.nan)), models.make("b", fails=True)]
    samples, notes = measure(subjects, seed=0, say=lambda _words: None)
    assert notes == ["speeds: timing ended early. There is no memory for it."]
    assert samples.to_dict("records") == [{"model": "a", "round": 0, "quantity": Quantity.PEAK_RSS, "value": 7}]
    assert models.events == ["+a", "-a"]


def test_a_server_that_breaks_off_costs_no_more_than_the_rest_of_the_timing(breaking: Callable[[int], str]) -> None:
    warm_up, said = 2 * 3, []
    url = breaking(warm_up + 2)
    subject = Subject("m", 1, lambda: Endpoint(url, "m"), Memory(7, math.nan, math.nan))
    samples, notes = measure([subject], seed=0, say=said.append, rounds=3)
    (note,) = notes
    assert note.startswith("speeds: timing ended early. The endpoint of m broke off: ")
    assert said == ["timing m"]
    assert samples["round"].tolist() == [0, 1, 1]  # the memory that was known before, and what was timed
    assert samples["quantity"].tolist() == [Quantity.PEAK_RSS, Quantity.PREFILL, Quantity.PREFILL]


@pytest.mark.parametrize(
    ("memories", "fits"),
    [
        ([Memory(1e6, 0, 0), None], True),
        ([Memory(1e6, 0, 0), Memory(1e15, 0, 0)], False),
        ([Memory(math.nan, math.nan, math.nan)], True),
        ([Memory(1e6, 30 * GIB, 50 * GIB), Memory(1e6, 40 * GIB, 40 * GIB)], True),
        ([Memory(1e6, 30 * GIB, 50 * GIB), Memory(1e6, 45 * GIB, 35 * GIB)], False),
    ],
    ids=["small", "large", "unknown", "GPU", "GPU too small"],
)
def test_memory_decides(memories: list[Memory | None], fits: bool, models: Models) -> None:
    assert fit_together([models.make(str(n), memory=memory) for n, memory in enumerate(memories)]) is fits


def test_where_nothing_is_known_the_file_decides(models: Models) -> None:
    assert fit_together([models.make("a")])
    assert not fit_together([models.make("a", size=1 << 50)])


def test_servers_that_run_already_fit(models: Models) -> None:
    large = Memory(1e15, 500 * GIB, 0)
    assert fit_together([models.make("a", memory=large, size=None), models.make("b", size=None)])
    assert not fit_together([models.make("a", size=None), models.make("b", memory=large)])


def test_prompts_have_their_length_and_never_come_again(endpoint: Endpoint) -> None:
    prompts = Prompts(endpoint, 3)
    made = [prompts.next(64) for _ in range(100)]
    assert {len(prompt) for prompt in made} == {64}
    assert len({tuple(prompt[:16]) for prompt in made}) == 100
    assert all(tuple(prompt[: len(endpoint.bos)]) == endpoint.bos for prompt in made)
    assert Prompts(endpoint, 3).next(64) == made[0]  # all models are asked the same


def test_a_server_that_waits_for_its_turn_takes_no_time(models: Models) -> None:
    subject = models.make("idle")
    before = {process.pid for process in psutil.Process().children()}
    with subject.serve() as endpoint:
        (server,) = (process for process in psutil.Process().children() if process.pid not in before)
        endpoint.time(endpoint.tokenize("Some words"), 8)
        server.cpu_percent()
        with models.make("busy").serve() as busy:
            for _ in range(5):
                busy.time(busy.tokenize("Some words"), 64)
        assert server.cpu_percent() < 10
