"""What can be shown of the completions of a run, as they grow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from server.api.execution import updates
from server.api.state import Served
from server.engine.run import Run
from server.formats.transcript import Piece, Transcript


async def grow(run: Run, transcripts: Sequence[Transcript], served: Served) -> AsyncIterator[tuple[int, Piece]]:
    """The index of a completion and what is new of it, until all have ended.

    Raises:
        ApiError: what the client is to be told.
    """
    async for changed in updates(run, served):
        for i in changed:
            piece = _next(i, run, transcripts[i])
            if piece is not None:
                yield i, piece


def _next(i: int, run: Run, transcript: Transcript) -> Piece | None:
    result = run.result(i)
    if result is not None:
        return transcript.finish(result)
    sequence = run.sequence(i)
    begin, ready = len(sequence.prompt), sequence.ready
    # In this order: a token that ends the completion may hold a stop string, and is shown with the result only. Nor is
    # anything shown while the prompt is being scored: an echo begins with all of it.
    if sequence.finish_reason is not None or ready < begin:
        return None
    return transcript.grow(sequence.tokens[begin:ready], sequence.scores)
