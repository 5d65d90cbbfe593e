"""What the rows of a decoded batch say: the next token of each sequence at once, scores as soon as they are reduced."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from server.engine.batching import Chunk
from server.engine.sampler import NothingAllowed
from server.engine.scoring import NotNumbersError, Scorer, Scores
from server.engine.sequence import Sequence


class RowReader:
    """Reads batches in turn.

    With ``overlap``, rows are copied and reduced while the next batch is decoded. That pays where a GPU decodes; where
    the CPU does, all cores are busy then, and the copy costs about what it saves.
    """

    def __init__(self, scorer: Scorer, *, overlap: bool) -> None:
        self._scorer = scorer
        self._overlap = ThreadPoolExecutor(1, thread_name_prefix="rows") if overlap else None
        self._pending: tuple[list[Chunk], Future[Scores]] | None = None

    def read(self, chunks: list[Chunk], logits: NDArray[np.float32]) -> None:
        """Choose next tokens, and have the rows that score tokens reduced.

        Raises:
            NotNumbersError: a row is not numbers.
        """
        row = 0
        rows: list[NDArray[np.intp]] = []
        targets: list[NDArray[np.int32]] = []
        for sequence, begin, end, flags in chunks:
            sequence.computed = end
            positions = begin + np.flatnonzero(flags)
            if len(positions) and end == sequence.length and sequence.job.max_tokens > 0:
                _generate(sequence, logits[row + len(positions) - 1])
            if sequence.scores is not None and sequence.failure is None:
                rows.append(np.arange(row, row + len(positions)))
                targets.append(sequence.tokens[positions + 1])
            row += len(positions)
            if sequence.job.max_tokens == 0 and end == sequence.length:
                sequence.finish_reason = "length"
        if sum(map(len, rows)) > 0:
            scored = [chunk for chunk in chunks if chunk.sequence.scores is not None and not chunk.sequence.failure]
            self._reduce(scored, logits, np.concatenate(rows), np.concatenate(targets))

    def _reduce(
        self, chunks: list[Chunk], logits: NDArray[np.float32], rows: NDArray[np.intp], targets: NDArray[np.int32]
    ) -> None:
        k = max(chunk.sequence.scores.k for chunk in chunks if chunk.sequence.scores is not None)
        if self._overlap is None:
            _distribute(chunks, self._scorer.score(logits, rows, targets, k))
            return
        copied = logits[rows]  # the next decode overwrites the rows
        everything = np.arange(len(rows))
        self._pending = chunks, self._overlap.submit(self._scorer.score, copied, everything, targets, k)

    def collect(self) -> None:
        """Wait for the scores of the batch before the last ``read``, and hand them out.

        Raises:
            NotNumbersError: a row is not numbers.
        """
        if self._pending is not None:
            chunks, scores = self._pending
            self._pending = None
            _distribute(chunks, scores.result())

    def discard(self) -> None:
        """Forget what is pending."""
        self._pending = None

    def close(self) -> None:
        """End the threads."""
        if self._overlap is not None:
            self._overlap.shutdown()
        self._scorer.close()


def _generate(sequence: Sequence, row: NDArray[np.float32]) -> None:
    """Choose the next token of a sequence from its last row."""
    if sequence.length == len(sequence.job.prompt):
        sequence.timings.prompt_done = time.monotonic()
    if not math.isfinite(row.max()):  # NaN, if any is
        raise NotNumbersError
    assert sequence.sampler is not None
    try:
        sequence.generate(sequence.sampler.sample(row))
    except NothingAllowed as error:
        sequence.failure = str(error)


def _distribute(chunks: list[Chunk], scores: Scores) -> None:
    begin = 0
    for chunk in chunks:
        end = begin + int(chunk.flags.sum())
        assert chunk.sequence.scores is not None
        chunk.sequence.scores.append(scores.part(slice(begin, end)))
        begin = end
