from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from numpy.typing import NDArray

from server.engine.scoring import BLOCK, NotNumbersError, Scorer, Scores

FEW = st.sampled_from([-np.inf, -30.0, -1.5, 0.0, 0.25, 7.0, 30.0])  # few values, so that many are equal
ANY = st.floats(-1e4, 1e4, width=32)
BORDERS = (1, 2, 255, 256, 257, 511, 512, 513)
"""Vocabularies that end just before, at and just after the end of a block, and tiny ones."""
LARGE = 3.0e38
"""Near the largest float32."""


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    scorer = Scorer(1)
    yield scorer
    scorer.close()


@st.composite
def questions(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int32], int]:
    """Logits, a target a row, and how many alternatives are asked for."""
    rows, n_vocab = draw(st.integers(1, 4)), draw(st.integers(1, 40) | st.sampled_from(BORDERS))
    logits = draw(st_np.arrays(np.float32, (rows, n_vocab), elements=draw(st.sampled_from([FEW, ANY])), fill=FEW))
    logits[:, draw(st.integers(0, n_vocab - 1))] = draw(st.floats(-9, 9, width=32))  # something in each row is finite
    targets = draw(st.lists(st.integers(0, n_vocab - 1), min_size=rows, max_size=rows))
    return logits, np.array(targets, np.int32), draw(st.integers(0, 45))


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def score_all(scorer: Scorer, logits: NDArray[np.float32], targets: NDArray[np.int32], k: int) -> Scores:
    return scorer.score(logits, np.arange(len(logits)), targets, k)


def score_one(scorer: Scorer, *row: float, target: int = 0, k: int = 0) -> Scores:
    return score_all(scorer, np.array([row], np.float32), np.array([target], np.int32), k)


@settings(deadline=None, max_examples=300)
@given(questions())
def test_every_figure_is_that_of_a_log_softmax(
    scorer: Scorer, question: tuple[NDArray[np.float32], NDArray[np.int32], int]
) -> None:
    logits, targets, k = question
    scores = score_all(scorer, logits, targets, k)
    expected = log_softmax(logits)
    each = np.arange(len(logits))
    np.testing.assert_allclose(scores.logprob, expected[each, targets], rtol=0, atol=1e-6)
    assert scores.rank.tolist() == (1 + (logits > logits[each, targets][:, None]).sum(axis=1)).tolist()
    # A stable sort of the negated logits: most likely first, the lower id first among equals.
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    assert scores.top_ids.tolist() == best.tolist()
    np.testing.assert_allclose(scores.top_logprobs, np.take_along_axis(expected, best, axis=1), rtol=0, atol=1e-6)


@settings(deadline=None)
@given(questions())
def test_a_chosen_token_has_the_same_bits_among_the_alternatives(
    scorer: Scorer, question: tuple[NDArray[np.float32], NDArray[np.int32], int]
) -> None:
    logits, _, k = question
    likeliest = logits.argmax(axis=1).astype(np.int32)
    scores = score_all(scorer, logits, likeliest, max(k, 1))
    assert scores.top_ids[:, 0].tolist() == likeliest.tolist()
    assert scores.top_logprobs[:, 0].tobytes() == scores.logprob.tobytes()
    assert scores.rank.tolist() == [1] * len(logits)


@settings(deadline=None)
@given(questions(), st.integers(2, 5), st.randoms())
def test_any_threads_and_any_rows_give_the_bits_of_one_row_alone(
    scorer: Scorer, question: tuple[NDArray[np.float32], NDArray[np.int32], int], threads: int, random: Random
) -> None:
    logits, targets, k = question
    asked = random.choices(range(len(logits)), k=23)  # more than enough for several threads, many twice, out of order
    several = Scorer(threads)
    together = several.score(logits, np.array(asked), targets[asked], k)
    several.close()
    for i, row in enumerate(asked):
        alone = scorer.score(logits[row : row + 1].copy(), np.arange(1), targets[row : row + 1], k)
        for column, one in zip(together, alone, strict=True):
            assert column[i].tobytes() == one[0].tobytes()


@settings(deadline=None)
@given(st.integers(1, 9))
def test_equal_logits_come_in_the_order_of_their_ids(scorer: Scorer, k: int) -> None:
    scores = score_one(scorer, 0, 2, 0, 2, 0, 2, 0, 2, 0, target=7, k=k)
    assert scores.top_ids.tolist() == [[1, 3, 5, 7, 0, 2, 4, 6, 8][:k]]
    assert scores.rank.tolist() == [1]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_equal_logits_in_several_blocks_come_in_the_order_of_their_ids(scorer: Scorer, k: int) -> None:
    equals = [0, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK]
    logits = np.zeros((1, 2 * BLOCK + 1), np.float32)
    logits[0, equals] = 1
    scores = score_all(scorer, logits, np.array([equals[-1]], np.int32), k)
    assert scores.top_ids.tolist() == [equals[:k]]
    assert scores.rank.tolist() == [1]


@pytest.mark.parametrize("n_vocab", [32_000, 128_256])
@pytest.mark.parametrize("spread", [0.01, 3, 30, 3000])
def test_a_row_of_a_real_vocabulary(scorer: Scorer, n_vocab: int, spread: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, spread, (3, n_vocab)).astype(np.float32)
    logits[1, ::7] = -np.inf
    targets = rng.integers(0, n_vocab, 3).astype(np.int32)
    scores = score_all(scorer, logits, targets, 5)
    np.testing.assert_allclose(scores.logprob, log_softmax(logits)[[0, 1, 2], targets], rtol=0, atol=1e-6)


