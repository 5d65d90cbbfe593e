"""What is done with a run on disk, through the command line; the run is real."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner, Result

from harness.cli import app, main
from harness.commands.compare import summary
from harness.commands.gate import EXIT_INTERNAL, EXIT_USAGE, sentence
from harness.evidence.gate import Check, Outcome
from harness.metrics.table import METRICS


def command(*words: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "100"} | environment)


# gate

GATED = [
    (["--margin", "5pp", "--models", "q8_0", "--scenarios", "world_facts"], 0, "All are within the margin"),
    (["--margin", "1pp", "--models", "q2_k", "--scenarios", "world_facts"], 1, "Some are beyond the margin"),
    (["--margin", "1pp", "--models", "q8_0", "--scenarios", "world_facts"], 2, "None is shown to be beyond the margin"),
]


@pytest.mark.parametrize(("words", "code", "said"), GATED)
def test_each_exit_code_of_the_gate(real_run: Path, words: list[str], code: int, said: str) -> None:
    done = command("gate", real_run, *words)
    assert done.exit_code == code
    line, together = done.output.splitlines()
    assert line.startswith(f"{words[3]}, world_facts (generation): ")
    assert together.startswith(said)


def test_an_exit_code_is_that_of_the_process(real_run: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    words = [sys.executable, "-m", "harness", "gate", str(real_run), *GATED[1][0]]
    assert subprocess.run(words, env=kept, capture_output=True, check=False, timeout=120).returncode == 1
    wrong = [*words, "--scenarios", "nothing"]
    done = subprocess.run(wrong, env=kept, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr.startswith("error: --scenarios: 'nothing' is no scenario of this run")


@pytest.mark.parametrize(
    "words",
    [
        ["--no-such-option"],
        ["--max-kld", "much"],
        ["--margin", "1"],
        ["--models", "nothing"],
        ["--junit", "/nowhere/gate.xml"],
    ],
)
def test_bad_usage_of_the_gate_is_no_answer(
    real_run: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "gate", str(real_run), *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == EXIT_USAGE
    assert capsys.readouterr().out == ""


def test_no_run_is_no_answer_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "gate", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == EXIT_USAGE


def test_a_divergence_without_an_interval_is_told_without_one() -> None:
    values = (Outcome.INCONCLUSIVE, "inconclusive: too few windows for an interval", 0.25, math.nan, math.nan, 9, None)
    said = sentence(Check("q8_0", "divergence", "next_token", "kld_mean", *values))
    assert said == "q8_0, divergence (next_token): inconclusive: too few windows for an interval, mean KLD 0.25."


def test_an_unforeseen_error_of_the_gate_is_no_answer(
    copied_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a metric that this version does not have, where verdicts are to be found anew."""
    path = copied_run / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["tasks"][0]["metrics"] = ["taste"]
    path.write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["harness", "gate", str(copied_run), "--margin", "2pp"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == EXIT_INTERNAL
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "error: The gate has no answer, because of an error that it does not know (KeyError: 'taste'); please report "
        "it.\n"
    )


def test_the_help_of_the_gate_says_what_the_codes_mean() -> None:
    done = command("gate", "--help", TERMINAL_WIDTH="200")
    assert done.exit_code == 0
    words = " ".join(done.output.split())
    assert "Exit codes: 0 every model is within the margin" in words
    assert "64 something asked for is wrong; 70 the gate itself failed" in words


