"""``POST /v1/divergence``: next-token distributions recorded from one model, and compared with another's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from server.protocol.errors import InvalidRequest
from server.protocol.request import RequestBody
from server.protocol.sampling import Text

MAX_WINDOWS = 4096
MAX_ROWS = 100_000
"""Scored tokens of one request: some 15 MB of JSON."""

_Window = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2)]


class DivergenceRequest(RequestBody):
    """Windows of tokens to be recorded, or compared with what was recorded."""

    model: Text | None = None
    store: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    """A name, never a path."""
    mode: Literal["record", "compare"]
    windows: Annotated[list[_Window], Field(min_length=1, max_length=MAX_WINDOWS)]
    """Token ids as the model is to see them, BOS included."""
    score_from: Annotated[int, Field(ge=1)] = 1
    """Position of the first scored token of every window."""
    begin: Annotated[int, Field(ge=0)] = 0
    """Number of the first of these windows in the store; 0 makes the store anew where it is recorded."""
    format: Literal["exact", "compact", "llama"] | None = None
    """How a new store keeps rows; ``exact`` unless given."""
    total_windows: Annotated[int, Field(ge=1, le=1 << 24)] | None = None
    """Of a new store for ``llama-perplexity``, whose file begins with it."""

    @property
    def rows(self) -> int:
        """Scored tokens."""
        return sum(len(window) - self.score_from for window in self.windows)

    def check(self) -> None:
        """Raise for windows without a scored token, too many rows at once, and fields that do not go together."""
        super().check()
        short = next((i for i, window in enumerate(self.windows) if len(window) <= self.score_from), None)
        if short is not None:
            raise InvalidRequest(
                f"Window {self.begin + short} has {len(self.windows[short])} tokens, so none is scored from position "
                f"{self.score_from} on.",
                param="windows",
            )
        if self.rows > MAX_ROWS:
            raise InvalidRequest(
                f"The windows have {self.rows:,} scored tokens, more than the {MAX_ROWS:,} that one request may bring; "
                "send them in parts.",
                param="windows",
            )
        if self.mode == "compare" and (self.format, self.total_windows) != (None, None):
            raise InvalidRequest("'format' and 'total_windows' are for recording; leave them out.", param="format")
        if self.begin > 0 and self.total_windows is not None:
            raise InvalidRequest(
                "'total_windows' is told once, where the store is begun; leave it out.", param="total_windows"
            )
        if self.mode == "record" and self.begin == 0 and (self.format == "llama") != (self.total_windows is not None):
            raise InvalidRequest(
                "'total_windows' must be given for a store of format 'llama', and for no other.", param="total_windows"
            )


class RecordAnswer(BaseModel):
    """What the store holds now."""

    windows: int
    rows: int
    bytes: int
    """Of its file."""


class WindowMeasures(BaseModel):
    """One entry a scored token each; see :mod:`server.divergence.measures`."""

    logprob: list[float | None]
    """Null: minus infinity."""
    reference_logprob: list[float | None]
    kld: list[float]
    kld_bound: list[float]
    kld_reverse: list[float]
    same_top: list[bool]
    reference_top: list[float]
    near_tie: list[bool]


class CompareAnswer(BaseModel):
    """What was measured, in the order of the request's windows."""

    windows: list[WindowMeasures]
