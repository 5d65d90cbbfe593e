from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.degradation.binary import Interval, agresti_min, exact_mcnemar
from harness.degradation.clusters import FEWEST, MANY, cluster_codes, clustered, clustered_p, clustering_effect
from harness.degradation.continuous import sign_flips

SIDES = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.integers(0, 14)), min_size=1, max_size=80)


def labels(n: int, size: int) -> np.ndarray:
    """Clusters of so many instances, one after the other."""
    return np.array([f"g{i // size:03}" for i in range(n)], object)


def of_answers(differences: np.ndarray, groups: np.ndarray, **options: Any) -> Interval:
    """The interval of differences of right-or-wrong answers."""
    return clustered(differences, groups, right_or_wrong=True, seed=0, **options)


def apart(pairs: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Differences and their groups; group 0 has no name, so its members stand alone."""
    differences, numbers = zip(*pairs, strict=True)
    return np.array(differences), np.array([f"g{i}" if i else "" for i in numbers], object)


def test_an_empty_group_stands_alone() -> None:
    assert cluster_codes(np.array(["b", "", "a", "", "b"], object)).tolist() == [1, 2, 0, 3, 1]
    assert cluster_codes(np.array([], object)).tolist() == []


def test_many_clusters_have_students_interval_of_their_means() -> None:
    # With clusters of one size, the clustered error of the mean is that of the clusters' means.
    differences = np.random.default_rng(0).normal(0.1, 1, (MANY, 7)) + np.random.default_rng(1).normal(0, 1, (MANY, 1))
    means = differences.mean(1)
    expected = stats.ttest_1samp(means, 0).confidence_interval()
    found = clustered(differences.ravel(), labels(7 * MANY, 7), seed=0)
    assert found.method == "clustered t"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n_clusters", [FEWEST, 15, MANY - 1])
def test_fewer_clusters_are_resampled(n_clusters: int) -> None:
    differences = np.random.default_rng(n_clusters).normal(0, 1, (n_clusters, 1)).repeat(5, axis=1).ravel()
    found = clustered(differences, labels(5 * n_clusters, 5), seed=0)
    expected = stats.ttest_1samp(differences[::5], 0).confidence_interval()
    assert found.method == "cluster bootstrap"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.25 * (found.high - found.low))
    assert clustered(differences, labels(5 * n_clusters, 5), seed=0) == found


def test_too_few_clusters_have_none() -> None:
    for differences in (np.ones(90), np.random.default_rng(0).normal(size=90), np.zeros(0)):
        found = clustered(differences, labels(len(differences), 10), seed=0)
        assert found.method == "none"
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_a_difference_that_is_no_number_leaves_no_limits() -> None:
    differences = np.ones(100)
    differences[3] = math.nan
    assert clustered(differences, labels(100, 2), seed=0).method == "none"
    assert math.isnan(clustered_p(differences, labels(100, 2), seed=0))


def test_no_spread_on_a_scale_is_constant() -> None:
    for value in (0.25, 0.0, 1.0):  # of which the last two could be right or wrong
        assert clustered(np.full(100, value), labels(100, 2), seed=0) == (value, value, "constant")


@pytest.mark.parametrize("n_clusters", [FEWEST, MANY])
def test_clusters_that_all_say_the_same_leave_no_doubt(n_clusters: int) -> None:
    found = clustered(np.tile([0.1, 0.2, 0.7], n_clusters), labels(3 * n_clusters, 3), seed=0)
    assert (found.low, found.high) == pytest.approx((1 / 3, 1 / 3))


def test_weights_are_those_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    differences, weights = rng.normal(0, 1, 200), rng.integers(1, 4, 200)
    found = clustered(differences, labels(200, 2), weights=weights.astype(float), seed=0)
    again = clustered(differences.repeat(weights), labels(200, 2).repeat(weights), seed=0)
    assert (found.low, found.high) == pytest.approx((again.low, again.high), rel=0.01)


def test_equal_weights_of_right_or_wrong_are_none() -> None:
    differences = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 100)
    assert of_answers(differences, labels(100, 5), weights=np.full(100, 3.0)) == of_answers(differences, labels(100, 5))


def test_instances_that_stand_alone_are_agresti_mins() -> None:
    differences = np.repeat([1.0, -1.0, 0.0], [20, 40, 940])
    found = of_answers(differences, np.full(1000, "", object))
    assert found.method == "clustered agresti-min"
    assert (found.low, found.high) == pytest.approx(agresti_min(20, 40, 1000), rel=0.01)  # t of 999 for the normal


def test_flips_that_cluster_say_less() -> None:
    differences = np.zeros(400)
    differences[:10], differences[10:20] = -1, 1  # all in two clusters
    together = of_answers(differences, labels(400, 10))
    spread = of_answers(differences.reshape(10, 40).T.ravel(), labels(400, 10))
    assert together.high - together.low > 2 * (spread.high - spread.low)


def test_no_flips_in_clusters_say_less_than_no_flips_alone() -> None:
    found = of_answers(np.zeros(400), labels(400, 10))
    low, high = agresti_min(0, 0, 400)
    assert found.low == -found.high
    assert 2 < found.high / high < 4  # as of 400 / (1 + 9 * 0.2) instances
    assert low < 0


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_answers_are_taken_for_right_or_wrong_when_told(step: float) -> None:
    differences = np.repeat([step, -step, 0.0], [4, 4, 92])
    assert clustered(differences, labels(100, 2), seed=0).method == "clustered t"
    assert of_answers(differences, labels(100, 2)).method == "clustered agresti-min"


def test_the_design_effect_is_that_of_the_interval() -> None:
    differences = np.zeros(1000)
    differences[:25] = -1  # one of forty subjects
    effect = clustering_effect(differences, labels(1000, 25))
    assert 15 < effect < 25
    low, high = agresti_min(0, 25 / effect, 1000 / effect)
    found = of_answers(differences, labels(1000, 25))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.005)  # t of 39 for the normal


def test_a_tie_among_many_hardly_changes_the_design_effect() -> None:
    differences = np.zeros(1000)
    differences[:25] = -1
    whole = clustering_effect(differences, labels(1000, 25))
    differences[999] = -0.5
    assert clustering_effect(differences, labels(1000, 25)) == pytest.approx(whole, rel=0.03)


@pytest.mark.parametrize("groups", [labels(90, 10), labels(8, 1), labels(30, 30), labels(0, 1)])
def test_of_few_clusters_no_design_effect_is_known(groups: np.ndarray) -> None:
    assert clustering_effect(-np.ones(len(groups)), groups) == 1


@given(SIDES)
def test_swapping_the_models_mirrors(pairs: list[tuple[float, int]]) -> None:
    differences, groups = apart(pairs)
    there, back = of_answers(differences, groups), of_answers(-differences, groups)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), nan_ok=True)
    assert clustered_p(differences, groups, seed=0) == pytest.approx(
        clustered_p(-differences, groups, seed=0), nan_ok=True
    )


@given(SIDES, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(pairs: list[tuple[float, int]], random: object) -> None:
    shuffled = pairs.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    (first, second) = (of_answers(*apart(each)) for each in (pairs, shuffled))
    assert first[:2] == pytest.approx(second[:2], nan_ok=True)
    assert clustered_p(*apart(pairs), seed=0) == pytest.approx(clustered_p(*apart(shuffled), seed=0), nan_ok=True)


@given(SIDES)
def test_the_limits_are_possible_and_hold_the_mean(pairs: list[tuple[float, int]]) -> None:
    differences, groups = apart(pairs)
    found = of_answers(differences, groups)
    if found.method != "none":
        assert -1 <= found.low <= differences.mean() + 1e-12
        assert differences.mean() - 1e-12 <= found.high <= 1
        wider = of_answers(differences, groups, confidence=0.99)
        assert wider.low <= found.low
        assert found.high <= wider.high


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=60))
def test_the_p_value_alone_is_mcnemars(differences: list[float]) -> None:
    found = clustered_p(np.array(differences), np.full(len(differences), "", object), seed=0)
    assert found == pytest.approx(exact_mcnemar(differences.count(-1), differences.count(1)))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=9, max_size=12))
def test_the_exact_p_value_is_that_of_all_signs(sums: list[int]) -> None:
    # Eight more clusters without a flip change nothing; the 4,096 patterns of the others are counted and not drawn.
    differences = np.concatenate([np.repeat(np.sign(sums), np.abs(sums)), np.zeros(8 + len(sums))]).astype(float)
    numbers = np.concatenate([np.repeat(np.arange(len(sums)), np.abs(sums)), np.arange(8 + len(sums))])
    groups = np.array([f"g{i}" for i in numbers], object)
    found = clustered_p(differences, groups, seed=0)
    assert found == pytest.approx(sign_flips(np.array(sums, float), 0))


def test_a_whole_cluster_is_one_observation() -> None:
    # Six questions lost on one subject could be one accident; lost on six subjects they could not.
    differences = np.repeat([-1.0, 0.0], [6, 114])
    assert clustered_p(differences, labels(120, 6), seed=0) == 1
    assert clustered_p(differences, labels(120, 1), seed=0) == pytest.approx(2 / 2**6)


def test_values_on_a_scale_have_the_permutation_of_clusters() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1, 20).repeat(3)
    assert clustered_p(differences, labels(60, 3), seed=0) == sign_flips(3 * differences[::3], 0)
    assert math.isnan(clustered_p(np.array([0.5]), labels(1, 1), seed=0))


def test_few_clusters_that_all_lost_are_shown_to_have() -> None:
    # Five subjects: 32 patterns of signs could never show it.
    rng = np.random.default_rng(0)
    differences = -(rng.uniform(size=250) < 0.5).astype(float)
    assert clustered_p(differences, labels(250, 50), seed=0) < 0.001


def test_few_clusters_are_not_taken_for_many_instances() -> None:
    differences = np.repeat([-1.0, 0.0], [20, 230])  # all of one subject
    assert clustered_p(differences, labels(250, 50), seed=0) > 0.3
    assert exact_mcnemar(20, 0) < 1e-5
    alike = np.tile(np.repeat([-1.0, 0.0], [1, 49]), 5)  # one a subject, which five lost of five do not show
    assert clustered_p(alike, labels(250, 50), seed=0) == pytest.approx(2 / 2**5)


def test_a_single_cluster_is_all_there_is() -> None:
    differences = np.repeat([-1.0, 0.0], [9, 41])
    assert clustered_p(differences, labels(50, 50), seed=0) == pytest.approx(exact_mcnemar(9, 0))
