"""`harness gate`: a run held against a margin, as an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from harness import load_run
from harness.commands.shared import AsJson, Margin, RunFolder, make_console, names
from harness.errors import RunError
from harness.evidence.gate import KLD, Check, Gated, Outcome
from harness.evidence.gate import gate as gate_run
from harness.evidence.junit import write_junit
from harness.options import read_margin
from harness.reports import numbers

EXIT_USAGE = 64
"""Bad usage (EX_USAGE of BSD's sysexits.h), since 1 and 2 are answers here."""
EXIT_INTERNAL = 70
"""A fault of this program (EX_SOFTWARE), which Python would end with 1."""


class GateCommand(TyperCommand):
    """A command whose errors have exit codes of their own: 1 and 2 must mean what they say."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the options."""
        with _no_answers():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        with _no_answers():
            return super().invoke(ctx)


@contextmanager
def _no_answers() -> Iterator[None]:
    """Errors that are told in a sentence end with :data:`EXIT_USAGE`, and all others with :data:`EXIT_INTERNAL`."""
    try:
        yield
    except typer.Exit:  # an answer, or --help
        raise
    except Exception as error:
        failure: Any = error
        if hasattr(failure, "exit_code"):
            failure.exit_code = EXIT_USAGE
            raise
        failure = RunError(
            f"The gate has no answer, because of an error that it does not know ({type(error).__name__}: {error}); "
            "please report it."
        )
        failure.exit_code = EXIT_INTERNAL
        raise failure from error


def gate(
    run: RunFolder,
    margin: Margin = "",
    scenarios: Annotated[
        str,
        typer.Option(
            help="Which to look at, by commas; `all` is the questions of all of them together.",
            envvar="HARNESS_SCENARIOS",
            show_default="each on its own",
        ),
    ] = "",
    models: Annotated[
        str,
        typer.Option(
            help="Which to look at, by commas.", envvar="HARNESS_MODELS", show_default="all but the reference"
        ),
    ] = "",
    max_kld: Annotated[
        float | None,
        typer.Option(min=0, help="Mean KLD, in nats, that is accepted.", envvar="HARNESS_MAX_KLD", show_default="any"),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="File for the outcome as JUnit XML.", envvar="HARNESS_JUNIT")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say by an exit code whether a run stays within a margin.

    Exit codes: 0 every model is within the margin in every scenario looked at (equivalent, non-inferior, or a small
    loss within it); 1 some are beyond it for certain; 2 none is, but some are inconclusive, or degraded with the margin
    inside the interval; 64 something asked for is wrong; 70 the gate itself failed; 130 interrupted.
    """
    found = load_run(run)
    share = read_margin(margin) if margin else found.margin
    gated = gate_run(found, margin=share, scenarios=names(scenarios), models=names(models), max_kld=max_kld)
    if junit:
        write_junit(junit, gated, {check: sentence(check) for check in gated.checks})
    if as_json:
        sys.stdout.write(json.dumps(_record(gated, share), indent=2) + "\n")
    else:
        console = make_console()
        for check in gated.checks:
            console.print(sentence(check), soft_wrap=True)
        for note in gated.notes:
            console.print(note, soft_wrap=True)
        console.print(f"{TOGETHER[gated.outcome]}; the margin is {100 * share:g} pp.")
    raise typer.Exit(int(gated.outcome))


WORDS = {Outcome.WITHIN: "within", Outcome.BEYOND: "beyond", Outcome.INCONCLUSIVE: "inconclusive"}
TOGETHER = {
    Outcome.WITHIN: "All are within the margin",
    Outcome.BEYOND: "Some are beyond the margin",
    Outcome.INCONCLUSIVE: "None is shown to be beyond the margin, and not all are shown to be within it",
}


def sentence(check: Check) -> str:
    """``q4_k_m, world_facts (generation): within, non-inferior, -0.3 pp (-1.2 .. +0.5).``"""
    what = f"{check.scenario} ({check.adapter})" if check.adapter else check.scenario
    if check.metric == KLD:
        limits = " .. ".join(map(numbers.divergence, (check.ci_low, check.ci_high)))
        known = f" ({limits})" if check.ci_high == check.ci_high else ""
        figures = f"mean KLD {numbers.divergence(check.delta)}{known}"
    else:
        figures = numbers.difference(check.delta, check.ci_low, check.ci_high, is_share=True) or "nothing to compare"
    word = WORDS[check.outcome]
    reason = check.verdict if check.verdict.startswith(word) else f"{word}, {check.verdict}"
    more = f"; about {numbers.count(check.n_more)} more instances would settle it" if check.n_more else ""
    return f"{check.model}, {what}: {reason}, {figures}{more}."


def _record(gated: Gated, margin: float) -> dict[str, Any]:
    checks = [check._asdict() | {"outcome": WORDS[check.outcome]} for check in gated.checks]
    known = [{key: None if value != value else value for key, value in check.items()} for check in checks]
    return {"outcome": WORDS[gated.outcome], "margin": margin, "checks": known, "notes": gated.notes}
