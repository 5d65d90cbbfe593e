"""`harness report`: the reports of a run, made anew."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from harness import load_run
from harness.commands.shared import RunFolder, make_console
from harness.errors import UserError
from harness.reports.files import write_reports
from harness.reports.terminal import print_table


def report(
    run: RunFolder,
    show: Annotated[
        bool, typer.Option("--open", help="Open report.html in the browser.", envvar="HARNESS_OPEN")
    ] = False,
) -> None:
    """Write report.md and report.html of a run anew, and print its table.

    Exit codes: 0 done; 2 there is no such run, or it cannot be read or written; 1 there is no browser to open.
    """
    found = load_run(run)
    try:
        write_reports(run, found)
    except OSError as error:
        raise UserError(f"{run}: its reports cannot be written: {error.strerror}.") from error
    console = make_console()
    print_table(console, found)
    page = (run / "report.html").resolve()
    console.print(f"The page is {page}", soft_wrap=True)
    if show and not webbrowser.open(page.as_uri()):
        console.print("No browser was found; open the page by hand.")
        raise typer.Exit(1)
