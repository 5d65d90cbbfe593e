"""`harness export`: what a run asks, for other people's harnesses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.shared import DatasetDir, ScenarioFile, make_console, names
from harness.errors import UserError
from harness.evidence.load import load_record
from harness.execution.tasks import Asking
from harness.interop.helm.folder import write_helm
from harness.interop.inspect.folder import write_inspect
from harness.interop.lm_eval.folder import write_lm_eval
from harness.interop.served import MOST_PORT
from harness.interop.source import Source, Wanted, source_of_models, source_of_run
from harness.reports.files import run_folder
from harness.scenarios.suites import DEFAULT_SUITE

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Sources = Annotated[
    list[str],
    typer.Argument(
        help="A folder of `harness run`; or [LABEL=]FILE.gguf, and LABEL=URL of endpoints that run already.",
        metavar="RUN|MODEL...",
        envvar="HARNESS_SOURCES",
    ),
]
Out = Annotated[Path, typer.Option(help="Folder to write.", envvar="HARNESS_OUT")]
Suite = Annotated[
    str,
    typer.Option(
        help="Selections of scenarios, by commas.",
        envvar="HARNESS_SUITE",
        show_default=f"{DEFAULT_SUITE}, where no scenarios are named",
    ),
]
Scenarios = Annotated[str, typer.Option(help="Names, by commas.", envvar="HARNESS_SCENARIOS")]
MaxInstances = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Instances a scenario, at most; 0 for all.",
        envvar="HARNESS_MAX_INSTANCES",
        show_default="400",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Seed of every random choice.", envvar="HARNESS_SEED", show_default="0"),
]
Port = Annotated[
    int,
    typer.Option(
        min=1, max=MOST_PORT, help="Of the first model's server; the next ones follow.", envvar="HARNESS_PORT"
    ),
]


@app.callback()
def export() -> None:
    """Write what a run asks, or what models are to be asked, as other people's harnesses read it."""


def _add(name: str, harness: str, write: Callable[[Path, Source, int], list[str]]) -> None:
    """Add the command that writes a folder for one harness; ``write`` returns sentences for the user."""

    @app.command(
        name=name,
        help=f"""Write a folder in which {harness} asks the same: its README has the commands.

        Of a run its models and all that it asked; of models the scenarios that are named.

        Exit codes: 0 written; 2 something asked for is wrong; 1 an endpoint failed.
        """,
    )
    def command(
        sources: Sources,
        out: Out,
        suite: Suite = "",
        scenarios: Scenarios = "",
        scenario_file: ScenarioFile = None,
        max_instances: MaxInstances = None,
        seed: Seed = None,
        dataset_dir: DatasetDir = None,
        port: Port = 8001,
    ) -> None:
        source = read_source(sources, suite, scenarios, scenario_file, max_instances, seed, dataset_dir)
        with run_folder(out) as folder:
            notes = write(folder, source, port)
        say(out, [*source.notes, *notes])


_add("helm", "crfm-helm", write_helm)
_add("lm-eval", "lm-eval", write_lm_eval)
_add("inspect", "Inspect", write_inspect)


def read_source(
    sources: list[str],
    suite: str,
    scenarios: str,
    scenario_file: list[Path] | None,
    max_instances: int | None,
    seed: int | None,
    dataset_dir: Path | None,
) -> Source:
    """What is to be exported, by the sources and options of the command line.

    Raises:
        UserError: something that is named is not there, or options say what the run says already.
        RunError: an endpoint does not answer.
    """
    folders = [word for word in sources if Path(word).is_dir()]
    if not folders:
        wanted = Wanted(
            suites=names(suite) or (() if scenarios or scenario_file else (DEFAULT_SUITE,)),
            scenarios=names(scenarios),
            scenario_files=tuple(scenario_file or ()),
            dataset_dir=dataset_dir,
            asking=Asking(max_instances=400 if max_instances is None else max_instances or None, seed=seed or 0),
        )
        return source_of_models(sources, wanted)
    if len(sources) > 1:
        raise UserError(
            f"{folders[0]} is a folder; name one run alone, or [LABEL=]FILE.gguf and LABEL=URL of endpoints."
        )
    if suite or scenarios or scenario_file or max_instances is not None or seed is not None:
        raise UserError(
            f"{folders[0]} is a run, which says itself what was asked; leave out --suite, --scenarios, "
            "--scenario-file, --max-instances and --seed."
        )
    record = load_record(Path(folders[0]))
    if dataset_dir:  # the data may lie elsewhere now
        record = record | {"spec": record["spec"] | {"dataset_dir": str(dataset_dir)}}
    return source_of_run(record)


def say(out: Path, notes: list[str]) -> None:
    """Print what was not written as a reader may expect, and where to begin."""
    for note in notes:
        make_console(stderr=True).print(note, soft_wrap=True)
    make_console().print(f"What to do next is in {out / 'README.md'}", soft_wrap=True)
