from __future__ import annotations

import numpy as np
import pytest
from engine_parts import TIMEOUT, job, scheduling

from server.engine.llama import Model
from server.engine.scoring import Scores
from server.engine.sequence import Job, Sequence

PROMPT = (5, 6, 7, 8)


def begun(model: Model, asked: Job, computed: int = 0, scored: int = 0) -> Sequence:
    """A sequence in slot 3, some tokens of which are known and some scored."""
    sequence = Sequence(asked, model)
    if sequence.scores is not None:
        sequence.scores.append(Scores.empty(scored, sequence.scores.k))
    sequence.begin(3, computed)
    return sequence


@pytest.mark.parametrize(
    ("asked", "scored", "first_row"),
    [
        (job(*PROMPT), 0, 0),  # the last token has no row that anybody needs
        (job(*PROMPT), 2, 2),
        (job(*PROMPT), 3, None),
        (job(*PROMPT, score_from=3), 0, 2),
        (job(*PROMPT, score_from=9), 0, None),
        (job(*PROMPT, max_tokens=1), 0, 0),
        (job(*PROMPT, max_tokens=1), 3, 3),  # to generate
        (job(*PROMPT, max_tokens=1, score_from=None), 0, 3),
        (job(*PROMPT, max_tokens=1, k=None), 0, 3),
        (job(*PROMPT, score_from=None, k=None), 0, 3),  # to be kept for others
        (job(*PROMPT, k=None), 0, None),
        (job(5), 0, None),
    ],
)
def test_the_first_row_that_is_needed(asked: Job, scored: int, first_row: int | None, world: Model) -> None:
    sequence = begun(world, asked, scored=scored)
    assert sequence.first_row == first_row


@pytest.mark.parametrize(
    ("asked", "scored", "flags"),
    [
        (job(*PROMPT), 0, [1, 1, 1, 0]),
        (job(*PROMPT), 2, [0, 0, 1, 0]),
        (job(*PROMPT, max_tokens=1), 0, [1, 1, 1, 1]),
        (job(*PROMPT, max_tokens=1), 3, [0, 0, 0, 1]),
        (job(*PROMPT, max_tokens=1, k=None), 0, [0, 0, 0, 1]),
        (job(*PROMPT, max_tokens=1, score_from=2), 0, [0, 1, 1, 1]),
        (job(*PROMPT, score_from=None, k=None), 0, [0, 0, 0, 0]),
    ],
)
def test_which_rows_are_wanted(asked: Job, scored: int, flags: list[int], world: Model) -> None:
    sequence = begun(world, asked, scored=scored)
    assert sequence.wants(0, 4).tolist() == flags
    assert [sequence.wants(i, i + 1).tolist() for i in range(4)] == [[flag] for flag in flags]
    assert [*sequence.wants(0, 2), *sequence.wants(2, 4)] == flags


def test_what_may_be_read_is_what_is_scored(world: Model) -> None:
    sequence = begun(world, job(*PROMPT, max_tokens=2, score_from=2))
    assert (sequence.ready, sequence.done) == (2, False)
    sequence.generate(9)
    assert (sequence.ready, sequence.length) == (2, 5)
    assert sequence.scores is not None
    sequence.scores.append(Scores.empty(3, 0))
    assert sequence.ready == 5
    sequence.generate(10)
    assert (sequence.finish_reason, sequence.done) == ("length", False)
    sequence.scores.append(Scores.empty(1, 0))
    assert (sequence.ready, sequence.done) == (6, True)
    assert sequence.result().completion == (9, 10)


def test_without_scores_everything_may_be_read(world: Model) -> None:
    sequence = begun(world, job(*PROMPT, max_tokens=1, k=None))
    assert sequence.ready == 4
    sequence.generate(9)
    assert (sequence.ready, sequence.done) == (5, True)


def test_the_end_is_an_end_whatever_its_name(world: Model) -> None:
    """The name of a special token is no text in which a stop string could be."""
    assert world.eos is not None
    name = world.piece(world.eos).decode()
    sequence = begun(world, job(*PROMPT, max_tokens=3, k=None, stops=(name,)))
    sequence.generate(world.eos)
    assert (sequence.finish_reason, sequence.stop, sequence.done) == ("stop", None, True)


def test_a_sampler_is_made_only_for_what_generates(world: Model) -> None:
    for asked, needs in (
        (job(*PROMPT, max_tokens=1), True),
        (job(*PROMPT, max_tokens=1, temperature=1.0), True),
        (job(*PROMPT, temperature=1.0), False),
    ):
        sequence = begun(world, asked)
        assert (sequence.sampler is not None) == needs
        sequence.release()
        sequence.release()
        assert sequence.sampler is None


def test_more_alternatives_than_there_are_tokens_are_all_tokens(world: Model) -> None:
    with scheduling(world) as scheduler:
        result = scheduler.submit([job(*PROMPT, k=10**6)])[0].future.result(TIMEOUT)
    assert result.scores is not None
    assert result.scores.top_ids.shape == (4, world.n_vocab)
    assert np.sort(result.scores.top_ids[1]).tolist() == list(range(world.n_vocab))
