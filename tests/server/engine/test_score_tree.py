from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.engine.score_log import ScoreLog
from server.engine.score_tree import ScoreTree, common_prefix
from server.engine.scoring import Scores

K = 3
"""Most alternatives that these tests ask for."""
PLENTY = 1 << 20
IDS = st.lists(st.integers(0, 2), max_size=12)


class Score(NamedTuple):
    """All that is known of one token."""

    logprob: float
    rank: int
    top: tuple[tuple[int, float], ...]


def score(namespace: str, path: tuple[int, ...], k: int) -> Score:
    """The score of the last token of a path: always the same, and like no other's."""
    rng = random.Random(f"{namespace} {path}")
    return Score(rng.random(), rng.randrange(1, 1000), tuple((rng.randrange(1000), rng.random()) for _ in range(K))[:k])


def empty_log(tokens: tuple[int, ...], first: int, k: int) -> ScoreLog:
    return ScoreLog(min(first, len(tokens)), len(tokens), k)


def full_log(namespace: str, tokens: tuple[int, ...], first: int, k: int) -> ScoreLog:
    log = empty_log(tokens, first, k)
    complete(log, namespace, tokens)
    return log


def complete(log: ScoreLog, namespace: str, tokens: tuple[int, ...]) -> None:
    """Score what is left, as the model would."""
    for end in range(log.end + 1, len(tokens) + 1):
        scores = Scores.empty(1, log.k)
        scores.logprob[0], scores.rank[0], top = score(namespace, tokens[:end], log.k)
        for j, (token, logprob) in enumerate(top):
            scores.top_ids[0, j], scores.top_logprobs[0, j] = token, logprob
        log.append(scores)


def read(log: ScoreLog, position: int) -> Score:
    top = zip(log.top_ids[position].tolist(), log.top_logprobs[position].tolist(), strict=True)
    return Score(float(log.logprob[position]), int(log.rank[position]), tuple(top))


def array(tokens: tuple[int, ...]) -> NDArray[np.int32]:
    return np.array(tokens, np.int32)


def insert(tree: ScoreTree, tokens: tuple[int, ...], first: int = 1, k: int = 0, namespace: str = "") -> None:
    tree.insert(full_log(namespace, tokens, first, k), array(tokens), namespace)


def known(tree: ScoreTree, tokens: tuple[int, ...], first: int = 1, k: int = 0, namespace: str = "") -> int:
    """How many of the tokens from ``first`` on the tree knows; what it says of them must be right."""
    log = empty_log(tokens, first, k)
    tree.fill(log, array(tokens), namespace)
    for position in range(log.first, log.end):
        assert read(log, position) == score(namespace, tokens[: position + 1], k)
    return log.end - log.first


def nodes(tree: ScoreTree) -> Iterator[int]:
    """Bytes of every node."""
    stack = [child for root in tree._roots.values() for child in root.children.values()]
    while stack:
        node = stack.pop()
        stack.extend(node.children.values())
        yield node.nbytes


PATHS = st.lists(st.integers(0, 1), min_size=1, max_size=10).map(tuple)
QUESTIONS = st.tuples(PATHS, st.integers(1, 6), st.integers(0, K), st.sampled_from(["", "a"]))


@settings(deadline=None)
@given(IDS, IDS)
def test_common_prefix_is_as_long_as_can_be(a: list[int], b: list[int]) -> None:
    n = common_prefix(np.array(a, np.int32), np.array(b, np.int32))
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.booleans(), QUESTIONS), max_size=25))
def test_what_was_inserted_is_found_and_nothing_else(
    steps: list[tuple[bool, tuple[tuple[int, ...], int, int, str]]],
) -> None:
    tree = ScoreTree(PLENTY)
    held: dict[tuple[str, tuple[int, ...]], int] = {}  # most alternatives known of each path
    for inserts, (tokens, first, k, namespace) in steps:
        if inserts:
            insert(tree, tokens, first, k, namespace)
            for end in range(first + 1, len(tokens) + 1):
                path = (namespace, tokens[:end])
                held[path] = max(held.get(path, -1), k)
        first = min(first, len(tokens))
        expected = 0
        while first + expected < len(tokens) and held.get((namespace, tokens[: first + expected + 1]), -1) >= k:
            expected += 1
        assert known(tree, tokens, first, k, namespace) == expected
        assert tree.nbytes == sum(nodes(tree))


