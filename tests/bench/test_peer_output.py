from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import peers
from bench.setup import BenchError, Inputs, Setup

HEAD = "task\tacc_norm\t95% confidence interval\n"


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(setup=Setup(threads=2), scratch=tmp_path, rounds=1, seed=0, say=print, tools=tmp_path)


def batched(sequences: int, speed: float) -> str:
    return json.dumps({"n_kv_max": 8192, "pp": 128, "tg": 64, "pl": sequences, "t_tg": 1.0, "speed_tg": speed})


def test_batched_bench_is_the_median_of_its_repeats() -> None:
    printed = ["", batched(1, 200), batched(4, 300), batched(1, 20), batched(4, 320), batched(1, 220), "llama_perf: x"]
    assert peers.parse_batched_bench(printed) == {1: 200, 4: 310}


def test_hellaswag_runs_from_the_head_of_the_table_to_the_last_item() -> None:
    lines = [
        (1.0, "main: build = 1\n"),
        (5.0, HEAD),
        (6.0, "1\t0.00000000%\t[0.0000%, 79.3451%]\n"),
        (7.0, "2\t50.00000000%\t[6.1492%, 79.2340%]\n"),
        (9.0, "3\t66.66666667%\t[4.5587%, 69.9358%]\n"),
        (12.0, "\n"),
    ]
    assert peers.parse_hellaswag(lines, 3) == (3 / 4, 2)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [(1.0, "error: unable to load model\n")],
        [(1.0, HEAD), (2.0, "1\t0.00000000%\t[0.0000%, 79.3451%]\n")],
        [(2.0, "3\t0.00000000%\t[0.0000%, 79.3451%]\n")],
    ],
    ids=["nothing", "error", "too few items", "no head"],
)
def test_hellaswag_that_ended_early_is_an_error(lines: list[tuple[float, str]]) -> None:
    with pytest.raises(BenchError, match="did not score all 3 items"):
        peers.parse_hellaswag(lines, 3)


def test_accuracy_comes_back_whole() -> None:
    for correct in range(401):
        line = f"400\t{correct / 400 * 100:.8f}%\t[0.0000%, 79.3451%]\n"
        assert peers.parse_hellaswag([(0.0, HEAD), (1.0, line)], 400).correct == correct


def test_a_tool_that_is_not_there(inputs: Inputs) -> None:
    with pytest.raises(BenchError, match="no llama-server in --llama-tools"):
        peers.tool(inputs, "llama-server")


def test_a_server_that_does_not_start(inputs: Inputs, bundled: Path) -> None:
    tool = inputs.scratch / "llama-server"
    tool.write_text("#!/bin/sh\necho 'cannot load the model' >&2\nexit 1\n")
    tool.chmod(0o755)
    with (
        pytest.raises(BenchError, match="llama-server with 4 slots did not start: cannot load the model"),
        peers.llama_server(inputs, bundled, slots=4),
    ):
        raise AssertionError("it started")


def test_tools_are_told_what_our_server_is_told() -> None:
    setup = Setup(threads=3, batch=256, cells=4096, cache_type="q8_0", flash_attention="on")
    theirs = " ".join([*setup.for_llama_cpp(), *setup.cache_for_llama_cpp()])
    assert "--threads 3 --threads-batch 3 --batch-size 256 --ubatch-size 256" in theirs
    assert "--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on --ctx-size 4096 --no-kv-unified" in theirs
    assert replace(setup, peers_unified=True).cache_for_llama_cpp()[-1] == "--kv-unified"
    ours = setup.for_our_server()
    same = {"--threads=3", "--batch-size=256", "--cache-size=4096", "--cache-type-k=q8_0", "--flash-attention=on"}
    assert same < set(ours)
