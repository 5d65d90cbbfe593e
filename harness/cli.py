"""The command line: a table of the commands, each in a file of its own, and what all of them share at the end."""

from __future__ import annotations

import io
import signal
import sys
from types import FrameType

import typer

from harness.commands.compare import compare
from harness.commands.doctor import doctor
from harness.commands.export import app as export
from harness.commands.gate import GateCommand, gate
from harness.commands.import_ import app as import_
from harness.commands.models import models
from harness.commands.plan import plan
from harness.commands.report import report
from harness.commands.run import run
from harness.commands.scenarios import app as scenarios
from harness.commands.serve import serve
from harness.commands.verify import verify
from harness.errors import HarnessError

EXIT_INTERRUPTED = 130

app = typer.Typer(
    help="Says, with evidence, what quantizing a language model costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(models)
# Its options are the server's own, --help too.
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)(serve)
app.command()(report)
app.command()(compare)
app.command(cls=GateCommand)(gate)
app.command()(verify)
app.command()(plan)
app.command()(doctor)
app.add_typer(scenarios, name="scenarios")
app.add_typer(export, name="export")
app.add_typer(import_, name="import")


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal like Ctrl-C: every `finally` runs, so nothing is left behind."""
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of the console script."""
    for kind in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(kind) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(kind, _terminated)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an arrow that the terminal cannot show is no reason to fail
    try:
        app()
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as end:
        # typer makes this of Ctrl-C, without a word.
        if end.code == EXIT_INTERRUPTED:
            print(
                "interrupted; nothing is left half-written, and no server that was started is left running.",
                file=sys.stderr,
            )
        raise
