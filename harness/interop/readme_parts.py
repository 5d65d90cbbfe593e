"""What the READMEs of the exports have in common."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, Protocol

from harness.interop.served import Served


class Listed(Protocol):
    """A task that a README lists."""

    @property
    def name(self) -> str:
        """What the other harness calls it."""

    @property
    def rows(self) -> Sequence[Any]:
        """One a question."""

    @property
    def ours(self) -> str:
        """Our main metric."""

    @property
    def theirs(self) -> str:
        """The other harness' figure that is the same; empty where it has none."""


def model_part(served: Served, ask: str) -> str:
    """How one model is served, if that is yet to be done, and the command that asks it."""
    serve = f"Serve it in one terminal:\n\n    {served.command}\n\nAsk in another:\n\n" if served.command else ""
    return f"## {served.model.label}\n\n{serve}    {ask}\n"


def import_part(heading: str, harness: str, folders: Sequence[str], names: Sequence[str]) -> str:
    """The command that compares the results by our statistics; nothing where there is one model alone.

    Args:
        heading: with its signs.
        harness: as ``harness import`` names it.
        folders: of the results.
        names: of the models, as the other harness knows them; the reference first.
    """
    if len(names) < 2:
        return ""
    ends = [name.rpartition("/")[2] for name in names]
    reference = ends[0] if ends.count(ends[0]) == 1 else names[0]
    words = ["harness", "import", harness, *folders, "--reference", reference, "--out", "compared"]
    return f"\n{heading}\n\nBy our paired statistics:\n\n    {shlex.join(words)}\n"


def task_rows(tasks: Sequence[Listed]) -> str:
    """Rows of a table: task, questions, our metric, theirs."""
    return "\n".join(f"| `{task.name}` | {len(task.rows)} | {task.ours} | {task.theirs or '–'} |" for task in tasks)


def note_list(notes: Sequence[str]) -> str:
    """A list with room around it; nothing where there are none."""
    return "".join(f"\n- {note}" for note in notes) + ("\n" if notes else "")
