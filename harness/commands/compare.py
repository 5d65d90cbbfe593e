"""`harness compare`: two runs of the same questions."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness import load_run
from harness.commands.shared import AsJson, Margin, make_console
from harness.degradation.judging import ALPHA
from harness.degradation.pooled import ALL
from harness.degradation.verdict import Verdict
from harness.evidence.compare import Comparison, compare_runs
from harness.methods import short_name
from harness.metrics.kinds import Kinds
from harness.options import read_margin
from harness.reports import numbers


def compare(
    before: Annotated[Path, typer.Argument(help="The folder of the run before.", envvar="HARNESS_BEFORE")],
    after: Annotated[Path, typer.Argument(help="The folder of the run after it.", envvar="HARNESS_AFTER")],
    margin: Margin = "",
    as_json: AsJson = False,
) -> None:
    """Say what changed from one run to another, for every model that both have, on the questions that both asked.

    Exit codes: 0 they were compared, whatever came out; 2 they cannot be.
    """
    first, second = load_run(before), load_run(after)
    share = read_margin(margin) if margin else second.margin
    found = compare_runs(first, second, margin=share)
    if as_json:
        sys.stdout.write(found.table.to_json(orient="records", indent=2, double_precision=15) + "\n")
        for note in found.notes:
            print(note, file=sys.stderr)
        return
    console = make_console()
    rows = [row for row in found.table.to_dict("records") if _is_shown(row, found)]
    console.print(summary(rows, second.kinds), soft_wrap=True)
    console.print(f"The margin is {100 * share:g} pp, {'as --margin says' if margin else 'that of the second run'}.")
    for row in rows:
        console.print(sentence(row, second.kinds), soft_wrap=True)
    for note in found.notes:
        console.print(note, soft_wrap=True)


def _is_shown(row: Mapping[Hashable, Any], found: Comparison) -> bool:
    """Main metrics of originals, and all of them together."""
    is_main = found.mains.get((row["scenario"], row["adapter"])) == row["metric"]
    return row["scenario"] == ALL or (is_main and not row["perturbation"])


def summary(rows: Sequence[Mapping[Hashable, Any]], kinds: Kinds) -> str:
    """``Of 12 tasks (f16, q8_0): 2 with a loss shown, 0 with a gain, 4 inconclusive.``, by Holm's p-values."""
    tasks = [row for row in rows if row["scenario"] != ALL]
    shown = [_better(row, kinds) for row in tasks if row["p_holm"] <= ALPHA]
    n_inconclusive = sum(row["verdict"] == Verdict.INCONCLUSIVE for row in tasks)
    models = ", ".join(dict.fromkeys(row["model"] for row in tasks))
    return (
        f"Of {len(tasks)} tasks ({models}): {shown.count(False)} with a loss shown, {shown.count(True)} with a gain, "
        f"{n_inconclusive} inconclusive."
    )


def _better(row: Mapping[Hashable, Any], kinds: Kinds) -> bool:
    kind = kinds.get(str(row["metric"]))
    return bool((row["delta"] > 0) == (kind is None or kind.higher_is_better))


def sentence(row: Mapping[Hashable, Any], kinds: Kinds) -> str:
    """``q4_k_m, world_facts (generation): 0.940 to 0.935 over 400, -0.5 pp (-1.2 .. +0.1), flips -3 +1, ...``."""
    what = f"{row['scenario']} ({short_name(row['adapter'])})" if row["adapter"] else row["scenario"]
    is_share = row["metric"] not in kinds or kinds[row["metric"]].is_share
    figures = [
        f"{numbers.figure(row['reference_value'])} to {numbers.figure(row['value'])} over {numbers.count(row['n'])}",
        numbers.difference(row["delta"], row["ci_low"], row["ci_high"], is_share=is_share),
        f"flips -{row['flips_to_wrong']} +{row['flips_to_right']}" if row["flip_rate"] == row["flip_rate"] else "",
        row["verdict"],
    ]
    return f"{row['model']}, {what}: {', '.join(filter(None, figures))}."
