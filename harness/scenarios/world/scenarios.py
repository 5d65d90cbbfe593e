"""The bundled world's scenarios: what the reference model learned, and quantization makes it forget."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.data.table import Store
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.world import corpus, phrasings, questions
from harness.scenarios.world.facts import WORLD_SEED, build_world
from harness.scenarios.world.phrasings import Relation
from harness.scenarios.world.questions import Question
from harness.types import Instance, Reference

N_TRAIN = 100
N_TEST = 2000
"""Most instances of a generated scenario; ``--max-instances`` takes a sample of them."""
N_PASSAGES = 200
N_SHOTS = 3
"""The corpus shows up to four solved questions before one."""


def _instances(scenario: str, side: str, asked: list[Question]) -> list[Instance]:
    """Open questions; those of the training side have a ``t`` in their ids."""
    return [
        Instance(f"{scenario}-{side}{number:04}", question.text, (Reference(question.answer, True),), question.kind)
        for number, question in enumerate(asked)
    ]


def _facts(name: str, relations: dict[str, Relation]) -> Callable[[Store], Data]:
    """Facts in held-out phrasings; examples in training phrasings, as the corpus asks them."""

    def load(_store: Store) -> Data:
        world, rng = build_world(), random.Random(f"{WORLD_SEED}/{name}")
        train = [questions.random_fact(world, relations, rng) for _ in range(N_TRAIN)]
        test = questions.fact_questions(world, relations, rng=rng)[:N_TEST]
        return Data(_instances(name, "t", train), _instances(name, "", test))

    return load


def _drawn(name: str, draw: Callable[[random.Random, bool], Question]) -> Callable[[Store], Data]:
    """Questions drawn one by one, no text twice; ``draw(rng, held_out)``."""

    def load(_store: Store) -> Data:
        rng = random.Random(f"{WORLD_SEED}/{name}")
        sides = []
        for side, held_out, most in (("t", False, N_TRAIN), ("", True, N_TEST)):
            # Twice as many draws as wanted: the held-out sums are about a thousand pairs in two phrasings.
            drawn = {question.text: question for question in (draw(rng, held_out) for _ in range(2 * most))}
            sides.append(_instances(name, side, list(drawn.values())[:most]))
        return Data(*sides)

    return load


def _choice(_store: Store) -> Data:
    """Closed-book questions, each with three wrong answers of the same kind."""
    world, rng = build_world(), random.Random(f"{WORLD_SEED}/world_choice")

    def with_choices(side: str, number: int, question: Question) -> Instance:
        options = questions.choices(world, question, rng)
        references = tuple(Reference(option, option == question.answer) for option in options)
        return Instance(f"world_choice-{side}{number:04}", question.text, references, question.kind)

    train = [questions.random_fact(world, phrasings.ONE_STEP, rng) for _ in range(N_TRAIN)]
    test = questions.fact_questions(world, phrasings.ONE_STEP, rng=rng)[:N_TEST]
    return Data(
        [with_choices("t", i, question) for i, question in enumerate(train)],
        [with_choices("", i, question) for i, question in enumerate(test)],
    )


def _text(_store: Store) -> Data:
    world, rng = build_world(), random.Random(f"{WORLD_SEED}/world_text")
    return Data(
        [], [Instance(f"world_text-{i:04}", text) for i, text in enumerate(corpus.passages(world, rng, N_PASSAGES))]
    )


def _scenario(
    name: str,
    description: str,
    load: Callable[[Store], Data],
    *,
    adapters: tuple[AdapterSpec, ...] = (AdapterSpec(method="generation", n_shots=N_SHOTS, max_tokens=20),),
    metrics: tuple[str, ...] = ("exact_match",),
    guess_rate: float = 0.0,
) -> Scenario:
    return Scenario(
        name=name,
        description=description,
        adapters=adapters,
        metrics=metrics,
        load=load,
        made_from=f"world {WORLD_SEED}",
        guess_rate=guess_rate,
    )


def _sum(rng: random.Random, held_out: bool) -> Question:
    return questions.random_sum(rng, held_out=held_out)


def _larger(rng: random.Random, held_out: bool) -> Question:
    return questions.random_larger(rng, held_out=held_out)


def _older(rng: random.Random, held_out: bool) -> Question:
    return questions.random_older(build_world(), rng, held_out=held_out)


WORLD_SCENARIOS = (
    _scenario(
        "world_facts",
        "closed-book questions about 500 made-up countries",
        _facts("world_facts", phrasings.ONE_STEP),
    ),
    _scenario(
        "world_two_step",
        "questions that take two facts: the capital of the country that somebody rules",
        _facts("world_two_step", phrasings.TWO_STEP),
    ),
    _scenario("world_sums", "sums of two numbers below 100, never seen in training", _drawn("world_sums", _sum)),
    _scenario(
        "world_larger",
        "the larger of two numbers below 1,000",
        _drawn("world_larger", _larger),
        guess_rate=0.5,
    ),
    _scenario(
        "world_older",
        "the older of two rulers: two facts and a comparison",
        _drawn("world_older", _older),
        guess_rate=0.5,
    ),
    _scenario(
        "world_choice",
        "closed-book questions with four choices",
        _choice,
        adapters=(
            AdapterSpec(method="multiple_choice_separate_original", n_shots=N_SHOTS, max_tokens=0),
            AdapterSpec(method="multiple_choice_joint", n_shots=N_SHOTS),
        ),
        guess_rate=1 / questions.N_CHOICES,
    ),
    _scenario(
        "world_text",
        "running text about the world",
        _text,
        adapters=(AdapterSpec(method="language_modeling", n_shots=0, max_tokens=0),),
        metrics=("bits_per_byte",),
    ),
)
