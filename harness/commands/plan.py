"""`harness plan`: how many instances are needed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from harness import load_run
from harness.commands.shared import AsJson, make_console, names
from harness.degradation.judging import ALPHA
from harness.degradation.power import design_effect
from harness.errors import UserError
from harness.evidence.plan import Needed, NeededHere, needed, needed_of, shown_by
from harness.methods import short_name
from harness.options import read_share
from harness.reports import numbers
from harness.results import Run

FLIP_RATE = "5%"
NONE = "-"
OF_RUN = "with --run, what its clusters show"
HEADINGS = {
    "flip_rate": "flips",
    "noninferiority": "non-inf.",
    "equivalence": "equiv.",
    "difference": "diff.",
    "detectable": "shows",
}
DECIDED = "decided"


def plan(
    delta: Annotated[
        str, typer.Option(help="The loss that would matter, in percentage points.", envvar="HARNESS_DELTA")
    ] = "1pp",
    flip_rate: Annotated[
        str,
        typer.Option(
            help="Share of the answers that change sides.", envvar="HARNESS_FLIP_RATE", show_default=FLIP_RATE
        ),
    ] = "",
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a run whose flip rates are taken instead, at their upper limits.", envvar="HARNESS_RUN"
        ),
    ] = None,
    scenarios: Annotated[
        str,
        typer.Option(help="Which scenarios of that run, by commas.", envvar="HARNESS_SCENARIOS", show_default="all"),
    ] = "",
    instances: Annotated[
        int,
        typer.Option(min=0, help="Say also what loss so many instances show; 0 for none.", envvar="HARNESS_INSTANCES"),
    ] = 0,
    cluster_size: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Instances that share a subject or document, on average.",
            envvar="HARNESS_CLUSTER_SIZE",
            show_default=f"1; {OF_RUN}",
        ),
    ] = None,
    icc: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="How alike these are: correlation within a cluster.",
            envvar="HARNESS_ICC",
            show_default=f"0; {OF_RUN}",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many instances it takes to show that nothing is lost, or that something is.

    non-inf. (non-inferior): until it is shown that no loss is as large as DELTA, if nothing is lost; equiv.
    (equivalent): that no difference is, either way; diff. (different): until a loss of DELTA is found. Each with a
    chance of 80%, at 5%.

    Exit codes: 0 said; 2 something asked for is wrong.
    """
    margin = read_share("--delta", delta)
    is_given = cluster_size is not None or icc is not None
    effect = design_effect(cluster_size or 1, icc or 0)
    if run and flip_rate:
        raise UserError("--flip-rate and --run contradict each other; leave one of them out.")
    if scenarios and not run:
        raise UserError("--scenarios names scenarios of a run; give --run too.")
    if run:
        found = load_run(run)
        lost = _losses(found)
        here = needed_of(found, margin, effect=effect if is_given else None, scenarios=names(scenarios))
        records = [_record_here(one, instances, lost) for one in here]
    else:
        records = [_record(needed(read_share("--flip-rate", flip_rate or FLIP_RATE), margin, effect), instances)]
    if as_json:
        sys.stdout.write(json.dumps(records, indent=2) + "\n")
        return
    console = make_console()
    console.print(f"Instances that are needed, the loss that matters being {100 * margin:g} pp (--delta):")
    console.print(_table(records))
    limit = ", in the run at most (upper limit at 95%)" if run else ""
    console.print(f"flips: answers that change sides{limit}.")
    if run or is_given:
        source = "by --cluster-size and --icc" if is_given else "by the run"
        console.print(f"effect: so many instances are worth one that stands alone, {source}.")
    if instances:
        console.print(f"shows: the loss that {numbers.count(instances)} instances show four times of five.")
    if run:
        console.print(f"more: until non-inferior; {DECIDED} where the run shows a loss for certain.")
    if any(record["difference"] is None for record in records):
        console.print(f"{NONE}: so few flips cannot make a loss of {100 * margin:g} pp.")


def _losses(run: Run) -> set[tuple[str, str, str]]:
    """The model, scenario and adapter of every main metric by which a loss is shown (at Holm's level)."""
    table = run.findings.degradation
    rows = table[(table["perturbation"] == "") & (table["p_holm"] <= ALPHA) & (table["delta"] < 0)]
    return set(rows[["model", "scenario", "adapter"]].itertuples(index=False, name=None))


def _record(takes: Needed, instances: int) -> dict[str, Any]:
    loss = shown_by(instances, takes.flip_rate, takes.effect)
    return takes._asdict() | ({"detectable": None if math.isnan(loss) else loss} if instances else {})


def _record_here(one: NeededHere, instances: int, lost: Collection[tuple[str, str, str]]) -> dict[str, Any]:
    """``more`` is None where a loss is shown: more instances would not show that there is none."""
    what = f"{one.scenario} ({short_name(one.adapter)})" if one.adapter else one.scenario
    record = _record(one.needed, instances)
    more = None if (one.model, one.scenario, one.adapter) in lost else one.n_more
    return {"model": one.model, "scenario": what, "asked": one.n} | record | {"more": more}


def _table(records: list[dict[str, Any]]) -> Table:
    """A line a record, figures at the right of their columns; long names are folded, so that it fits the terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in records[0]:
        if name in ("model", "scenario"):
            table.add_column(name, overflow="fold")
        else:
            table.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
    for record in records:
        table.add_row(*map(_cell, record, record.values()))
    return table


def _cell(name: str, value: str | float | None) -> str:
    if value is None:
        return DECIDED if name == "more" else NONE
    if isinstance(value, str):
        return value
    if name == "effect":
        return f"{value:.1f}"
    return numbers.share(value) if name in ("flip_rate", "detectable") else numbers.count(int(value))
