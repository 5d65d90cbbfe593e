from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from numpy.typing import NDArray

from server.engine.scoring import Scores, score_rows

FEW = st.sampled_from([-np.inf, -30.0, -1.5, 0.0, 0.25, 7.0, 30.0])  # few values, so that many are equal
ANY = st.floats(-1e4, 1e4, width=32)


@st.composite
def questions(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int32], int]:
    """Logits, a target a row, and how many alternatives are asked for."""
    rows, n_vocab = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    logits = draw(st_np.arrays(np.float32, (rows, n_vocab), elements=draw(st.sampled_from([FEW, ANY]))))
    logits[:, draw(st.integers(0, n_vocab - 1))] = draw(st.floats(-9, 9, width=32))  # something in each row is finite
    targets = draw(st.lists(st.integers(0, n_vocab - 1), min_size=rows, max_size=rows))
    return logits, np.array(targets, np.int32), draw(st.integers(0, 45))


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def score(*row: float, target: int = 0, k: int = 0) -> Scores:
    return score_rows(np.array([row], np.float32), np.array([target], np.int32), k)


@settings(deadline=None, max_examples=300)
@given(questions())
def test_every_figure_is_that_of_a_log_softmax(question: tuple[NDArray[np.float32], NDArray[np.int32], int]) -> None:
    logits, targets, k = question
    scores = score_rows(logits, targets, k)
    expected = log_softmax(logits)
    each = np.arange(len(logits))
    np.testing.assert_allclose(scores.logprob, expected[each, targets], rtol=1e-6, atol=1e-6)
    assert scores.rank.tolist() == (1 + (logits > logits[each, targets][:, None]).sum(axis=1)).tolist()
    # A stable sort of the negated logits: most likely first, the lower id first among equals.
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    assert scores.top_ids.tolist() == best.tolist()
    np.testing.assert_allclose(scores.top_logprobs, np.take_along_axis(expected, best, axis=1), rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(questions())
def test_a_chosen_token_has_the_same_bits_among_the_alternatives(
    question: tuple[NDArray[np.float32], NDArray[np.int32], int],
) -> None:
    logits, _, k = question
    likeliest = logits.argmax(axis=1).astype(np.int32)
    scores = score_rows(logits, likeliest, max(k, 1))
    assert scores.top_ids[:, 0].tolist() == likeliest.tolist()
    assert scores.top_logprobs[:, 0].tobytes() == scores.logprob.tobytes()
    assert scores.rank.tolist() == [1] * len(logits)


@given(st.integers(1, 9))
def test_equal_logits_come_in_the_order_of_their_ids(k: int) -> None:
    scores = score(0, 2, 0, 2, 0, 2, 0, 2, 0, target=7, k=k)
    assert scores.top_ids.tolist() == [[1, 3, 5, 7, 0, 2, 4, 6, 8][:k]]
    assert scores.rank.tolist() == [1]


def test_a_row_of_a_real_vocabulary() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (3, 128_256)).astype(np.float32)
    targets = rng.integers(0, logits.shape[1], 3).astype(np.int32)
    scores = score_rows(logits, targets, 5)
    np.testing.assert_allclose(scores.logprob, log_softmax(logits)[[0, 1, 2], targets], atol=1e-6)


def test_what_cannot_be_said_is_minus_infinity() -> None:
    scores = score(-np.inf, 1, -np.inf, k=3)
    assert scores.logprob.tolist() == [-np.inf]
    assert scores.rank.tolist() == [2]
    assert scores.top_ids.tolist() == [[1, 0, 2]]
    assert scores.top_logprobs.tolist() == [[0, -np.inf, -np.inf]]


def test_no_row_and_no_alternative_are_fine() -> None:
    scores = score_rows(np.empty((0, 7), np.float32), np.empty(0, np.int32), 5)
    assert [field.shape for field in scores] == [(0,), (0,), (0, 5), (0, 5)]
    assert score(1, 2, k=0).top_ids.shape == (1, 0)


def test_more_alternatives_than_tokens_are_all_tokens() -> None:
    assert score(1, 3, 2, k=20).top_ids.tolist() == [[1, 2, 0]]


@pytest.mark.parametrize(
    "row", [(0, np.nan), (np.nan, 0), (np.nan, np.nan), (0, np.inf), (-np.inf, -np.inf), (np.nan, -np.inf)]
)
@pytest.mark.parametrize("k", [0, 2])
def test_a_row_that_is_no_distribution_is_refused(row: tuple[float, float], k: int) -> None:
    with pytest.raises(ValueError, match="logits that are not numbers"):
        score(*row, k=k)


def test_one_broken_row_among_whole_ones_is_refused() -> None:
    logits = np.zeros((3, 4), np.float32)
    logits[1, 2] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        score_rows(logits, np.zeros(3, np.int32), 1)
