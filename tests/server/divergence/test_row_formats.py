"""Stored rows and what is measured against them, held to float64 sums over whole softmaxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from numpy.typing import NDArray

from server.divergence.formats import COMPACT, EXACT, LLAMA
from server.divergence.measures import COLUMNS, as_columns, empty_measures
from server.divergence.row_format import DAMAGED, FINE, NOT_NUMBERS, RowFormat

Floats = NDArray[np.float64]
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Logits of the reference and of the model, ``[rows, n_vocab]``."""
ROUNDING = 2.0**-11
"""Of a float16, relative."""
ALL = (EXACT, COMPACT, LLAMA)
NAMES = [each.name for each in ALL]


class Truth(NamedTuple):
    """Of two rows of logits."""

    log_p: Floats
    log_q: Floats

    @property
    def kld(self) -> Floats:
        return (np.exp(self.log_p) * (self.log_p - self.log_q)).sum(axis=1)

    @property
    def reverse(self) -> Floats:
        return Truth(self.log_q, self.log_p).kld

    @property
    def slack(self) -> Floats:
        """How far rounding may move the divergence, either way: of each stored logarithm, and of sums in float32."""
        depth = self.log_p.max(axis=1, keepdims=True) - self.log_p
        p, q = np.exp(self.log_p), np.exp(self.log_q)
        ratios = np.abs(self.log_p - self.log_q)
        moved = 2 * ROUNDING * ((p + q) * depth).sum(axis=1) + 2e-6
        return moved * (1 + ratios.max(axis=1))


def log_softmax(logits: NDArray[np.float32]) -> Floats:
    """What is far below the maximum counts as 65,504 below it, as documented."""
    shifted = np.maximum(logits.astype(np.float64) - logits.max(axis=1, keepdims=True), -65504)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def encode(form: RowFormat, p: NDArray[np.float32], targets: NDArray[np.int32]) -> NDArray[np.uint8]:
    stored = np.full((len(p), form.stride(p.shape[1])), 0xAB, np.uint8)
    logprobs = np.empty(len(p))
    assert form.encode(p, np.arange(len(p)), targets, stored, logprobs)
    np.testing.assert_allclose(logprobs, log_softmax(p)[np.arange(len(p)), targets], rtol=1e-6, atol=1e-6)
    return stored


def measure(form: RowFormat, p: NDArray[np.float32], q: NDArray[np.float32]) -> dict[str, Floats]:
    targets = np.arange(len(p), dtype=np.int32) % p.shape[1]
    measures = empty_measures(len(p))
    assert form.compare(q, np.arange(len(q)), targets, encode(form, p, targets), measures) == FINE
    return dict(zip(COLUMNS, measures.T, strict=True))


def random_pair(rows: int, n_vocab: int, spread: float, noise: float) -> Pair:
    rng = np.random.default_rng(n_vocab)
    p = (rng.normal(size=(rows, n_vocab)) * spread).astype(np.float32)
    return p, (p + rng.normal(size=p.shape) * noise).astype(np.float32)


ANY = st.floats(-40, 40, width=32)
FEW = st.sampled_from([-60000.0, -30.0, -1.5, 0.0, 0.25, 7.0])


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Two rows, some with many equal or hopeless tokens, of vocabularies that compact rows hold whole or not."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 90) | st.sampled_from([719, 720, 1024])))
    kinds = st.sampled_from([FEW, ANY])
    p, q = (draw(st_np.arrays(np.float32, shape, elements=draw(kinds), fill=draw(kinds))) for _ in range(2))
    for logits in (p, q):
        logits[:, draw(st.integers(0, shape[1] - 1))] = draw(st.floats(-9, 9, width=32))  # something is likely
    return p, q


@pytest.mark.parametrize("n_vocab", [1, 2, 105, 511, 1024, 32001])
@pytest.mark.parametrize(("spread", "noise"), [(3, 0.1), (0.5, 1.0), (6, 0.0)])
def test_an_exact_store_gives_the_divergence_of_whole_rows(n_vocab: int, spread: float, noise: float) -> None:
    p, q = random_pair(6, n_vocab, spread, noise)
    found, truth = measure(EXACT, p, q), Truth(log_softmax(p), log_softmax(q))
    assert (np.abs(found["kld"] - truth.kld) <= truth.slack).all()
    assert (np.abs(found["kld_reverse"] - truth.reverse) <= truth.slack).all()
    targets = np.arange(6) % n_vocab
    np.testing.assert_allclose(found["logprob"], truth.log_q[np.arange(6), targets], atol=1e-6)
    np.testing.assert_allclose(found["reference_logprob"], truth.log_p[np.arange(6), targets], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found["reference_top"], np.exp(truth.log_p.max(axis=1)), rtol=1e-3)
    assert (found["same_top"] == (p.argmax(axis=1) == q.argmax(axis=1))).all()
    assert (found["kld_bound"] == 0).all()


