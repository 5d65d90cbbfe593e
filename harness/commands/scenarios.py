"""`harness scenarios`: what can be asked, its data downloaded ahead, and how it looks."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.commands.shared import EXIT_INCOMPLETE, AsJson, DatasetDir, ScenarioFile, make_console
from harness.data.hub import Hub
from harness.data.mirror import Mirror
from harness.data.store import open_store
from harness.data.table import Table
from harness.errors import MissingTable, UserError
from harness.execution.known import known_scenarios, own_scenarios
from harness.execution.prompts import shown_prompts
from harness.methods import short_name
from harness.scenarios.base import Scenario
from harness.scenarios.selection import find_scenarios
from harness.scenarios.suites import SUITES, suites_of

app = typer.Typer(invoke_without_command=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def scenarios(
    context: typer.Context,
    as_json: AsJson = False,
    dataset_dir: DatasetDir = None,
    scenario_file: ScenarioFile = None,
) -> None:
    """List what can be asked; `prefetch` downloads its data ahead, `show` prints one prompt of it.

    Where the number of instances depends on what is in the rows, as where questions without an answer are left out,
    the number of rows is shown. Where data is not here, nothing is known.
    """
    if context.invoked_subcommand:
        return
    store = open_store(dataset_dir)
    records = [_record(scenario, store) for scenario in _known(scenario_file).values()]
    if as_json:
        sys.stdout.write(json.dumps(records, indent=2) + "\n")
    else:
        _print(records)


@app.command()
def prefetch(
    names: Annotated[list[str], typer.Argument(help="Scenarios, or suites of them.", metavar="NAME...")],
    scenario_file: ScenarioFile = None,
) -> None:
    """Download the data of scenarios ahead, so that a run needs no network. One line a table.

    Exit codes: 0 everything is here; 3 some of it could not be had; 2 none of it, or a name is wrong.
    """
    known = _known(scenario_file)
    selectors = [selector for name in names for selector in SUITES.get(name, (name,))]
    store = Hub(lambda line: print(line, file=sys.stderr))
    tables = {
        table: scenario.name
        for scenario in find_scenarios(selectors, known)
        for table in (*scenario.tables, *scenario.example_tables)
    }
    missing: list[MissingTable] = []
    for table, name in tables.items():
        was_here = store.has(table)
        try:
            store.rows(table)
        except MissingTable as error:
            missing.append(error.of(name))
            print(f"error: {missing[-1]}", file=sys.stderr)
        else:
            print(f"{table}: {store.count(table):,} rows, {'here already' if was_here else 'downloaded'}")
    if not tables:
        print("These scenarios need no data.")
    if os.environ.get("HARNESS_DATASET_DIR"):
        print("HARNESS_DATASET_DIR is set, so a run reads that folder instead; unset it to use these.", file=sys.stderr)
    if missing:
        raise typer.Exit(EXIT_INCOMPLETE if len(missing) < len(tables) else UserError.exit_code)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A scenario, or a slice of one such as mmlu:anatomy.")],
    dataset_dir: DatasetDir = None,
    scenario_file: ScenarioFile = None,
) -> None:
    """Print what a model is asked in one instance of a scenario, with each of its adapters."""
    (scenario,) = find_scenarios([name], _known(scenario_file))
    store = open_store(dataset_dir, lambda line: print(line, file=sys.stderr))
    sys.stdout.writelines(shown_prompts(scenario, store))


def _known(files: list[Path] | None) -> dict[str, Scenario]:
    known = known_scenarios()
    return known | own_scenarios(files or (), known)


def _record(scenario: Scenario, store: Hub | Mirror) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "description": scenario.description,
        "adapters": [spec.method for spec in scenario.adapters],
        "metric": scenario.metrics[0],
        "metrics": list(scenario.metrics),
        "shots": [spec.n_shots for spec in scenario.adapters],
        "data": [_table(table) for table in scenario.tables],
        "examples": [_table(table) for table in scenario.example_tables],
        "made_from": scenario.made_from,
        **_counts(scenario, store),
        "here": all(map(store.has, scenario.tables)),
        "examples_here": all(map(store.has, scenario.example_tables)),
        "suites": suites_of(scenario.name),
    }


def _table(table: Table) -> dict[str, Any]:
    return table.name() | {"revision": table.revision}


def _counts(scenario: Scenario, store: Hub | Mirror) -> dict[str, int | None]:
    """Instances, and rows of the tables that they come from; None where there are no tables or they are not here."""
    if not scenario.tables:
        return {"instances": len(scenario.load(store).test), "rows": None}
    try:
        counts = [store.count(table) for table in scenario.tables]
    except MissingTable:  # damaged: whoever asks it is told
        counts = [None]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return {"instances": None, "rows": None}
    return {"instances": scenario.n_instances(known) if scenario.n_instances else None, "rows": sum(known)}


def _print(records: list[dict[str, Any]]) -> None:
    """A line a scenario where the terminal is wide enough, and else two."""
    console = make_console()
    headings = ("scenario", "instances", "here", "adapters", "metric", "data")
    lines = [_cells(record) for record in records]
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= console.width:
        for line in (headings, *lines):
            console.print("  ".join(_justified(line, widths)).rstrip(), soft_wrap=True)
        return
    for line in (headings, *lines):
        console.print("  ".join(_justified(line[:3], widths)).rstrip(), soft_wrap=True)
        more = textwrap.fill("; ".join(line[3:]), console.width - 4, break_long_words=False, break_on_hyphens=False)
        console.print(textwrap.indent(more, "    "), soft_wrap=True)


def _justified(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Cells as wide as their columns; the second one, of numbers, at its right."""
    return [f"{cell:{'>' if i == 1 else '<'}{widths[i]}}" for i, cell in enumerate(line)]


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    here = "yes" if record["examples_here"] else "no examples"
    return (
        record["scenario"],
        _size(record["instances"], record["rows"]),
        here if record["here"] else "no",
        ", ".join(short_name(method) for method in record["adapters"]),
        record["metric"],
        ", ".join(dict.fromkeys(table["dataset"] for table in record["data"]))
        or record["made_from"].split(" sha256")[0],
    )


def _size(instances: int | None, rows: int | None) -> str:
    if instances is not None:
        return f"{instances:,}"
    return "?" if rows is None else f"{rows:,} rows"