def test_the_gate_for_machines(real_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "gate.xml"
    done = command("gate", real_run, "--json", "--junit", path, "--max-kld", "0.05")
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert (found["outcome"], found["margin"]) == ("beyond", 0.01)
    of_kld = {check["model"]: check["outcome"] for check in found["checks"] if check["metric"] == "kld_mean"}
    assert of_kld == {"q8_0": "within", "q2_k": "beyond"}
    counts = {suite.name: (suite.tests, suite.failures) for suite in JUnitXml.fromfile(str(path))}
    assert counts["q8_0"] == (3, 0)
    assert counts["q2_k"][1] >= 2


def test_options_of_the_gate_come_from_the_environment(real_run: Path) -> None:
    settings = {"HARNESS_MARGIN": "5pp", "HARNESS_MODELS": "q8_0", "HARNESS_SCENARIOS": "world_facts"}
    assert command("gate", HARNESS_RUN=str(real_run), **settings).exit_code == 0


# report


def test_reports_are_made_anew(copied_run: Path) -> None:
    before = {name: (copied_run / name).read_bytes() for name in ("report.md", "report.html")}
    for name in before:
        (copied_run / name).unlink()
    done = command("report", copied_run)
    assert done.exit_code == 0
    assert {name: (copied_run / name).read_bytes() for name in before} == before
    assert "q2_k" in done.output
    assert done.output.splitlines()[-1] == f"The page is {(copied_run / 'report.html').resolve()}"


@pytest.mark.parametrize(("browser", "code"), [("true", 0), ("no-such-program", 1)])
def test_the_page_is_opened(copied_run: Path, browser: str, code: int) -> None:
    """The browser is a program that takes an address and says by its exit code whether it went well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    settings = {"BROWSER": shutil.which(browser) or browser, "PATH": ""}
    words = [sys.executable, "-m", "harness", "report", str(copied_run), "--open"]
    done = subprocess.run(words, env=kept | settings, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert ("No browser was found" in done.stdout) == bool(code)


def test_a_folder_that_is_no_run_gets_no_reports(tmp_path: Path) -> None:
    done = command("report", tmp_path)
    assert str(done.exception) == f"{tmp_path} is no run: it has no run.json; name a folder that `harness run` made."
    assert list(tmp_path.iterdir()) == []


# compare


def test_a_run_compared_with_itself(real_run: Path) -> None:
    done = command("compare", real_run, real_run)
    assert done.exit_code == 0
    first, margin, *lines, note = done.output.splitlines()
    # Of bits per byte, and where the reference guesses, nothing is inconclusive.
    assert first == "Of 12 tasks (f16, q8_0, q2_k): 0 with a loss shown, 0 with a gain, 6 inconclusive."
    assert margin == "The margin is 1 pp, that of the second run."
    assert note.startswith("world_choice (multiple_choice_joint) gets no verdict")
    assert len(lines) == 3 * 5  # models, and four ways of asking and all of them together
    assert all("flips -0 +0" in line for line in lines if "world_text" not in line)
    assert "q8_0, world_facts (generation): 1.000 to 1.000 over 40, +0.0 pp" in done.output


def test_losses_and_gains_are_counted_in_the_direction_of_their_metric() -> None:
    shown = [("exact_match", -0.5, 0.01), ("exact_match", 0.5, 0.01), ("bits_per_byte", 0.5, 0.01)]
    others = [("exact_match", -0.5, 0.2), ("exact_match", -0.5, math.nan)]
    rows = [
        {"model": "q8_0", "scenario": "a", "metric": metric, "delta": delta, "p_holm": p_holm, "verdict": ""}
        for metric, delta, p_holm in shown + others
    ]
    whole = rows[0] | {"scenario": "all", "metric": "accuracy"}
    said = "Of 5 tasks (q8_0): 2 with a loss shown, 1 with a gain, 0 inconclusive."
    assert summary([*rows, whole], METRICS) == said


def test_the_margin_of_a_comparison_is_told(real_run: Path) -> None:
    assert "The margin is 5 pp, as --margin says." in command("compare", real_run, real_run, "--margin", "5pp").output


def test_a_comparison_for_machines(real_run: Path) -> None:
    done = command("compare", real_run, real_run, "--json", "--margin", "5pp")
    rows = json.loads(done.stdout)
    (row,) = [row for row in rows if (row["model"], row["scenario"], row["metric"]) == ("q2_k", "all", "accuracy")]
    assert (row["delta"], row["verdict"]) == (0, "equivalent")


# plan


def test_a_plan_before_anything_is_asked() -> None:
    done = command("plan", "--delta", "1pp", "--flip-rate", "5%", "--instances", "400")
    delta, heading, figures, flips, meaning = done.output.splitlines()
    assert delta.endswith("being 1 pp (--delta):")
    assert heading.split() == ["flips", "effect", "non-inf.", "equiv.", "diff.", "shows"]
    assert flips == "flips: answers that change sides."
    assert figures.split()[0] == "5.0%"
    # The textbook's 3,092; the very interval takes a little more.
    assert 3092 <= int(figures.split()[2].replace(",", "")) <= 3200
    assert meaning == "shows: the loss that 400 instances show four times of five."


def test_a_plan_for_machines_and_what_cannot_be() -> None:
    (row,) = json.loads(command("plan", "--flip-rate", "0.5%", "--json").output)
    assert row["difference"] is None
    assert command("plan", "--flip-rate", "0.5%").output.endswith("-: so few flips cannot make a loss of 1 pp.\n")


def test_a_plan_from_a_run(real_run: Path) -> None:
    done = command("plan", "--run", real_run, "--scenarios", "world_facts,all", "--cluster-size", "5", "--icc", "0.2")
    lines = [line.rstrip() for line in done.output.splitlines()]
    assert lines[1].split() == "model scenario asked flips effect non-inf. equiv. diff. more".split()
    rows = [line.split() for line in lines[2:6]]
    assert [row[:2] for row in rows] == [
        [model, scenario] for model in ("q8_0", "q2_k") for scenario in ("world_facts", "all")
    ]
    assert all(row[-5] == "1.8" for row in rows)
    # Two bits have lost for certain, and eight have not.
    assert [row[-1] == "decided" for row in rows] == [False, False, True, True]
    assert lines[6:] == [
        "flips: answers that change sides, in the run at most (upper limit at 95%).",
        "effect: so many instances are worth one that stands alone, by --cluster-size and --icc.",
        "more: until non-inferior; decided where the run shows a loss for certain.",
    ]
    assert "worth one that stands alone, by the run." in command("plan", "--run", real_run).output
    rows = json.loads(command("plan", "--run", real_run, "--json").output)
    assert rows[0]["more"] == rows[0]["noninferiority"] - 40
    more = {(row["model"], row["scenario"]): row["more"] for row in rows}
    assert more["q2_k", "world_facts (generation)"] is None


@pytest.mark.parametrize("words", [[], ["--instances", "400"], ["--cluster-size", "5", "--icc", "0.2"]])
def test_a_plan_fits_a_terminal_and_keeps_its_figures(real_run: Path, words: list[str]) -> None:
    done = command("plan", "--run", real_run, *words, COLUMNS="80")
    assert max(map(len, done.output.splitlines())) <= 80
    assert "\u2026" not in done.output  # nothing is cut
    rows = json.loads(command("plan", "--run", real_run, *words, "--json").output)
    assert all(f"{row['equivalence']:,}" in done.output for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--flip-rate", "5"],
            "--flip-rate: '5' is no share above 0 and below 100 points; write it like 1pp or 0.5pp.",
        ),
        (["--delta", "0pp"], "--delta: '0pp' is no share above 0 and below 100 points; write it like 1pp or 0.5pp."),
        (["--scenarios", "x"], "--scenarios names scenarios of a run; give --run too."),
        (["--run", "x", "--flip-rate", "5%"], "--flip-rate and --run contradict each other; leave one of them out."),
    ],
)
def test_plans_that_make_no_sense(words: list[str], said: str) -> None:
    assert str(command("plan", *words).exception) == said
