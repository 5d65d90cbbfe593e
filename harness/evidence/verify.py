"""Every number of a run, once more: what follows from the answers must be what is written."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from harness.analysis import analyse
from harness.errors import HarnessError, UserError
from harness.evidence.differences import NOTHING, Compared, Difference, compare_csv, compare_frames, compare_lines
from harness.evidence.judged_again import FAULTS, JudgedAgain, judge_again
from harness.evidence.load import RECORD, load_record, load_run
from harness.keys import ANSWER
from harness.metrics.base import Metric
from harness.metrics.table import METRICS, SET_METRICS
from harness.models.gguf_facts import file_sha256
from harness.reports.files import write_run
from harness.results import Run
from harness.run_spec import PACKAGES

DEGRADATION_KEYS = ["model", "scenario", "adapter", "perturbation", "metric"]
TEXTS = ("*.csv", "report.*")
"""Files that hold figures for people."""
SLICE_KEYS = ["model", "scenario", "adapter", "kind"]


class Verified(NamedTuple):
    """What became of it."""

    differences: list[Difference]
    n_figures: int
    """Figures and lines of reports that were made again and compared."""
    notes: list[str]
    """Sentences on what could not be recomputed, and on why figures may differ without anybody's doing."""


def verify(folder: Path) -> Verified:
    """Recompute a run from its answers.

    In this order: the hash of every Parquet file; what every metric makes of every answer; every cell of
    ``degradation`` and ``slices``; the notes; and every line of the reports that hold figures for people.

    Raises:
        UserError: there is no run, or it cannot be read although its files are those that were written.
    """
    hashes = _hashes(folder, load_record(folder))
    try:
        run = load_run(folder)
    except UserError as error:
        if not hashes.differences:
            raise
        return Verified(hashes.differences, hashes.n_figures, [str(error)])
    if "imported" in run.record:
        return _imported(folder, run, hashes)
    judged = judge_again(run.measured.instances, lambda scenario, adapter: _metrics(run.record, scenario, adapter))
    left_out = _unknown_metrics(run)
    found = hashes + _answers(run, judged)
    if not left_out and not judged.faults:
        try:
            found += _figures(folder, run, judged.scores)
        except FAULTS as error:  # as an answer that is there twice, or that one model lacks
            found += _fails(error)
            left_out = ["The tables and reports were not recomputed, because some answers cannot be compared."]
    elif not left_out:
        left_out = ["The tables and reports were not recomputed, because some answers cannot be judged."]
    notes = [*left_out, *(_versions(run.record) if found.differences else [])]
    return Verified(found.differences, found.n_figures, notes)


def _imported(folder: Path, run: Run, hashes: Compared) -> Verified:
    """Of answers that another harness judged: what follows from its judgements."""
    notes = [
        f"The judgements of single answers are those of {run.record['imported']['from']}, and were not made again; all "
        "that follows from them was."
    ]
    found = hashes
    try:
        found += _figures(folder, run, run.measured.scores)
    except FAULTS as error:
        found += _fails(error)
        notes = ["The tables and reports were not recomputed, because some answers cannot be compared."]
    return Verified(found.differences, found.n_figures, [*notes, *(_versions(run.record) if found.differences else [])])


def _fails(error: Exception) -> Compared:
    why = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
    return Compared([Difference("degradation.parquet", "", "", "a table", f"none, for it fails ({why})")], 0)


def _hashes(folder: Path, record: dict[str, Any]) -> Compared:
    written: dict[str, str] = record["files"]
    found = {path.name: file_sha256(path) for path in folder.glob("*.parquet")}
    names = sorted(written.keys() | found.keys())
    return Compared(
        [
            Difference(RECORD, name, "files", written.get(name, "nothing"), found.get(name, "no such file"))
            for name in names
            if written.get(name) != found.get(name)
        ],
        len(names),
    )


def _versions(record: dict[str, Any]) -> list[str]:
    """Other versions than those of the run, which may draw, round and report otherwise."""
    here = {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}
    others = [
        f"{name} {version} instead of {here[name]}"
        for name, version in record["versions"].items()
        if name in here and version != here[name]
    ]
    if not others:
        return []
    return [
        f"The run was made with other versions: {', '.join(others)}. They may be all that differs: `harness report` "
        "rewrites report.md and report.html with what is installed; the other figures stand as those versions made "
        "them, and follow again where they are installed."
    ]


def _metrics(record: dict[str, Any], scenario: str, adapter: str) -> Sequence[Metric]:
    for task in record["tasks"]:
        if (task["scenario"], task["adapter"]) == (scenario, adapter):
            return [METRICS[name] for name in task["metrics"] if name in METRICS]
    return []


def _unknown_metrics(run: Run) -> list[str]:
    asked = {name for task in run.record["tasks"] for name in task["metrics"]}
    names = sorted(asked - METRICS.keys() - SET_METRICS.keys())
    if not names:
        return []
    n = int(run.measured.scores["metric"].isin(names).sum())
    return [
        f"This version does not know the metrics {', '.join(names)}: {n} scores, and all tables and reports, were not "
        "recomputed."
    ]


def _answers(run: Run, judged: JudgedAgain) -> Compared:
    """``instances`` and ``scores`` against what the metrics say now."""
    faults = [
        Difference("instances.parquet", row, "", "an answer", f"nothing, for it cannot be judged ({fault})")
        for row, fault in judged.faults.items()
    ]
    known = run.measured.scores[run.measured.scores["metric"].isin(METRICS)]
    if faults:  # rows that could not be judged are told once
        return Compared(faults, 0)
    return compare_frames("instances.parquet", run.measured.instances, judged.instances, ANSWER) + compare_frames(
        "scores.parquet", known, judged.scores, [*ANSWER, "metric"]
    )


def _figures(folder: Path, run: Run, scores: pd.DataFrame) -> Compared:
    """All that follows from the answers as they were judged."""
    measured = run.measured._replace(scores=scores)
    again = replace(run, measured=measured, findings=analyse(run.record, measured))
    found = NOTHING
    for name, keys in (("degradation", DEGRADATION_KEYS), ("slices", SLICE_KEYS)):
        found += compare_frames(f"{name}.parquet", getattr(run.findings, name), getattr(again.findings, name), keys)
    found += compare_lines(f"{RECORD}, remarks", "\n".join(run.findings.notes), "\n".join(again.findings.notes))
    with tempfile.TemporaryDirectory() as place:
        write_run(Path(place), again)
        for path in sorted(path for pattern in TEXTS for path in Path(place).glob(pattern)):
            found += _compare_texts(folder / path.name, path)
    return found


def _compare_texts(written: Path, again: Path) -> Compared:
    if not written.is_file():
        return Compared([Difference(written.name, "", "", "nothing", "a file")], 1)
    # From bytes, so that no line end is made another.
    texts = (path.read_bytes().decode("utf-8", "replace") for path in (written, again))
    return (compare_csv if written.suffix == ".csv" else compare_lines)(written.name, *texts)