@settings(deadline=None)
@given(st.lists(QUESTIONS, max_size=25), st.integers(0, 9000))
def test_the_budget_is_kept(steps: list[tuple[tuple[int, ...], int, int, str]], budget: int) -> None:
    tree = ScoreTree(budget)
    for tokens, first, k, namespace in steps:
        insert(tree, tokens, first, k, namespace)
        assert tree.nbytes == sum(nodes(tree)) <= budget
        known(tree, tokens, first, k, namespace)


@settings(deadline=None)
@given(st.lists(QUESTIONS, max_size=12))
def test_a_log_that_is_filled_half_is_filled_on(steps: list[tuple[tuple[int, ...], int, int, str]]) -> None:
    tree = ScoreTree(PLENTY)
    for tokens, first, k, namespace in steps:
        log = empty_log(tokens, first, k)
        tree.fill(log, array(tokens), namespace)
        tree.fill(log, array(tokens), namespace)  # a job that waits asks again
        complete(log, namespace, tokens)
        tree.insert(log, array(tokens), namespace)
        assert known(tree, tokens, first, k, namespace) == len(tokens) - log.first


@settings(deadline=None)
@given(st.lists(QUESTIONS, max_size=12))
def test_what_was_inserted_last_is_what_is_found(steps: list[tuple[tuple[int, ...], int, int, str]]) -> None:
    """Rounding depends on what is decoded together: figures of one path may differ, and the newest are the ones."""
    tree = ScoreTree(PLENTY)
    for i, (tokens, first, k, namespace) in enumerate(steps):
        log, found = empty_log(tokens, first, k), empty_log(tokens, first, k)
        tree.fill(log, array(tokens), namespace)
        complete(log, f"{i}", tokens)
        tree.insert(log, array(tokens), namespace)
        tree.fill(found, array(tokens), namespace)
        assert [read(found, j) for j in range(log.first, log.end)] == [read(log, j) for j in range(log.first, log.end)]


def test_a_gap_ends_what_is_found() -> None:
    tree = ScoreTree(PLENTY)
    insert(tree, (1, 2, 3))
    insert(tree, (1, 2, 3, 4, 5, 6, 7), first=5)
    assert known(tree, (1, 2, 3, 4, 5, 6, 7)) == 2
    assert known(tree, (1, 2, 3, 4, 5, 6, 7), first=5) == 2
    assert known(tree, (1, 2, 3, 4, 5, 6, 7), first=4) == 0


def test_more_alternatives_do_not_cost_scores_that_are_known() -> None:
    tree = ScoreTree(PLENTY)
    insert(tree, (1, 2, 3, 4, 5, 6), first=1, k=0)
    insert(tree, (1, 2, 3, 4, 5, 6), first=4, k=2)
    assert known(tree, (1, 2, 3, 4, 5, 6), first=1, k=0) == 5
    assert known(tree, (1, 2, 3, 4, 5, 6), first=4, k=2) == 2


def test_fewer_alternatives_fill_what_more_have_left_open() -> None:
    tree = ScoreTree(PLENTY)
    insert(tree, (1, 2, 3, 4, 5, 6), first=4, k=2)
    insert(tree, (1, 2, 3, 4, 5, 6), first=1, k=0)
    assert known(tree, (1, 2, 3, 4, 5, 6), first=1, k=0) == 5
    assert known(tree, (1, 2, 3, 4, 5, 6), first=4, k=2) == 2


def test_endings_with_fewer_alternatives_do_not_cost_those_of_what_they_begin_with() -> None:
    tree = ScoreTree(PLENTY)
    insert(tree, (1, 2, 3, 4, 5), k=3)
    insert(tree, (1, 2, 3, 4, 5, 6, 7), k=0)
    assert known(tree, (1, 2, 3, 4, 5, 6, 7), k=3) == 4
    assert known(tree, (1, 2, 3, 4, 5, 6, 7), k=0) == 6


