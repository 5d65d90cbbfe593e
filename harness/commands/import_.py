"""`harness import`: results of other harnesses, compared as runs of our own are."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.shared import AsJson, make_console
from harness.interop.imports.run import ImportSpec, import_run
from harness.options import read_margin
from harness.reports.files import run_folder, write_run
from harness.reports.terminal import print_table

app = typer.Typer(
    help="Compare what another harness wrote of two or more models, answer by answer.", no_args_is_help=True
)

Folders = Annotated[
    list[str],
    typer.Argument(
        metavar="[LABEL=]DIR...",
        help="Result folders; one may hold several models.",
        envvar="HARNESS_FOLDERS",
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        help="Model to compare with: its name, or what begins it.",
        envvar="HARNESS_REFERENCE",
        show_default="the first folder's model",
    ),
]
Metric = Annotated[
    list[str] | None,
    typer.Option(
        help="Judge tasks by this metric where they have it; may be given several times.",
        envvar="HARNESS_METRIC",
        show_default="the first of each task",
    ),
]
MarginOfRun = Annotated[
    str, typer.Option(help="The loss that counts as none, in percentage points.", envvar="HARNESS_MARGIN")
]
Seed = Annotated[int, typer.Option(min=0, help="For resampling.", envvar="HARNESS_SEED")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the results.", envvar="HARNESS_OUT", show_default="results/<date and time>"),
]


@app.command()
def helm(
    folders: Folders,
    reference: Reference = None,
    metric: Metric = None,
    margin: MarginOfRun = "1pp",
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare models by runs of HELM (benchmark_output/runs/SUITE).

    Exit codes: 0 compared; 2 something is missing or cannot be compared, and nothing was written.
    """
    _import("helm", folders, reference, metric, margin, seed, out, as_json=as_json)


@app.command(name="lm-eval")
def lm_eval(
    folders: Folders,
    reference: Reference = None,
    metric: Metric = None,
    margin: MarginOfRun = "1pp",
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare models by runs of lm-eval with --log_samples (what --output_path named).

    Exit codes: 0 compared; 2 something is missing or cannot be compared, and nothing was written.
    """
    _import("lm-eval", folders, reference, metric, margin, seed, out, as_json=as_json)


def _import(
    harness: str,
    folders: list[str],
    reference: str | None,
    metrics: list[str] | None,
    margin: str,
    seed: int,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    spec = ImportSpec(harness, tuple(folders), reference, tuple(metrics or ()), read_margin(margin), seed)
    place = out or Path("results") / datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with run_folder(place) as folder:
        found = import_run(spec)
        write_run(folder, found)
    if as_json:
        sys.stdout.write(found.findings.degradation.to_json(orient="records", indent=2, double_precision=15) + "\n")
        for note in (*found.notes, f"Everything else is in {place}"):
            print(note, file=sys.stderr)
        return
    console = make_console()
    print_table(console, found)
    console.print(f"Everything else is in {place}", soft_wrap=True)
