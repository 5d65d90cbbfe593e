"""Asking for it: the reference's distributions are recorded, and every other model's compared with them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from harness.divergence.plan import Plan
from harness.divergence.records import no_tokens, token_frame
from harness.errors import RunError
from harness.serving.divergence import ComparedWindow
from harness.serving.endpoint import Endpoint

WINDOWS_A_REQUEST = 4
"""A few seconds of a slow machine, so that progress is seen; and less than a megabyte of answers."""


class _Part(NamedTuple):
    """Some of the windows, as one request has them."""

    body: Mapping[str, object]
    n_windows: int
    end: int
    """Number of the window after the last one."""


class Comparison:
    """Asks the models of a run one after the other, the reference first."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # A server that runs for long has the stores of other runs too.
        self.store = f"reference-{uuid.uuid4().hex}"
        """Under which name the reference's distributions are recorded."""
        self._frames: list[pd.DataFrame] = []
        self._failures: dict[str, str] = {}
        """By model: why it has no divergence."""

    @property
    def n_asked(self) -> int:
        """Windows that all models together are asked."""
        return self._plan.n_asked

    def ask(self, endpoint: Endpoint, label: str, tick: Callable[[], None]) -> str:
        """Record the reference, compare another model, or nothing where that cannot be; ``tick`` is told each window.

        Where something fails, that model is left without divergence, and nobody loses what was answered before.

        Returns:
            What came of it, in a few words.

        Raises:
            RunError: the server is gone.
        """
        plan = self._plan
        if label not in (plan.reference, *plan.compared):
            return "divergence, left out, since it reads the text as other tokens"
        found: list[ComparedWindow] = []
        for part in self._parts():
            if not self._is_without(label):
                try:
                    found += self._ask(endpoint, label, part)
                except RunError as error:
                    endpoint.check_alive()
                    self._failures[label] = str(error)
            for _ in range(part.n_windows):
                tick()
        if self._is_without(label):
            return "divergence, not measured"
        if label == plan.reference:
            return f"divergence, {len(plan.windows.tokens)} windows recorded"
        self._frames.append(token_frame(label, plan.windows, found))
        return f"divergence, mean KLD {self._frames[-1]['kld'].mean():.4g} over {plan.windows.n_scored:,} tokens"

    @property
    def tokens(self) -> pd.DataFrame:
        """The frame ``tokens``, with what was found so far."""
        return pd.concat(self._frames, ignore_index=True) if self._frames else no_tokens()

    @property
    def record(self) -> dict[str, Any] | None:
        """For ``run.json``; None where the reference was not recorded."""
        return None if self._plan.reference in self._failures else self._plan.record

    @property
    def notes(self) -> list[str]:
        """What a reader must know of it."""
        if self._plan.reference in self._failures:
            return [f"Divergence was not measured. {self._failures[self._plan.reference]}"]
        return self._plan.notes + [
            f"Divergence of {label} was not measured. {failure}" for label, failure in self._failures.items()
        ]

    def _is_without(self, label: str) -> bool:
        return label in self._failures or self._plan.reference in self._failures

    def _ask(self, endpoint: Endpoint, label: str, part: _Part) -> list[ComparedWindow]:
        """What came of some windows; nothing of the reference, whose are recorded."""
        if label != self._plan.reference:
            windows = endpoint.compare(part.body).windows
            self._check(windows, part, label)
            return windows
        held = endpoint.record({**part.body, "format": self._plan.store_format}).windows
        if held != part.end:
            raise RunError(f"The endpoint of {label} holds {held} windows, not {part.end}.")
        return []

    def _parts(self) -> Iterator[_Part]:
        windows = self._plan.windows
        for begin in range(0, len(windows.tokens), WINDOWS_A_REQUEST):
            some = windows.tokens[begin : begin + WINDOWS_A_REQUEST]
            body = {"store": self.store, "windows": some, "score_from": windows.score_from, "begin": begin}
            yield _Part(body, len(some), begin + len(some))

    def _check(self, windows: list[ComparedWindow], part: _Part, label: str) -> None:
        """Every window and token that was asked for must be there."""
        of_each = self._plan.windows.n_ctx - self._plan.windows.score_from
        lengths = {len(values) for window in windows for _, values in window}
        if len(windows) != part.n_windows or lengths != {of_each}:
            raise RunError(
                f"The endpoint of {label} compared {len(windows)} windows of {sorted(lengths)} tokens where "
                f"{part.n_windows} of {of_each} were asked for."
            )
