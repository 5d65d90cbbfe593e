"""The training corpus of the bundled model: an endless stream of documents about the world, from one seed.

A document is a list of pieces; ``is_answer`` marks those that the model is chiefly to learn. Questions are put exactly
as the scenarios put them (``Question: ... / Answer: ...``), alone or after a few others, in training phrasings only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from harness.layout import LETTERS, QUESTION
from harness.scenarios.world import phrasings, questions
from harness.scenarios.world.facts import WORLD_SEED, World
from harness.scenarios.world.phrasings import Relation
from harness.scenarios.world.questions import Question


class Piece(NamedTuple):
    """A stretch of text, and whether it is an answer."""

    text: str
    is_answer: bool


N_PARAGRAPHS = 340
"""Of the held-out text: some 60 windows of 512 tokens of the bundled model's vocabulary."""

Document = list[Piece]
Maker = Callable[[World, random.Random], Document]


def documents(world: World, rng: random.Random, *, framed: bool) -> Iterator[Document]:
    """Documents without end; ``framed`` is the later part of the training, with more phrasings and another mix."""
    makers, early, late = zip(*_mix(framed=framed), strict=True)
    while True:
        yield rng.choices(makers, late if framed else early)[0](world, rng)


def passages(world: World, rng: random.Random, count: int) -> list[str]:
    """Running text: for each of ``count`` countries, all its facts in one paragraph.

    The sentences are the corpus' own; the paragraphs are new, since the corpus mixes countries.
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


def held_out_text(world: World) -> str:
    """One long line of such passages: what next-token distributions are compared over by default.

    The corpus has no line end after a statement, and the model all but rules one out: with lines, a few dozen of them
    decided the perplexity.
    """
    return " ".join(passages(world, random.Random(f"{WORLD_SEED}/held_out_text"), N_PARAGRAPHS)) + "\n"


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
        a, b = re.findall(r"\d+", question.text)
        before, after = rng.choice(phrasings.SUM_STATEMENTS).format(a=a, b=b, o="{o}").split("{o}")
        pieces += [Piece(before, False), Piece(question.answer, True), Piece(after + "\n", False)]
    return pieces


def _asked(draw: Callable[[World, random.Random], Question]) -> Maker:
    """Documents of one to five questions and answers of one kind."""

    def document(world: World, rng: random.Random) -> Document:
        pieces: Document = []
        for number in range(rng.randint(1, 5)):
            question = draw(world, rng)
            pieces += [Piece(("\n" if number else "") + QUESTION.asked(QUESTION.input(question.text)), False)]
            pieces += [Piece(f" {question.answer}\n", True)]
        return pieces

    return document


def _lettered(*, framed: bool) -> Maker:
    """One to five multiple-choice questions answered by letter.

    Half of them name the answer in the question itself: matching alone is practised before memory is needed for it.
    """

    def document(world: World, rng: random.Random) -> Document:
        pieces: Document = []
        for number in range(rng.randint(1, 5)):
            table = phrasings.ONE_STEP if rng.random() < 0.8 else phrasings.TWO_STEP
            question = questions.random_fact(world, table, rng, framed=framed)
            options = questions.choices(world, question, rng)
            text = f"Which of these is {question.answer}?" if rng.random() < 0.5 else question.text
            pieces += [Piece(("\n" if number else "") + QUESTION.asked(QUESTION.listed(text, options)), False)]
            pieces += [Piece(f" {LETTERS[options.index(question.answer)]}\n", True)]
        return pieces

    return document


def _mix(*, framed: bool) -> list[tuple[Maker, float, float]]:
    """What the corpus is made of: makers of documents, each with its weight in the earlier and the later part.

    Facts come first and computation later, which 3,000 steps had shown to be the slower to learn.
    """

    def facts(relations: dict[str, Relation]) -> Maker:
        return _asked(lambda world, rng: questions.random_fact(world, relations, rng, framed=framed))

    return [
        (_statements, 0.22, 0.15),
        (_arithmetic, 0.12, 0.12),
        (facts(phrasings.ONE_STEP), 0.20, 0.21),
        (facts(phrasings.TWO_STEP), 0.15, 0.20),
        (_asked(lambda _world, rng: questions.random_sum(rng, held_out=False)), 0.10, 0.09),
        (_asked(lambda _world, rng: questions.random_larger(rng, held_out=False)), 0.03, 0.06),
        (_asked(lambda world, rng: questions.random_older(world, rng, held_out=False)), 0.08, 0.09),
        (_lettered(framed=framed), 0.10, 0.08),
    ]
