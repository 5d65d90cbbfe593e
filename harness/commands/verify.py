"""`harness verify`: every number of a run, recomputed."""

from __future__ import annotations

import json
import sys

import typer

from harness.commands.shared import AsJson, RunFolder, make_console
from harness.evidence.verify import verify as verify_run

EXIT_DIFFERENT = 1
MOST_SHOWN = 20


def verify(run: RunFolder, as_json: AsJson = False) -> None:
    """Recompute every number of a run from what the models answered, and say where the files differ.

    Exit codes: 0 all is as it follows from the answers; 1 something is not, and is named; 2 there is no such run, or it
    cannot be read.
    """
    found = verify_run(run)
    if as_json:
        record = {
            "differences": [difference._asdict() for difference in found.differences],
            "recomputed": found.n_figures,
            "notes": found.notes,
        }
        sys.stdout.write(json.dumps(record, indent=2) + "\n")
    else:
        console = make_console()
        for difference in found.differences[:MOST_SHOWN]:
            console.print(str(difference), soft_wrap=True)
        if len(found.differences) > MOST_SHOWN:
            console.print(f"... and {len(found.differences) - MOST_SHOWN:,} more; --json has all.")
        for sentence in found.notes:
            console.print(sentence, soft_wrap=True)
        n = len(found.differences)
        outcome = f"{n:,} differ" if n else "all are as written"
        console.print(f"{found.n_figures:,} figures and lines were recomputed, and {outcome}.", soft_wrap=True)
    if found.differences:
        raise typer.Exit(EXIT_DIFFERENT)