@pytest.mark.parametrize(("spread", "most"), [(2, 1e-6), (8, 2e-7)])
def test_a_model_does_not_diverge_from_itself(spread: float, most: float) -> None:
    p, _ = random_pair(20, 32000, spread, 0)
    found = measure(EXACT, p, p)
    assert found["kld"].mean() < most
    assert found["same_top"].all()
    assert np.abs(measure(LLAMA, p, p)["kld"]).mean() > 2 * found["kld"].mean()  # what is to be improved on


@settings(deadline=None, max_examples=150)
@given(pairs())
def test_bounds_hold_whatever_the_rows(pair: Pair) -> None:
    """Least <= true <= most, for both stores; divergences are never negative."""
    truth = Truth(*map(log_softmax, pair))
    for form in (EXACT, COMPACT):
        found = measure(form, *pair)
        assert (found["kld"] <= truth.kld + truth.slack).all()
        assert (found["kld"] + found["kld_bound"] >= truth.kld - truth.slack).all()
        assert min(found["kld"].min(), found["kld_reverse"].min(), found["kld_bound"].min()) >= 0
        assert (found["kld_reverse"] <= truth.reverse + truth.slack).all()
        same = pair[0].argmax(axis=1) == pair[1].argmax(axis=1)
        assert ((found["same_top"] == same) | (found["near_tie"] == 1)).all()


