"""`harness run`: the main job."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from harness.commands.shared import EXIT_INCOMPLETE, DatasetDir, ScenarioFile, make_console, names
from harness.display import make_display
from harness.errors import UserError
from harness.execution.tasks import Asking
from harness.models.bundled import BUNDLED_MODEL
from harness.models.candidates import find_base
from harness.options import read_margin
from harness.perturbations.table import find_perturbations
from harness.reports.terminal import print_table
from harness.run import run as run_job
from harness.run_spec import RunSpec
from harness.scenarios.suites import DEFAULT_SUITE, suite_names
from harness.served.base import Source
from harness.served.files import Files
from harness.served.running import RunningEndpoints, read_named

DEFAULT_MODELS = "q4_k_m,q8_0"
DEFAULT_CACHE = Path(platformdirs.user_cache_dir("quant-harness")) / "gguf"


def run(
    call: typer.Context,
    models: Annotated[
        str | None,
        typer.Option(
            help="What to compare, by commas: names (`harness models` lists them), GGUF or YAML files.",
            envvar="HARNESS_MODELS",
            show_default=DEFAULT_MODELS,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The base model: a GGUF in F16, BF16 or F32, or OWNER/REPO[@REVISION] on the Hugging Face Hub.",
            envvar="HARNESS_MODEL",
            show_default="the bundled one",
        ),
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=URL[#MODEL]",
            help="Instead of files: endpoints that already run, one an option, the reference first. #MODEL where one "
            "has several.",
            envvar="HARNESS_ENDPOINT",
        ),
    ] = None,
    endpoint_key: Annotated[
        str | None,
        typer.Option(help="Key that is sent to the endpoints, and written nowhere.", envvar="HARNESS_ENDPOINT_KEY"),
    ] = None,
    endpoint_context: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens of their contexts, where they do not say.", envvar="HARNESS_ENDPOINT_CONTEXT"),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="What to compare with: a name, a path or an endpoint's label.",
            envvar="HARNESS_REFERENCE",
            show_default="the base model, or the first endpoint",
        ),
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            help=f"Selections of scenarios, by commas: {', '.join(suite_names())} (all whose data is here).",
            envvar="HARNESS_SUITE",
            show_default=f"{DEFAULT_SUITE}, where no scenarios are named",
        ),
    ] = "",
    scenarios: Annotated[
        str,
        typer.Option(
            help="Names, by commas; `harness scenarios` lists them. mmlu:anatomy+astronomy names slices of one. "
            "`none` asks no questions and compares next-token distributions only.",
            envvar="HARNESS_SCENARIOS",
        ),
    ] = "",
    scenario_file: ScenarioFile = None,
    max_instances: Annotated[
        int, typer.Option(min=0, help="Instances a scenario, at most; 0 for all.", envvar="HARNESS_MAX_INSTANCES")
    ] = 400,
    trials: Annotated[
        int, typer.Option(min=1, max=100, help="Ask so often, after other examples.", envvar="HARNESS_TRIALS")
    ] = 1,
    chat: Annotated[
        bool, typer.Option("--chat", help="Put prompts into the model's chat template.", envvar="HARNESS_CHAT")
    ] = False,
    perturbations: Annotated[
        str,
        typer.Option(help="Ask changed questions too: names or groups, by commas.", envvar="HARNESS_PERTURBATIONS"),
    ] = "",
    margin: Annotated[
        str, typer.Option(help="The loss that counts as none, in percentage points.", envvar="HARNESS_MARGIN")
    ] = "1pp",
    divergence_text: Annotated[
        Path | None,
        typer.Option(
            help="UTF-8 text over which next-token distributions are compared.",
            envvar="HARNESS_DIVERGENCE_TEXT",
            show_default="the bundled corpus' held-out text",
        ),
    ] = None,
    divergence_windows: Annotated[
        int,
        typer.Option(min=0, help="Windows of that text, at most; 0 for all.", envvar="HARNESS_DIVERGENCE_WINDOWS"),
    ] = 64,
    no_divergence: Annotated[
        bool,
        typer.Option(
            "--no-divergence", help="Do not compare next-token distributions.", envvar="HARNESS_NO_DIVERGENCE"
        ),
    ] = False,
    null: Annotated[
        bool,
        typer.Option(
            "--null", help="Ask the reference once more, in other batches: the noise floor.", envvar="HARNESS_NULL"
        ),
    ] = False,
    no_efficiency: Annotated[
        bool, typer.Option("--no-efficiency", help="Do not measure speeds.", envvar="HARNESS_NO_EFFICIENCY")
    ] = False,
    dataset_dir: DatasetDir = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results.", envvar="HARNESS_OUT", show_default="results/DATE-TIME"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random choice.", envvar="HARNESS_SEED")] = 0,
    concurrency: Annotated[
        int, typer.Option(min=1, max=128, help="Requests under way at once.", envvar="HARNESS_CONCURRENCY")
    ] = 16,
    cache_dir: Annotated[
        Path,
        typer.Option(
            help="Where quantized files are kept.", envvar="HARNESS_CACHE_DIR", show_default="the user's cache folder"
        ),
    ] = DEFAULT_CACHE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.", envvar="HARNESS_JSON")] = False,
) -> None:
    """Quantize a model, serve every quantization, ask all of them the same, and report what was lost.

    Exit codes: 0 all was asked; 3 some scenarios could not be asked, for want of their data or because an endpoint
    cannot do it, and the others were; 2 something asked for is wrong, or nothing can be asked; 1 something failed on
    the way; 130 interrupted.
    """
    if not endpoint:
        _refuse_unused(call)
    spec = RunSpec(
        models=_source(models, model, endpoint, endpoint_key, endpoint_context, cache_dir),
        reference=reference,
        suites=names(suite) or (() if scenarios or scenario_file else (DEFAULT_SUITE,)),
        scenarios=names(scenarios),
        scenario_files=tuple(scenario_file or ()),
        asking=Asking(
            max_instances=max_instances or None,
            seed=seed,
            trials=trials,
            chat=chat,
            perturbations=tuple(find_perturbations(list(names(perturbations)))),
        ),
        margin=read_margin(margin),
        divergence=not no_divergence,
        divergence_text=divergence_text,
        divergence_windows=divergence_windows or None,
        efficiency=not no_efficiency,
        null=null,
        dataset_dir=dataset_dir,
        concurrency=concurrency,
        out=out or Path("results") / datetime.datetime.now().strftime("%Y%m%d-%H%M%S"),
    )
    result = run_job(spec, make_display(make_console(stderr=True)))
    if as_json:
        sys.stdout.write(result.findings.degradation.to_json(orient="records", indent=2, double_precision=15) + "\n")
        for note in (*result.notes, f"Everything else is in {spec.out}"):
            print(note, file=sys.stderr)
    else:
        console = make_console()
        print_table(console, result)
        console.print(f"Everything else is in {spec.out}", soft_wrap=True)
    if result.record["left_out"]:
        raise typer.Exit(EXIT_INCOMPLETE)


def _source(
    models: str | None,
    model: str | None,
    endpoints: list[str] | None,
    key: str | None,
    context: int | None,
    cache_dir: Path,
) -> Source:
    """Where the models are: in files, or behind endpoints that already run."""
    if not endpoints:
        base = find_base(str(BUNDLED_MODEL) if model is None else model)
        return Files(base, names(DEFAULT_MODELS if models is None else models), cache_dir)
    also = "--models" if models is not None else "--model" if model is not None else None
    if also:
        raise UserError(
            f"--endpoint and {also} cannot be named together (nor by their environment variables): serve the file with "
            "`harness serve`, and name that server as an endpoint."
        )
    return RunningEndpoints(tuple(map(read_named, endpoints)), key, context)


def _refuse_unused(call: typer.Context) -> None:
    """Endpoints' options without an endpoint; variables of the environment may stand there for other commands."""
    for parameter, option in (("endpoint_key", "--endpoint-key"), ("endpoint_context", "--endpoint-context")):
        source = call.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            raise UserError(f"{option} is of endpoints, and none is named; name them with --endpoint LABEL=URL.")
