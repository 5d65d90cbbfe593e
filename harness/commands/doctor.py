"""`harness doctor`: whether an endpoint is right."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.commands.shared import AsJson, make_console
from harness.doctor.diagnosis import Diagnosis, Outcome
from harness.doctor.examine import examine
from harness.doctor.subjects import Subject
from harness.errors import RunError, UserError

EXIT_FAULT = 1
STYLES = {"good": "green", "right": "green", "fault": "red", "wrong numbers": "red", "fails": "yellow"}


def doctor(
    url: Annotated[
        str,
        typer.Argument(
            help="The endpoint, such as http://127.0.0.1:8080/v1; #MODEL at its end where it has several models.",
            metavar="URL[#MODEL]",
            envvar="HARNESS_URL",
        ),
    ],
    endpoint_key: Annotated[
        str | None, typer.Option(help="Key that it wants; sent, and never shown.", envvar="HARNESS_ENDPOINT_KEY")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask an endpoint questions whose answers are known, and say which clients would get wrong numbers from it.

    What it refuses, or does not have, is "not offered". What it answers wrongly, or ignores without a word, is a fault.

    Exit codes: 0 all that it offers is right; 1 a fault was found; 2 there is no endpoint at that URL, it broke off, or
    the model or the key is wrong.
    """
    try:
        with make_console(stderr=True).status("") as status:
            diagnosis = examine(url, url.partition("#")[2] or None, endpoint_key, status.update)
    except RunError as error:
        raise UserError(str(error)) from error
    if as_json:
        sys.stdout.write(json.dumps(diagnosis.record(), indent=2) + "\n")
    else:
        _print(diagnosis, make_console())
    if not diagnosis.is_sound:
        raise typer.Exit(EXIT_FAULT)


def _print(diagnosis: Diagnosis, console: Console) -> None:
    """Both tables, and the sum of it in a sentence."""
    context = f", context {diagnosis.context:,}" if diagnosis.context else ""
    console.print(f"{diagnosis.model} at {diagnosis.url}{context}\n", soft_wrap=True)
    made = [check for check in diagnosis.checks if check.outcome is not Outcome.SKIPPED]
    checks = _table("check", "outcome", "finding")
    for check in made:
        if check.outcome is not Outcome.GOOD:
            checks.add_row(check.name, _coloured(check.outcome), check.finding)
    clients = _table("client", "gets", "because")
    for client in diagnosis.clients:
        clients.add_row(client.name, _coloured(client.verdict), "\n".join(client.reasons))
    if checks.row_count:
        console.print(checks)
        console.print()
    console.print(f"Good: {'; '.join(check.name for check in made if check.outcome is Outcome.GOOD)}.\n")
    done = {check.name for check in made}
    if skipped := "; ".join(subject for subject in Subject if subject not in done):
        console.print(f"Not looked at, for what they rest on is missing or wrong: {skipped}.\n")
    console.print(clients)
    faults = sum(check.outcome is Outcome.FAULT for check in made)
    others = sum(client.verdict != "right" for client in diagnosis.clients)
    console.print(
        f"\n{faults or 'no'} fault{'' if faults == 1 else 's'} in {len(made)} checks; "
        f"{len(diagnosis.clients) - others} of {len(diagnosis.clients)} clients get right answers."
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading, width in zip(headings, (22, None, None), strict=True):
        table.add_column(heading, overflow="fold", max_width=width)
    return table


def _coloured(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))
