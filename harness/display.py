"""Progress on standard error: bars in a terminal, one line a finished task anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Display(Protocol):
    """What a run tells the person who started it."""

    def say(self, words: str) -> None:
        """What is being done now, in a few words."""
        ...

    def running(self, total: int) -> AbstractContextManager[None]:
        """Around the asking of ``total`` instances and windows of text, all models and tasks together."""
        ...

    def tick(self) -> None:
        """One of them is done."""
        ...

    def finished(self, words: str) -> None:
        """One task of one model is done."""
        ...


class _Rate(ProgressColumn):
    """Instances per second, over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class BarDisplay:
    """For a terminal: one bar over the whole run, with what is asked just now beside it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._console = console
        self._task = self._progress.add_task("", total=None, visible=False)

    def say(self, words: str) -> None:
        """Beside the bar while there is one, else on a line."""
        if self._progress.live.is_started:
            self._progress.update(self._task, description=words)
        else:
            self._console.print(words, highlight=False)

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Show the bar."""
        self._progress.update(self._task, total=total, visible=True)
        with self._progress:
            yield

    def tick(self) -> None:
        """Move the bar."""
        self._progress.advance(self._task)

    def finished(self, words: str) -> None:
        """A line above the bar."""
        self._progress.console.print(words, highlight=False)


class LineDisplay:
    """For logs: no bar, no colours."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, words: str) -> None:
        """A line."""
        self._console.print(words, highlight=False, soft_wrap=True)

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Say how much there is to do."""
        self.say(f"asking {total:,} instances and windows of text in all")
        yield

    def tick(self) -> None:
        """Nothing: a line an instance would bury the rest."""

    def finished(self, words: str) -> None:
        """A line."""
        self.say(words)


def make_display(console: Console) -> Display:
    """Bars where a person is watching."""
    return BarDisplay(console) if console.is_terminal else LineDisplay(console)
