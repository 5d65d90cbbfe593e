"""Which tokens of which sequences go into the next ``llama_decode``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.context import Batch
from server.engine.sequence import Sequence


class Chunk(NamedTuple):
    """The part of a batch that belongs to one sequence."""

    sequence: Sequence
    begin: int
    end: int
    flags: NDArray[np.int8]


def plan(sequences: Iterable[Sequence], *, tokens: int, rows: int) -> list[Chunk]:
    """Fill one batch of at most so many tokens and rows of logits.

    Sequences that generate come first, one token each, so that they never wait for more than one batch of prompts; then
    drafts, and then prompts in order of admission, as much of each as fits. The last token of a trial, which is decoded
    once more, is like any that is generated: the trial's rows are held no longer than that.
    """
    chunks: list[Chunk] = []
    for sequence in sorted(sequences, key=_turn):
        begin = sequence.computed
        end = min(sequence.planned, begin + tokens) if sequence.finish_reason is None else begin
        if end <= begin:
            continue
        flags = sequence.wants(begin, end)
        wanted = np.flatnonzero(flags)
        if len(wanted) > rows:
            end = begin + int(wanted[rows])
            flags = flags[: end - begin]
        if end > begin:
            chunks.append(Chunk(sequence, begin, end, flags))
            tokens -= end - begin
            rows -= min(len(wanted), rows)
    return chunks


def _turn(sequence: Sequence) -> int:
    """Its place in the batch; the lowest is first."""
    begins_trial = sequence.trial is not None and sequence.trial.rows is None
    return 2 if sequence.in_prompt else int(begins_trial)


def to_batch(chunks: list[Chunk]) -> Batch:
    """The arrays of one ``llama_decode``."""
    return Batch(
        np.concatenate([chunk.sequence.tokens[chunk.begin : chunk.end] for chunk in chunks]),
        np.concatenate([np.arange(chunk.begin, chunk.end, dtype=np.int32) for chunk in chunks]),
        np.concatenate([np.full(chunk.end - chunk.begin, chunk.sequence.slot, np.int32) for chunk in chunks]),
        np.concatenate([chunk.flags for chunk in chunks]),
    )
