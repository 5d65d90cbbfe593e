"""The training corpus of the bundled model: an endless stream of documents about the world, from one seed.

A document is a list of pieces; ``is_answer`` marks those that the model is chiefly to learn. Questions are put exactly
as the scenarios put them (``Question: ... / Answer: ...``), alone or after a few others, in training phrasings only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from harness.scenarios.world import phrasings, questions
from harness.scenarios.world.facts import World
from harness.scenarios.world.questions import Question

LETTERS = "ABCD"


class Piece(NamedTuple):
    """A stretch of text, and whether it is an answer."""

    text: str
    is_answer: bool


Document = list[Piece]


def documents(world: World, rng: random.Random) -> Iterator[Document]:
    """Documents without end, their kinds mixed by :data:`MIX`."""
    makers, weights = zip(*MIX, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](world, rng)


def passages(world: World, rng: random.Random, count: int) -> list[str]:
    """Held-out running text: for each of ``count`` countries, all its facts in one paragraph.

    The corpus states facts one by one and never collects those of one country in this order or under this heading.
    """
    found: list[str] = []
    for country in rng.sample(world.countries, count):
        sentences = [
            rng.choice(relation.statements)
            .replace("{s}", str(getattr(country, relation.subject)))
            .replace("{o}", str(getattr(country, relation.object)))
            for relation in rng.sample(list(phrasings.ONE_STEP.values()), len(phrasings.ONE_STEP))
        ]
        found.append(" ".join(sentences))
    return found


def _statements(world: World, rng: random.Random) -> Document:
    """A few statements about random countries; the object of a sentence may come first or last."""
    pieces: Document = []
    for _ in range(rng.randint(2, 8)):
        table = phrasings.ONE_STEP if rng.random() < 0.75 else phrasings.TWO_STEP
        relation = rng.choice(list(table.values()))
        country = rng.choice(world.countries)
        text = rng.choice(relation.statements).replace("{s}", str(getattr(country, relation.subject)))
        before, after = text.split("{o}")
        answer = str(getattr(country, relation.object))
        # An object that opens its sentence cannot be known yet, so it is no answer.
        pieces += [Piece(before, False), Piece(answer, bool(before)), Piece(after + " ", False)]
    return [*pieces[:-1], Piece(pieces[-1].text.rstrip(" "), False)]


def _arithmetic(_world: World, rng: random.Random) -> Document:
    """Sums stated without question and answer: the densest practice."""
    pieces: Document = []
    for _ in range(rng.randint(4, 16)):
        question = questions.random_sum(rng, held_out=False)
        a, b = (number.strip("?.,") for number in question.text.split() if number.strip("?.,").isdigit())
        before, after = rng.choice(phrasings.SUM_STATEMENTS).format(a=a, b=b, o="{o}").split("{o}")
        pieces += [Piece(before, False), Piece(question.answer, True), Piece(after + "\n", False)]
    return pieces


def _asked(draw: Callable[[World, random.Random], Question]) -> Callable[[World, random.Random], Document]:
    """Documents of one to five questions and answers of one kind."""

    def document(world: World, rng: random.Random) -> Document:
        pieces: Document = []
        for number in range(rng.randint(1, 5)):
            question = draw(world, rng)
            pieces += [Piece(f"{'' if number == 0 else chr(10)}Question: {question.text}\nAnswer:", False)]
            pieces += [Piece(f" {question.answer}\n", True)]
        return pieces

    return document


def _lettered(world: World, rng: random.Random) -> Document:
    """One to five multiple-choice questions answered by letter.

    Half of them name the answer in the question itself: matching alone is practised before memory is needed for it.
    """
    pieces: Document = []
    for number in range(rng.randint(1, 5)):
        table = phrasings.ONE_STEP if rng.random() < 0.8 else phrasings.TWO_STEP
        question = questions.random_fact(world, table, rng)
        options = questions.choices(world, question, rng)
        text = f"Which of these is {question.answer}?" if rng.random() < 0.5 else question.text
        lines = "".join(f"{letter}. {option}\n" for letter, option in zip(LETTERS, options, strict=True))
        pieces += [Piece(f"{'' if number == 0 else chr(10)}Question: {text}\n{lines}Answer:", False)]
        pieces += [Piece(f" {LETTERS[options.index(question.answer)]}\n", True)]
    return pieces


MIX: list[tuple[Callable[[World, random.Random], Document], float]] = [
    (_statements, 0.22),
    (_arithmetic, 0.12),
    (_asked(lambda world, rng: questions.random_fact(world, phrasings.ONE_STEP, rng)), 0.20),
    (_asked(lambda world, rng: questions.random_fact(world, phrasings.TWO_STEP, rng)), 0.15),
    (_asked(lambda _world, rng: questions.random_sum(rng, held_out=False)), 0.10),
    (_asked(lambda _world, rng: questions.random_larger(rng, held_out=False)), 0.03),
    (_asked(lambda world, rng: questions.random_older(world, rng, held_out=False)), 0.08),
    (_lettered, 0.10),
]
"""What the corpus is made of: makers of documents and how often each is drawn."""
