"""What several commands share: options, exit codes, consoles and lists."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

EXIT_INCOMPLETE = 3
"""Some of what was asked for was not done, because data cannot be had."""

RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.", metavar="RUN", envvar="HARNESS_RUN")]
Margin = Annotated[
    str,
    typer.Option(
        help="The loss that counts as none, in percentage points.",
        envvar="HARNESS_MARGIN",
        show_default="the run's own",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.", envvar="HARNESS_JSON")]
DatasetDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with tables of data sets, laid out as on the Hub.",
        envvar="HARNESS_DATASET_DIR",
        show_default="the Hub",
    ),
]
ScenarioFile = Annotated[
    list[Path] | None,
    typer.Option(
        help="YAML file of a scenario of your own; may be given several times.", envvar="HARNESS_SCENARIO_FILE"
    ),
]


def names(text: str) -> tuple[str, ...]:
    """Names that stand in one option, with commas between them."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def make_console(*, stderr: bool = False) -> Console:
    """A console that prints names as they are: brackets and colons in a file's name are no markup."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_list(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool) -> None:
    """A table with a row a thing, or the same as JSON."""
    if as_json:
        sys.stdout.write(json.dumps([dict(zip(headings, row, strict=True)) for row in rows], indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    make_console().print(table)
