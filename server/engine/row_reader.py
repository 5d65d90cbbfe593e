"""What the rows of a decoded batch say: the next token of each sequence at once, scores as soon as they are reduced."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.batching import Chunk
from server.engine.generation import Generator
from server.engine.scoring import Scorer, Scores
from server.engine.sequence import Sequence, SinkFailed


class _Scored(NamedTuple):
    """Rows of one sequence that score its tokens."""

    sequence: Sequence
    rows: NDArray[np.intp]
    first: int
    """Position of the first of these tokens."""

    @property
    def targets(self) -> NDArray[np.int32]:
        return self.sequence.tokens[self.first : self.first + len(self.rows)]


class RowReader:
    """Reads batches in turn.

    With ``overlap``, rows are copied and reduced while the next batch is decoded. That pays where a GPU decodes; where
    the CPU does, all cores are busy then, and the copy costs about what it saves.
    """

    def __init__(self, scorer: Scorer, *, overlap: bool, epsilon: float = math.inf) -> None:
        """``epsilon`` is the :class:`Generator`'s."""
        self._scorer = scorer
        self._generator = Generator(epsilon)
        self._overlap = ThreadPoolExecutor(1, thread_name_prefix="rows") if overlap else None
        self._pending: tuple[list[_Scored], Future[list[Scores | SinkFailed]]] | None = None

    def read(self, chunks: list[Chunk], logits: NDArray[np.float32]) -> None:
        """Choose next tokens, and have the rows that score tokens reduced.

        Raises:
            NotNumbersError: a row is not numbers.
        """
        row = 0
        scored: list[_Scored] = []
        for sequence, begin, end, flags in chunks:
            sequence.computed = end
            positions = begin + np.flatnonzero(flags)
            row += len(positions)
            if sequence.trial is not None:
                self._verify(sequence, end, logits[row - len(positions) : row])
                continue
            counts = len(positions) > 0
            if counts and end == sequence.length and sequence.job.max_tokens > 0:
                counts = self._generator.go_on(sequence, logits[row - 1])
            if counts and sequence.scores is not None and sequence.failure is None:
                scored.append(_Scored(sequence, np.arange(row - len(positions), row), int(positions[0]) + 1))
            if sequence.job.max_tokens == 0 and end == sequence.length:
                sequence.finish_reason = "length"
        if scored:
            self._score(scored, logits)

    def _verify(self, sequence: Sequence, end: int, rows: NDArray[np.float32]) -> None:
        """What a trial gave is scored at once: its rows lie elsewhere than those of the batch."""
        found = self._generator.verify(sequence, end, rows)
        if found is not None and sequence.scores is not None and sequence.failure is None:
            scored = [_Scored(sequence, np.arange(len(found.rows)), found.first)]
            _hand_out(scored, self._reduce(scored, found.rows))

    def _score(self, scored: list[_Scored], logits: NDArray[np.float32]) -> None:
        if self._overlap is None:
            _hand_out(scored, self._reduce(scored, logits))
            return
        copied = logits[np.concatenate([each.rows for each in scored])]  # the next decode overwrites the rows
        ends = itertools.accumulate(len(each.rows) for each in scored)
        packed = [
            each._replace(rows=np.arange(end - len(each.rows), end)) for each, end in zip(scored, ends, strict=True)
        ]
        self._pending = packed, self._overlap.submit(self._reduce, packed, copied)

    def _reduce(self, scored: list[_Scored], logits: NDArray[np.float32]) -> list[Scores | SinkFailed]:
        """One entry each: those for the scorer in one go, others by their sinks."""
        plain = [each for each in scored if each.sequence.job.sink is None]
        reduced = iter(self._reduce_plain(plain, logits) if plain else ())
        return [next(reduced) if each.sequence.job.sink is None else _pour(each, logits) for each in scored]

    def _reduce_plain(self, scored: list[_Scored], logits: NDArray[np.float32]) -> list[Scores]:
        rows = np.concatenate([each.rows for each in scored])
        targets = np.concatenate([each.targets for each in scored])
        k = max(each.sequence.scores.k for each in scored if each.sequence.scores is not None)
        scores = self._scorer.score(logits, rows, targets, k)
        ends = itertools.accumulate(len(each.rows) for each in scored)
        return [scores.part(slice(end - len(each.rows), end)) for each, end in zip(scored, ends, strict=True)]

    def collect(self) -> None:
        """Wait for the scores of the batch before the last ``read``, and hand them out.

        Raises:
            NotNumbersError: a row is not numbers.
        """
        if self._pending is not None:
            scored, reduced = self._pending
            self._pending = None
            _hand_out(scored, reduced.result())

    def discard(self) -> None:
        """Forget what is pending."""
        self._pending = None

    def close(self) -> None:
        """End the threads."""
        if self._overlap is not None:
            self._overlap.shutdown()
        self._scorer.close()


def _pour(scored: _Scored, logits: NDArray[np.float32]) -> Scores | SinkFailed:
    """Give a sequence's sink its rows."""
    sink = scored.sequence.job.sink
    assert sink is not None
    scores = Scores.empty(len(scored.rows), 0)
    scores.rank[:] = 0  # nobody asks
    try:
        scores.logprob[:] = sink.take(logits, scored.rows, scored.first)
    except SinkFailed as error:
        return error
    return scores


def _hand_out(scored: list[_Scored], reduced: list[Scores | SinkFailed]) -> None:
    for each, scores in zip(scored, reduced, strict=True):
        if isinstance(scores, SinkFailed):
            each.sequence.failure = str(scores)
        else:
            assert each.sequence.scores is not None
            each.sequence.scores.append(scores)
