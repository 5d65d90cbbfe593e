"""Comparisons for people and for programs: a table in the terminal, in Markdown, and raw figures as JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import rich.box
from rich.console import Console
from rich.table import Table

from bench import peers
from bench.measure import Comparison
from bench.setup import BenchError, Inputs, cores
from bench.vocabulary import LLAMA_CPP_PYTHON

BEGIN, END = "<!-- figures of python -m bench -->", "<!-- end of figures -->"
HEAD = ("work", "against", "ours", "theirs", "ratio (spread)", "bound")


def number(value: float) -> str:
    """Three significant digits at least: ``3.91``, ``48.2``, ``1,585``."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}"


def score(comparison: Comparison) -> str:
    """Median and range over the rounds: ``0.93 (0.91-0.95)``, or ``+312`` where it is an excess."""
    if comparison.excess:
        return f"{comparison.score:+,.0f}"
    return f"{number(comparison.score)} ({number(min(comparison.scores))}-{number(max(comparison.scores))})"


def bound(comparison: Comparison) -> str:
    """What the score is held to, and whether it is missed."""
    held = f"≤{comparison.bound:+,.0f}" if comparison.excess else f"≥{comparison.bound:.2f}"
    return held if comparison.holds else f"{held} no"


def cells(comparison: Comparison) -> tuple[str, ...]:
    """A line of the table, in the order of ``HEAD``."""
    return (
        comparison.work,
        comparison.against,
        number(statistics.median(comparison.ours)),
        number(statistics.median(comparison.theirs)),
        score(comparison),
        bound(comparison),
    )


def print_table(comparisons: Sequence[Comparison], console: Console) -> None:
    """Print the table, as wide as the terminal at most, and the notes under it."""
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for position, name in enumerate(HEAD):
        table.add_column(name, justify="left" if position < 2 else "right", no_wrap=True)
    for comparison in comparisons:
        table.add_row(*cells(comparison), style="" if comparison.holds else "red")
    console.print(table)
    console.print(units(comparisons))
    for note in notes(comparisons):
        console.print(note)


def units(comparisons: Sequence[Comparison]) -> str:
    """What the figures of each row count: ``decode, scoring: tokens/s; memory: MiB``."""
    rows: dict[str, list[str]] = {}
    for comparison in comparisons:
        named = rows.setdefault(comparison.unit, [])
        if comparison.row not in named:
            named.append(comparison.row)
    return "; ".join(f"{', '.join(named)}: {unit}" for unit, named in rows.items())


def notes(comparisons: Sequence[Comparison]) -> list[str]:
    """All notes, each with the work that it is about."""
    return [f"{comparison.work}: {note}" for comparison in comparisons for note in comparison.notes]


def machine(inputs: Inputs) -> dict[str, str]:
    """What the figures were measured on, and with."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": str(cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "llama-cpp-python": LLAMA_CPP_PYTHON,
        "llama.cpp tools": peers.tools_version(inputs) if inputs.tools else "none",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def as_json(comparisons: Sequence[Comparison], inputs: Inputs, command: str) -> str:
    """Every figure of every round, with what it was measured by."""
    lines = [
        dataclasses.asdict(comparison) | {"score": comparison.score, "holds": comparison.holds}
        for comparison in comparisons
    ]
    setup = dataclasses.asdict(inputs.setup)
    report = {"command": command, "machine": machine(inputs), "setup": setup, "comparisons": lines}
    return json.dumps(report, indent=2)


def as_markdown(comparisons: Sequence[Comparison], inputs: Inputs, command: str) -> str:
    """The command, the machine, the table and its notes."""
    rows = [HEAD, ("---",) * len(HEAD), *map(cells, comparisons)]
    about = "; ".join(f"{name}: {value}" for name, value in machine(inputs).items())
    setup = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(inputs.setup).items())
    parts = [
        f"    {command}",
        f"Measured over {inputs.rounds} rounds. {about}. Context: {setup}.",
        f"In units of {units(comparisons)}.",
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
        "\n".join(f"- {note}" for note in notes(comparisons)),
    ]
    return "\n\n".join(part for part in parts if part)


def insert(document: Path, figures: str) -> None:
    """Put figures between the two marks of a document, in place of what is there.

    Raises:
        BenchError: the document has no such marks.
    """
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise BenchError(f"{document.name}: it has no lines {BEGIN} and {END} to put the table between.")
    document.write_text(f"{before}{begin}\n\n{figures}\n\n{end}{after}", encoding="utf-8")