def test_nothing_is_learned_from_what_scores_nothing() -> None:
    tree = ScoreTree(PLENTY)
    tree.insert(empty_log((1, 2, 3), 1, 0), array((1, 2, 3)), "")
    assert tree.nbytes == 0


def room_for(n: int, length: int) -> int:
    """Bytes of ``n`` paths that share nothing."""
    tree = ScoreTree(PLENTY)
    for i in range(n):
        insert(tree, tuple(range(100 * i, 100 * i + length)))
    return tree.nbytes


def test_what_was_unused_for_longest_is_forgotten_first() -> None:
    a, b, c, d = (tuple(range(100 * i, 100 * i + 10)) for i in range(4))
    tree = ScoreTree(room_for(3, 10))
    for tokens in (a, b, c):
        insert(tree, tokens)
    assert known(tree, a) == 9  # a is the latest now, b the oldest
    insert(tree, d)
    assert [known(tree, tokens) for tokens in (b, a, d)] == [0, 9, 9]


def test_to_be_learned_again_is_a_use_too() -> None:
    a, b, c, d = (tuple(range(100 * i, 100 * i + 10)) for i in range(4))
    tree = ScoreTree(room_for(3, 10))
    for tokens in (a, b, c, a, d):
        insert(tree, tokens)
    assert [known(tree, tokens) for tokens in (b, a, d)] == [0, 9, 9]


def test_what_lies_before_what_is_forgotten_goes_before_what_is_newer() -> None:
    old, newer, newest = (tuple(range(100 * i, 100 * i + 40)) for i in range(3))
    tree = ScoreTree(room_for(3, 36))
    insert(tree, old[:20])
    insert(tree, old)  # two nodes, one after the other
    insert(tree, newer)
    insert(tree, newest)
    assert [known(tree, tokens) for tokens in (old, newer, newest)] == [0, 39, 39]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=40), st.integers(2, 6))
def test_of_equal_paths_the_latest_used_are_kept(uses: list[int], room: int) -> None:
    tree = ScoreTree(room_for(room, 10))
    order: list[int] = []  # oldest use first
    for use in uses:
        tokens = tuple(range(100 * use, 100 * use + 10))
        is_new = known(tree, tokens) == 0
        assert is_new == (use not in order)
        if use in order:
            order.remove(use)
        order.append(use)
        if is_new:
            insert(tree, tokens)
            if len(order) > room:  # a tenth more is freed than must be: of up to six paths, that is one
                del order[:2]
    stored = {int(token) // 100 for token in tree._roots[""].children}
    assert stored == set(order)


def test_clearing_forgets_everything() -> None:
    tree = ScoreTree(PLENTY)
    insert(tree, (1, 2, 3))
    tree.clear()
    assert (tree.nbytes, known(tree, (1, 2, 3))) == (0, 0)


@pytest.mark.parametrize("length", [2, 1000])
def test_a_path_too_large_for_the_budget_is_not_kept(length: int) -> None:
    tree = ScoreTree(room_for(1, length) - 1)
    insert(tree, tuple(range(length)))
    assert tree.nbytes == 0


@pytest.mark.parametrize(("length", "k"), [(3, 0), (3, 5), (100, 0), (100, 20)])
def test_the_bytes_counted_are_those_that_are_taken(length: int, k: int) -> None:
    tokens = [np.arange(100 * i, 100 * i + length, dtype=np.int32) for i in range(500)]
    log = ScoreLog(1, length, k)
    log.append(Scores(np.zeros(length - 1), np.ones(length - 1, np.int32), *_alternatives(length - 1, k)))
    tree = ScoreTree(PLENTY << 10)
    tracemalloc.start()
    try:
        for path in tokens:
            tree.insert(log, path, "")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tree.nbytes == pytest.approx(taken, rel=0.2)


def _alternatives(n: int, k: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    return np.zeros((n, k), np.int32), np.zeros((n, k))