def test_a_sum_of_very_many_equal_terms_is_exact(scorer: Scorer) -> None:
    logits = np.full((1, 1 << 20), -37.5, np.float32)
    assert score_all(scorer, logits, np.zeros(1, np.int32), 1).logprob[0] == pytest.approx(-20 * np.log(2), abs=1e-9)


def test_the_ends_of_float32_are_numbers(scorer: Scorer) -> None:
    scores = score_one(scorer, LARGE, -LARGE, target=1, k=2)
    assert scores.logprob.tolist() == [2 * float(np.float32(-LARGE))]
    assert scores.top_logprobs.tolist() == [[0, 2 * float(np.float32(-LARGE))]]


def test_what_cannot_be_said_is_minus_infinity(scorer: Scorer) -> None:
    scores = score_one(scorer, -np.inf, 1, -np.inf, k=3)
    assert scores.logprob.tolist() == [-np.inf]
    assert scores.rank.tolist() == [2]
    assert scores.top_ids.tolist() == [[1, 0, 2]]
    assert scores.top_logprobs.tolist() == [[0, -np.inf, -np.inf]]


def test_no_row_and_no_alternative_are_fine(scorer: Scorer) -> None:
    scores = score_all(scorer, np.empty((0, 7), np.float32), np.empty(0, np.int32), 5)
    assert [field.shape for field in scores] == [(0,), (0,), (0, 5), (0, 5)]
    assert score_one(scorer, 1, 2, k=0).top_ids.shape == (1, 0)


def test_more_alternatives_than_tokens_are_all_tokens(scorer: Scorer) -> None:
    assert score_one(scorer, 1, 3, 2, k=20).top_ids.tolist() == [[1, 2, 0]]


def places(n_vocab: int) -> list[int]:
    """Where in a row of this size something may be overlooked: at its ends, and at the borders of blocks."""
    near = [border + off for border in range(0, n_vocab + 1, BLOCK) for off in (-2, -1, 0, 1)]
    return sorted({0, n_vocab // 2, n_vocab - 1, *(at for at in near if 0 <= at < n_vocab)})


@pytest.mark.parametrize("n_vocab", [*BORDERS, 1000])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf], ids=["NaN", "-NaN", "inf"])
def test_one_logit_that_is_no_number_is_found_anywhere(scorer: Scorer, n_vocab: int, bad: float) -> None:
    rng = np.random.default_rng(n_vocab)
    for at in places(n_vocab):
        for target in {0, at, n_vocab - 1}:
            logits = rng.normal(0, 3, (1, n_vocab)).astype(np.float32)
            assert np.isfinite(score_all(scorer, logits, np.array([target], np.int32), 2).logprob).all()
            logits[0, at] = bad
            with pytest.raises(NotNumbersError):
                score_all(scorer, logits, np.array([target], np.int32), 2)


@pytest.mark.parametrize("n_vocab", BORDERS)
def test_a_finite_logit_among_infinitely_low_ones_is_found_anywhere(scorer: Scorer, n_vocab: int) -> None:
    for at in places(n_vocab):
        logits = np.full((1, n_vocab), -np.inf, np.float32)
        with pytest.raises(NotNumbersError):
            score_all(scorer, logits, np.array([at], np.int32), 1)
        logits[0, at] = -LARGE
        scores = score_all(scorer, logits, np.array([at], np.int32), 1)
        assert (scores.logprob.tolist(), scores.top_ids.tolist()) == ([0], [[at]])


@pytest.mark.parametrize(
    "row", [(0, np.nan), (np.nan, 0), (np.nan, np.nan), (0, np.inf), (-np.inf, -np.inf), (np.nan, -np.inf)]
)
@pytest.mark.parametrize("k", [0, 2])
def test_a_row_that_is_no_distribution_is_refused(scorer: Scorer, row: tuple[float, float], k: int) -> None:
    with pytest.raises(ValueError, match="logits that are not numbers"):
        score_one(scorer, *row, k=k)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("broken", range(0, 24, 5))
def test_one_broken_row_among_whole_ones_is_refused_by_whatever_thread(threads: int, broken: int) -> None:
    logits = np.zeros((24, 4), np.float32)
    logits[broken, 2] = np.nan
    several = Scorer(threads)
    others = np.delete(np.arange(24), broken)
    assert len(several.score(logits, others, np.zeros(23, np.int32), 1).logprob) == 23  # rows that nobody asked for
    with pytest.raises(NotNumbersError):
        score_all(several, logits, np.zeros(24, np.int32), 1)
    several.close()


def test_parts_and_copies() -> None:
    whole = Scores(np.arange(4.0), np.arange(4, dtype=np.int32), np.zeros((4, 2), np.int32), np.zeros((4, 2)))
    part = whole.part(slice(1, 3))
    copied = part.copy()
    part.logprob[0] = 9
    assert whole.logprob.tolist() == [0, 9, 2, 3]
    assert copied.logprob.tolist() == [1, 2]
    assert [column.shape for column in copied] == [(2,), (2,), (2, 2), (2, 2)]
