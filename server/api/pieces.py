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
    ended: set[int] = set()
    async for changed in updates(run, served):
        for i in changed:
            # One that had only grown when it was looked at may have ended since, and is then announced once more.
            piece = None if i in ended else _next(i, run, transcripts[i])
            if piece is None:
                continue
            if piece.result is not None:
                ended.add(i)
            yield i, piece


def _next(i: int, run: Run, transcript: Transcript) -> Piece | None:
    result = run.result(i)
    if result is not None:
        return transcript.finish(result)
    sequence = run.sequence(i)
    begin, ready = len(sequence.prompt), sequence.ready
    # In this order: a token that ends the completion may hold a stop string, and is shown with the result only. Nor is
    # anything shown before the first token, so that what fails until then is told by the status of the response.
    if sequence.finish_reason is not None or ready <= begin:
        return None
    return transcript.grow(sequence.tokens[begin:ready], sequence.scores)
