from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.ranking import NDCG_AT_10, RR_AT_10, K
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]


def dcg(gains: list[bool]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:K], 1))


@pytest.mark.parametrize(
    ("relevant", "scores", "rr", "ndcg"),
    [
        ([1, 0, 0], (-1, -2, -3), 1, 1),
        ([1, 0, 0], (-2, -1, -3), 1 / 2, 1 / math.log2(3)),
        ([0, 1, 1], (-1, -2, -3), 1 / 2, (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3))),
        ([1, 0], (-1, -1), 3 / 4, (1 + 1 / math.log2(3)) / 2),  # rank 1 or rank 2
        ([1, 0, 0, 0], (-2, -1, -2, -3), 5 / 12, (1 / math.log2(3) + 1 / 2) / 2),  # rank 2 or rank 3
        ([0, 0], (-1, -2), 0, 0),
        ([1], (-1,), 1, 1),
        ([0], (-1,), 0, 0),
        ([1] + [0] * 10, (-9, *range(10)), 0, 0),  # rank 11
        ([1] + [0] * 10, (0.5, *range(1, 10), -1), 1 / 10, 1 / math.log2(11)),
        ([1, 0, 0], (-math.inf, -math.inf, -1), 5 / 12, (1 / math.log2(3) + 1 / 2) / 2),
    ],
)
def test_rankings_by_hand(
    relevant: list[int], scores: tuple[float, ...], rr: float, ndcg: float, judged: Judged
) -> None:
    passages = [f"{'*' if one else ''}passage {i} é" for i, one in enumerate(relevant)]
    assert judged("rr_at_10", passages, choice_logprobs=scores) == pytest.approx(rr)
    assert judged("ndcg_at_10", passages, choice_logprobs=scores) == pytest.approx(ndcg)


@pytest.mark.parametrize("scores", [(), (math.nan, -1)])
@pytest.mark.parametrize("metric", ["rr_at_10", "ndcg_at_10"])
def test_without_scores_there_is_no_rank(metric: str, scores: tuple[float, ...], judged: Judged) -> None:
    assert math.isnan(judged(metric, ["*a", "b"], choice_logprobs=scores))


@settings(deadline=None)  # the first example loads a library
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=2, max_size=5))
def test_ties_give_the_mean_over_all_orders(passages: list[tuple[bool, int]]) -> None:
    orders = [
        [is_relevant for is_relevant, _ in sorted(order, key=lambda passage: -passage[1])]
        for order in itertools.permutations(passages)
    ]
    best = dcg(sorted((is_relevant for is_relevant, _ in passages), reverse=True))
    rr = sum(1 / (order.index(True) + 1) if True in order else 0 for order in orders) / len(orders)
    ndcg = sum(dcg(order) / best if best else 0 for order in orders) / len(orders)
    instance = Instance("x", "", tuple(Reference(str(i), one) for i, (one, _) in enumerate(passages)))
    answer = Answer("", 0, (), 0, choice_logprobs=tuple(score / 7 for _, score in passages))
    assert RR_AT_10.judge(instance, answer) == pytest.approx(rr)
    assert NDCG_AT_10.judge(instance, answer) == pytest.approx(ndcg)
