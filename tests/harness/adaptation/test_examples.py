from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.examples import choose_examples, choose_instances
from harness.types import Instance

THINGS = [Instance(f"x-{i}", str(i)) for i in range(50)]


@given(count=st.integers(0, 60), seed=st.integers())
def test_examples_are_drawn_without_repeats_and_by_seed_alone(count: int, seed: int) -> None:
    found = choose_examples(THINGS, count, seed)
    assert found == choose_examples(THINGS, count, seed)
    assert len(set(found)) == len(found) == min(count, len(THINGS))
    assert set(found) <= set(THINGS)


@given(most=st.none() | st.integers(0, 60), seed=st.integers())
def test_instances_keep_their_order(most: int | None, seed: int) -> None:
    found = choose_instances(THINGS, most, seed)
    assert found == choose_instances(THINGS, most, seed)
    assert found == [thing for thing in THINGS if thing in set(found)]
    assert len(found) == len(THINGS if most is None else THINGS[:most])


@pytest.mark.parametrize("choose", [choose_examples, choose_instances])
def test_another_seed_chooses_others(choose: object) -> None:
    assert callable(choose)
    assert choose(THINGS, 5, 0) != choose(THINGS, 5, 1)


def test_examples_and_instances_are_chosen_apart() -> None:
    # With one stream of random numbers for both, more examples would mean other instances.
    assert {i.id for i in choose_examples(THINGS, 10, 0)} != {i.id for i in choose_instances(THINGS, 10, 0)}


def test_nothing_to_choose_from() -> None:
    assert choose_examples([], 3, 0) == []
    assert choose_instances([], 3, 0) == []
