"""What the READMEs of the exports have in common."""

from __future__ import annotations

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


def task_rows(tasks: Sequence[Listed]) -> str:
    """Rows of a table: task, questions, our metric, theirs."""
    return "\n".join(f"| `{task.name}` | {len(task.rows)} | {task.ours} | {task.theirs or '–'} |" for task in tasks)


def note_list(notes: Sequence[str]) -> str:
    """A list with room around it; nothing where there are none."""
    return "".join(f"\n- {note}" for note in notes) + ("\n" if notes else "")
