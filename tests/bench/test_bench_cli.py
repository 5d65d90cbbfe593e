from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.__main__ import ROWS, chosen, numbers
from bench.setup import BenchError, Inputs, Setup

ROOT = Path(__file__).parents[2]


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def given(**fields: Path) -> Inputs:
    return Inputs(setup=Setup(), scratch=Path(), rounds=1, seed=0, say=lambda _: None, **fields)


def test_a_row_from_end_to_end(bundled: Path, tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    page.write_text("<!-- figures of python -m bench -->\n<!-- end of figures -->\n")
    arguments = ("--model", bundled, "--rows", "scoring", "--rounds", 2, "--prompts", 2, "--threads", 1)
    run = bench(*arguments, "--json", figures, "--markdown", page)
    assert run.returncode in (0, 1), run.stderr  # 1: a bound is missed, as it may be on a busy machine
    report = json.loads(figures.read_text())
    [line] = report["comparisons"]
    assert len(line["ours"]) == len(line["theirs"]) == 2
    assert line["holds"] == (run.returncode == 0)
    assert report["command"] == (
        "python -m bench --model world-f16.gguf --rows scoring --rounds 2 --prompts 2 --threads 1 "
        "--json figures.json --markdown page.md"
    )
    assert "| scoring, vocab 1k | bare loop |" in page.read_text()
    assert "scoring, vocab 1k" in run.stdout


def test_no_server_outlives_a_terminated_run(bundled: Path) -> None:
    command = [sys.executable, "-m", "bench", "--model", str(bundled), "--rows", "scoring", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stderr is not None
        assert "round 1 of 3" in run.stderr.readline()
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM
    assert children
    assert not [child for child in children if child.is_running()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is nothing to measure; give --model or --wide-model."),
        (
            ("--rows", "speed"),
            "there is no row 'speed'; choose from decode, scoring, choice, divergence, harness, wide, memory, draft.",
        ),
        (("--rows", "memory"), "row 'memory' needs --wide-model."),
        (("--model", "no.gguf"), "--model: there is no file no.gguf."),
        (("--clients", "1,x"), "--clients takes whole numbers by commas, such as 1,4,16, not '1,x'."),
    ],
)
def test_mistakes_are_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    run = bench(*arguments)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == f"error: {message}"
    assert "Traceback" not in run.stderr


def test_rows_whose_inputs_are_missing_are_left_out_unless_asked_for() -> None:
    here = Path(__file__)
    assert chosen("", given(model=here)) == ["scoring"]
    assert chosen("", given(model=here, tools=here)) == ["decode", "scoring", "divergence"]
    assert chosen("", given(model=here, wide_model=here, tools=here, hellaswag=here, draft_model=here)) == list(ROWS)
    assert chosen(" wide, memory", given(wide_model=here)) == ["wide", "memory"]
    with pytest.raises(BenchError, match="row 'choice' needs --llama-tools and --hellaswag"):
        chosen("choice", given(model=here))


def test_numbers_of_clients() -> None:
    assert numbers("1, 4,16") == (1, 4, 16)
    for wrong in ("", "0", "-1", "1.5", "1,,2", "²"):
        with pytest.raises(BenchError, match="whole numbers"):
            numbers(wrong)
