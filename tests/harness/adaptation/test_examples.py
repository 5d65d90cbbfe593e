from __future__ import annotations

import random
from collections import Counter
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.examples import choose_examples, choose_instances
from harness.scenarios.base import AdapterSpec
from harness.types import Instance, Reference

THINGS = [Instance(f"x-{i}", str(i)) for i in range(50)]


def labelled(labels: list[str | None]) -> list[Instance]:
    """Instances whose first correct reference has this text; None for one without any."""
    return [
        Instance(f"x-{i}", str(i), () if label is None else (Reference("wrong", False), Reference(label, True)))
        for i, label in enumerate(labels)
    ]


def spec_of(count: int, *, sample: bool = True) -> AdapterSpec:
    return AdapterSpec(method="generation", n_shots=count, sample_train=sample)


@given(count=st.integers(0, 60), seed=st.integers(0), labels=st.lists(st.sampled_from([None, "a", "b", "c"])))
def test_examples_are_drawn_without_repeats_and_by_seed_alone(count: int, seed: int, labels: list[str | None]) -> None:
    things = labelled(labels)
    found = choose_examples(things, spec_of(count), seed)
    assert found == choose_examples(things, spec_of(count), seed)
    assert len(set(found)) == len(found) == min(count, len(things))
    assert set(found) <= set(things)


def helm_draw(labels: list[str | None], count: int, seed: int) -> list[int]:
    """Indices in HELM's order of calls to one global generator: shuffles of equally frequent labels, then draws."""
    random.seed(seed)
    places = {label: [i for i, other in enumerate(labels) if other == label] for label in sorted(set(labels) - {None})}
    frequency = Counter(label for label in labels if label is not None)
    order = []
    for size in sorted(set(frequency.values()), reverse=True):
        same = [label for label in places if frequency[label] == size]
        random.shuffle(same)
        order += same
    drawn: list[int] = []
    wanted = min(count, len(labels))
    for label in cycle(order):
        if len(drawn) == wanted or not any(places.values()):
            break
        if places[label]:
            drawn.append(places[label].pop(random.randrange(len(places[label]))))
    return drawn + random.sample([i for i, label in enumerate(labels) if label is None], wanted - len(drawn))


@given(
    labels=st.lists(st.sampled_from([None, "yes", "no", "maybe", "a", "B"]), max_size=40),
    count=st.integers(0, 12),
    trial=st.integers(0, 5),
)
def test_examples_are_those_that_helm_draws(labels: list[str | None], count: int, trial: int) -> None:
    state = random.getstate()
    try:
        expected = helm_draw(labels, count, trial)
    finally:
        random.setstate(state)
    found = choose_examples(labelled(labels), spec_of(count), trial)
    assert [int(example.input) for example in found] == expected


def test_frequent_classes_come_first_and_each_in_turn() -> None:
    found = choose_examples(labelled(["no", "yes", "yes", "no", "yes", None]), spec_of(6), 0)
    assert [example.gold for example in found] == ["yes", "no", "yes", "no", "yes", ""]


def test_without_sampling_each_trial_takes_the_next_ones() -> None:
    spec = spec_of(3, sample=False)
    assert [[e.input for e in choose_examples(THINGS[:7], spec, seed=5, trial=trial)] for trial in range(4)] == [
        ["0", "1", "2"],
        ["3", "4", "5"],
        ["6", "0", "1"],  # there are no more: HELM asks with fewer then, and at last without
        ["2", "3", "4"],
    ]


@given(most=st.none() | st.integers(0, 60), seed=st.integers())
def test_instances_keep_their_order(most: int | None, seed: int) -> None:
    found = choose_instances(THINGS, most, seed)
    assert found == choose_instances(THINGS, most, seed)
    assert found == [thing for thing in THINGS if thing in set(found)]
    assert len(found) == len(THINGS if most is None else THINGS[:most])


def test_another_seed_chooses_others() -> None:
    assert choose_examples(THINGS, spec_of(5), 0) != choose_examples(THINGS, spec_of(5), 1)
    assert choose_instances(THINGS, 5, 0) != choose_instances(THINGS, 5, 1)


def test_examples_and_instances_are_chosen_apart() -> None:
    # With one stream of random numbers for both, more examples would mean other instances.
    assert {i.id for i in choose_examples(THINGS, spec_of(10), 0)} != {i.id for i in choose_instances(THINGS, 10, 0)}


@pytest.mark.parametrize("sample", [True, False])
def test_nothing_to_choose_from(sample: bool) -> None:
    assert choose_examples([], spec_of(3, sample=sample), 0) == []
    assert choose_instances([], 3, 0) == []
