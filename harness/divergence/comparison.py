"""Asking for it: the reference's distributions are recorded, and every other model's compared with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from harness.divergence.plan import Plan
from harness.divergence.records import no_tokens, token_frame
from harness.errors import NotOffered, RunError
from harness.serving.divergence import ComparedWindow
from harness.serving.endpoint import Endpoint

STORE = "reference"
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
        self._frames: list[pd.DataFrame] = []
        self._refusal: str | None = None

    @property
    def n_asked(self) -> int:
        """Windows that all models together are asked."""
        return self._plan.n_asked

    def ask(self, endpoint: Endpoint, label: str, tick: Callable[[], None]) -> str:
        """Record the reference, compare another model, or nothing where that cannot be; ``tick`` is told each window.

        Returns:
            What came of it, in a few words.

        Raises:
            RunError: the endpoint failed, or its answer is not usable.
        """
        if label == self._plan.reference:
            self._record(endpoint, tick)
            words = f"{len(self._plan.windows.tokens)} windows recorded"
        elif label in self._plan.compared:
            words = self._compare(endpoint, label, tick)
        else:
            words = "left out, since it reads the text as other tokens"
        return f"divergence, {'not measured' if self._refusal else words}"

    @property
    def tokens(self) -> pd.DataFrame:
        """The frame ``tokens``, with what was found so far."""
        return pd.concat(self._frames, ignore_index=True) if self._frames else no_tokens()

    @property
    def record(self) -> dict[str, Any] | None:
        """For ``run.json``; None where the reference's endpoint cannot."""
        return None if self._refusal else self._plan.record

    @property
    def notes(self) -> list[str]:
        """What a reader must know of it."""
        return [f"Divergence was not measured. {self._refusal}"] if self._refusal else self._plan.notes

    def _record(self, endpoint: Endpoint, tick: Callable[[], None]) -> None:
        for part in self._parts():
            if not self._refusal:
                try:
                    held = endpoint.record({**part.body, "format": self._plan.store_format}).windows
                except NotOffered as error:
                    self._refusal = str(error)
                else:
                    if held != part.end:
                        raise RunError(f"The endpoint of {self._plan.reference} holds {held} windows, not {part.end}.")
            _tick(tick, part)

    def _compare(self, endpoint: Endpoint, label: str, tick: Callable[[], None]) -> str:
        found: list[ComparedWindow] = []
        for part in self._parts():
            if not self._refusal:
                windows = endpoint.compare(part.body).windows
                self._check(windows, part, label)
                found += windows
            _tick(tick, part)
        if not found:
            return ""
        self._frames.append(token_frame(label, self._plan.windows, found))
        return f"mean KLD {self._frames[-1]['kld'].mean():.4g} over {self._plan.windows.n_scored:,} tokens"

    def _parts(self) -> Iterator[_Part]:
        windows = self._plan.windows
        for begin in range(0, len(windows.tokens), WINDOWS_A_REQUEST):
            some = windows.tokens[begin : begin + WINDOWS_A_REQUEST]
            body = {"store": STORE, "windows": some, "score_from": windows.score_from, "begin": begin}
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


def _tick(tick: Callable[[], None], part: _Part) -> None:
    for _ in range(part.n_windows):
        tick()
