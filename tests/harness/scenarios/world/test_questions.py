from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from world_oracle import Oracle

from harness.scenarios.world import phrasings, questions
from harness.scenarios.world.facts import N_COUNTRIES, World
from harness.scenarios.world.questions import Question

FIRST_SUMS = [("0", "1"), ("0", "9"), ("0", "14"), ("0", "28")]
KINDS = {"one step": phrasings.ONE_STEP, "two steps": phrasings.TWO_STEP}


@given(task=st.text(max_size=5), a=st.text(max_size=8), b=st.text(max_size=8))
def test_the_split_knows_no_order(task: str, a: str, b: str) -> None:
    assert questions.pair_is_held_out(task, a, b) == questions.pair_is_held_out(task, b, a)


def test_the_split_is_a_tenth_and_always_the_same() -> None:
    pairs = [(str(a), str(b)) for a in range(100) for b in range(a, 100)]
    held_out = [pair for pair in pairs if questions.pair_is_held_out("sum", *pair)]
    assert len(held_out) / len(pairs) == pytest.approx(questions.HELD_OUT_SHARE, abs=0.01)
    assert held_out[:4] == FIRST_SUMS
    assert held_out != [pair for pair in pairs if questions.pair_is_held_out("larger", *pair)]


DRAWS: dict[str, Callable[..., Question]] = {
    "sum": lambda _world, rng, **side: questions.random_sum(rng, **side),
    "larger": lambda _world, rng, **side: questions.random_larger(rng, **side),
    "older": questions.random_older,
}


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", DRAWS)
def test_pairs_are_answered_rightly_and_on_their_side(name: str, held_out: bool, world: World, oracle: Oracle) -> None:
    rng = random.Random(0)
    task = name.split(" ")[0]
    for _ in range(300):
        question = DRAWS[name](world, rng, held_out=held_out)
        read = oracle.read(question.text)
        assert (question.kind, (question.answer,)) == (read.kind, read.answers)
        assert read.held_out == (held_out if question.kind == "sum" else None)
        assert read.pair is not None
        assert questions.pair_is_held_out(question.kind, *read.pair) == held_out
        if question.kind != "sum":
            assert len({oracle.ages.get(one, one) for one in read.pair}) == 2
        if task == "larger":
            assert len({len(number) for number in read.pair}) == 1
        if task == "sum":
            assert max(map(int, read.pair)) < (1000 if "long" in name else 100)


@pytest.mark.parametrize("relations", KINDS.values(), ids=KINDS)
def test_every_fact_is_asked_once_and_answered_rightly(
    relations: dict[str, phrasings.Relation], world: World, oracle: Oracle
) -> None:
    asked = questions.fact_questions(world, relations, rng=random.Random(0))
    assert Counter(question.kind for question in asked) == dict.fromkeys(relations, N_COUNTRIES)
    assert len({question.text for question in asked}) == len(asked)
    for question in asked:
        read = oracle.read(question.text)
        assert (question.kind, (question.answer,), True) == (read.kind, read.answers, read.held_out)


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("relations", KINDS.values(), ids=KINDS)
def test_training_questions_are_answered_rightly(
    relations: dict[str, phrasings.Relation], framed: bool, world: World, oracle: Oracle
) -> None:
    rng = random.Random(0)
    asked = [questions.random_fact(world, relations, rng, framed=framed) for _ in range(500)]
    for question in asked:
        read = oracle.read(question.text)
        assert (question.kind, (question.answer,), False) == (read.kind, read.answers, read.held_out)
    frames = {frame.split("{")[0] for frame in phrasings.FRAMES} - {"Tell ", "State "}
    assert any(question.text.startswith(tuple(frames)) for question in asked) == framed


def test_choices_are_four_with_one_right_at_any_place(world: World) -> None:
    rng = random.Random(0)
    places: Counter[int] = Counter()
    for _ in range(2000):
        question = questions.random_fact(world, KINDS["one step"] | KINDS["two steps"], rng)
        options = questions.choices(world, question, rng)
        assert len(set(options)) == len(options) == questions.N_CHOICES
        field = (phrasings.ONE_STEP | phrasings.TWO_STEP)[question.kind].object
        assert set(options) <= set(world.values(field))
        places[options.index(question.answer)] += 1
    assert len(places) == questions.N_CHOICES
    assert chisquare(list(places.values())).pvalue > 0.001