@settings(deadline=None, max_examples=40)
@given(pairs(), st.integers(0, 1000))
def test_the_order_of_the_vocabulary_does_not_matter(pair: Pair, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(pair[0].shape[1])
    there, back = measure(EXACT, *pair), measure(EXACT, *(np.ascontiguousarray(each[:, order]) for each in pair))
    for name in ("kld", "kld_reverse", "reference_top", "near_tie"):
        np.testing.assert_allclose(there[name], back[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ALL, ids=NAMES)
def test_ties_go_to_the_lowest_id_and_are_told(form: RowFormat) -> None:
    p = np.array([[0, 5, 5, 1], [0, 5, 5 - 5e-5, 1], [0, 5, 4.99, 1], [5, 1, 0, 5]], np.float32)
    q = np.array([[0, 4, 3, 1], [0, 4, 3, 1], [0, 3, 4, 1], [1, 0, 0, 9]], np.float32)
    found = measure(form, p, q)
    assert found["near_tie"].tolist()[::2] == [1, 0]
    assert found["near_tie"][3] == 1
    assert found["same_top"].tolist() == [1, 1, 0, 0]
    assert form is LLAMA or found["near_tie"][1] == 1


@pytest.mark.parametrize("n_vocab", [720, 1024, 32000, 151936])
def test_a_compact_row_is_a_twentieth_of_two_bytes_a_token(n_vocab: int) -> None:
    assert COMPACT.stride(n_vocab) <= 2 * n_vocab / 20
    assert LLAMA.stride(n_vocab) >= 2 * n_vocab
    assert COMPACT.stride(n_vocab) % 4 == EXACT.stride(n_vocab) % 4 == 0


def guarded_encode(p: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One compact row, and that nothing was written behind it."""
    guarded = np.full(COMPACT.stride(p.shape[1]) + 8, 0xAB, np.uint8)
    stored = guarded[:-8].reshape(1, -1)
    assert COMPACT.encode(p, np.zeros(1, np.intp), np.zeros(1, np.int32), stored, np.empty(1))
    assert (guarded[-8:] == 0xAB).all()
    measures = empty_measures(1)
    assert COMPACT.compare(p, np.zeros(1, np.intp), np.zeros(1, np.int32), stored, measures) == FINE
    assert measures[0, COLUMNS.index("kld")] < 1e-5
    return stored


@pytest.mark.parametrize("n_vocab", [19000, 20000, 32000, 32767])
def test_a_compact_row_that_is_filled_to_its_end_ends_there(n_vocab: int) -> None:
    """Its likely tokens leave 4 bytes to one more, which lies so far behind them that it would need 5."""
    likely, far = divmod(COMPACT.stride(n_vocab) - 18 - 4, 3)
    p = np.full((1, n_vocab), -100, np.float32)
    p[0, : likely - far] = 0
    p[0, likely - far - 1 + 128 * np.arange(1, far + 1)] = 0  # 4 bytes each
    p[0, -1] = -0.1
    stored = guarded_encode(p)
    assert stored[:, 16:18].copy().view(np.uint16) == likely


@pytest.mark.parametrize("n_vocab", [127, 128, 200, 255, 256, 16383, 16384, 32768])
def test_a_compact_row_never_grows_beyond_its_bytes(n_vocab: int) -> None:
    """Few likely tokens at ids far apart, more of one bucket at the end: all lengths of steps, none left over."""
    rng = np.random.default_rng(n_vocab)
    for _ in range(300):
        p = np.full((1, n_vocab), -100, np.float32)
        room = COMPACT.stride(n_vocab) - 18
        likely = rng.integers(room // 4 - 3, room // 3 + 1)
        p[0, : min(likely, n_vocab)] = 0
        p[0, rng.integers(0, n_vocab, rng.integers(0, 5))] = 0
        p[0, rng.integers(n_vocab // 2, n_vocab, rng.integers(1, 4))] = -0.1
        guarded_encode(p)


def test_a_compact_store_of_a_sure_model_is_close() -> None:
    """Where a thousand of 32,000 tokens have all but a little of the probability, as models of language have it."""
    p, q = random_pair(10, 32000, 8, 0.1)
    found, truth = measure(COMPACT, p, q), Truth(log_softmax(p), log_softmax(q))
    np.testing.assert_allclose(found["kld"], truth.kld, rtol=1e-2, atol=1e-5)
    assert found["kld_bound"].max() < 0.01


def test_llamas_codes_are_its_own() -> None:
    """By hand: 16 nats in 65,535 steps below the maximum, half to even, what is lower at the lowest."""
    p = np.array([[3.0, -13.0, -40.0, 2.0, 2.5]], np.float32)
    stored = encode(LLAMA, p, np.zeros(1, np.int32))
    scale, least = stored.view(np.float32)[0, :2]
    codes = stored.view(np.uint16)[0, 4:]
    log_total = np.log(np.exp(p[0].astype(np.float64) - 3).sum())
    assert scale == np.float32(16 / 65535)
    assert least == pytest.approx(-16 - log_total, abs=1e-6)
    assert codes.tolist() == [65535, 0, 0, round(15 / 16 * 65535), round(15.5 / 16 * 65535), 0]
    assert stored.shape[1] == 2 * (4 + 6)
    flat = encode(LLAMA, np.zeros((1, 4), np.float32), np.zeros(1, np.int32))
    assert flat.view(np.float32)[0, 0] == 0
    assert not flat.view(np.uint16)[0, 4:].any()


@pytest.mark.parametrize("form", ALL, ids=NAMES)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_rows_that_are_no_numbers_are_told(form: RowFormat, broken: float) -> None:
    p, q = random_pair(3, 50, 3, 0.1)
    targets = np.zeros(3, np.int32)
    stored = encode(form, p, targets)
    q[1, 7] = broken
    everything = np.arange(3)
    assert form.compare(q, everything, targets, stored, empty_measures(3)) == NOT_NUMBERS
    assert not form.encode(q, everything, targets, stored.copy(), np.empty(3))


@pytest.mark.parametrize("form", ALL, ids=NAMES)
def test_damaged_rows_are_told(form: RowFormat) -> None:
    p, q = random_pair(3, 800, 3, 0.1)
    everything, targets = np.arange(3), np.zeros(3, np.int32)
    stored = encode(form, p, targets)
    rng = np.random.default_rng(5)
    for damage in (
        np.zeros_like(stored[1]),
        np.full_like(stored[1], 255),
        rng.integers(0, 255, stored[1].shape, np.uint8),
    ):
        damaged = stored.copy()
        damaged[1] = damage
        assert form.compare(q, everything, targets, damaged, empty_measures(3)) == DAMAGED


@settings(deadline=None, max_examples=200)
@given(st_np.arrays(np.uint8, (1, 88)))
def test_compact_rows_of_any_bytes_are_read_within_their_bounds(stored: NDArray[np.uint8]) -> None:
    q = np.zeros((1, 1000), np.float32)
    status = COMPACT.compare(q, np.zeros(1, np.intp), np.zeros(1, np.int32), stored, empty_measures(1))
    assert status in (FINE, DAMAGED)


def test_rows_are_taken_from_where_they_are() -> None:
    p, q = random_pair(4, 60, 3, 0.5)
    targets, rows = np.zeros(2, np.int32), np.array([3, 1])
    for form in ALL:
        stored = np.empty((2, form.stride(60)), np.uint8)
        assert form.encode(p, rows, targets, stored, np.empty(2))
        some, whole = empty_measures(2), empty_measures(4)
        assert form.compare(q, rows, targets, stored, some) == FINE
        everything = encode(form, p, np.zeros(4, np.int32))
        assert form.compare(q, np.arange(4), np.zeros(4, np.int32), everything, whole) == FINE
        assert (some == whole[rows]).all()


def test_measures_become_lists_by_name() -> None:
    found = as_columns(np.arange(8.0)[None])
    assert tuple(found) == COLUMNS
    assert found["kld"] == [2.0]
    assert found["same_top"] == [True]
