"""``report.html``: everything in one file, which asks nothing of any network.

The page may run only the scripts that it was written with (by their hashes) and may load nothing at all; both are said
in its content security policy, so nothing in a prompt can undo it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import math
from typing import Any

import plotly.offline
from jinja2 import Environment, StrictUndefined

from harness.degradation.divergence import by_confidence
from harness.efficiency.samples import Quantity
from harness.reports import numbers
from harness.reports.flips import embed, flips_of
from harness.reports.heat_map import heat_map
from harness.reports.markdown import files, versions
from harness.reports.overview import NOISE, columns, headings, legend, overview
from harness.reports.plots.base import Plot, tone
from harness.reports.plots.forest import forest
from harness.reports.plots.speed import speed
from harness.reports.plots.spread import divergence_spread, perplexity
from harness.reports.plots.trade_off import accuracy_by_size, divergence_by_size
from harness.reports.recommendation import recommend, speed_ratio
from harness.reports.rows import HEADINGS, records, rows_of
from harness.results import Run

SCRIPTS = ("theme.js", "plots.js", "tokens.js", "flips.js")
STYLES = ("page.css", "parts.css")
MARKS = {"good": "✓", "unsure": "?", "bad": "✕", "": "–"}


def html_page(run: Run) -> str:
    """The whole page. What a run does not have, nor does the page: nothing that is missing makes it fail."""
    plots = [plot for plot in _plots(run) if plot]
    scripts = [plotly.offline.get_plotlyjs() if plots else "", _joined(SCRIPTS)]
    shown = columns(run)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_asset("page.html.j2")).render(
        run=run,
        name=_name(run),
        policy=_policy(scripts),
        style=_joined(STYLES),
        scripts=scripts,
        found=recommend(run),
        cards=_cards(run),
        shown=shown,
        asked=bool(run.measured.instances["correct"].notna().any()),
        headings=headings(run).cells(shown),
        lines=[(line.cells(shown), _tone_of(line.verdict)) for line in overview(run)],
        legend=legend(run),
        plots={plot.name: plot for plot in plots},
        drawings=embed({plot.name: plot.views for plot in plots}),
        heat=heat_map(run),
        row_headings=HEADINGS,
        rows={
            model["label"]: list(rows_of(run.findings.degradation, model["label"], run.margin, run.kinds))
            for model in run.models
            if model["label"] != run.reference
        },
        slices=_slices(run),
        confidence=_confidence(run),
        flips=embed(flips_of(run)),
        versions=versions(run),
        files=files(run),
    )


def _plots(run: Run) -> list[Plot | None]:
    return [
        divergence_by_size(run),
        accuracy_by_size(run),
        forest(run),
        divergence_spread(run),
        perplexity(run),
        speed(run, Quantity.DECODE),
        speed(run, Quantity.PREFILL),
    ]


def _cards(run: Run) -> list[dict[str, Any]]:
    """One a quantization, in the order of the table."""
    rows = {row["model"]: row for row in records(run.summary)}
    base = rows[run.reference]
    found: list[dict[str, Any]] = []
    shown = columns(run)
    for line in overview(run):
        row = rows[line.model]
        if row["is_reference"] or row["is_null"]:
            continue
        smaller = base["bytes"] / row["bytes"]
        facts = [] if math.isnan(smaller) else [("size", f"{line.size}, {numbers.times(smaller)}x smaller")]
        faster = speed_ratio(run, line.model)
        told = "no clear difference" if math.isnan(faster) else f"{faster:.1f}x as fast"
        facts += [("speed", f"{line.speed} tok/s, {told}")] if line.speed else []
        facts += [("accuracy", line.delta)] if line.delta else []
        facts += [("flips", line.flips)] if line.flips else []
        facts += [("KLD", line.kld)] if line.kld else []
        facts += [("PPL ratio", line.ppl_ratio), ("same top p", line.same_top)] if "ppl_ratio" in shown else []
        how = tone(row["verdict"])
        found.append(
            {
                "model": line.model,
                "tone": how,
                "mark": MARKS[how],
                "verdict": (line.verdict or "no verdict") if "verdict" in shown else "",
                "advice": row["advice"],
                "facts": facts,
            }
        )
    return found


def _slices(run: Run) -> list[tuple[str, ...]]:
    """Slices to which a loss is attributed."""
    slices = run.findings.slices
    if slices.empty:
        return []
    rows = records(slices[slices["attributed"]])
    return [
        (
            *(row["model"], row["scenario"], row["kind"] or "all", str(row["n"])),
            *(f"{numbers.signed(row['delta'], True)} pp", numbers.p_value(row["p_bh"])),
        )
        for row in rows
    ]


def _confidence(run: Run) -> list[tuple[str, ...]]:
    """Divergence by how sure the reference was of its likeliest token."""
    tokens = run.measured.tokens
    rows = records(by_confidence(tokens)) if len(tokens) else []
    return [
        (
            *(row["model"], f"{100 * row['top_low']:.0f}% to {100 * row['top_high']:.0f}%", numbers.count(row["n"])),
            *(numbers.divergence(row["kld_mean"]), numbers.divergence(row["kld_p99"]), numbers.share(row["same_top"])),
        )
        for row in rows
    ]


def _tone_of(told: str) -> str:
    return "" if told == NOISE else tone(told.partition(":")[0])


def _name(run: Run) -> str:
    """What the reference's file calls itself, or its label."""
    names = [model.get("name") for model in run.models if model["label"] == run.reference]
    return str(next((name for name in names if name), run.reference))


def _policy(scripts: list[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts if script]
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(_asset(name) for name in names)


def _asset(name: str) -> str:
    return (importlib.resources.files("harness.reports") / "html" / name).read_text(encoding="utf-8")
