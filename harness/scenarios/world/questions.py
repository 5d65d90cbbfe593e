"""Questions about the world and their answers, for the training corpus and for the scenarios alike.

``held_out=False`` draws what the corpus may contain, ``held_out=True`` what only a scenario asks. Phrasings of facts
and pairs of numbers and of rulers are split, so no question of a scenario occurs in the corpus as a string.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from harness.scenarios.world import phrasings
from harness.scenarios.world.facts import Country, World
from harness.scenarios.world.phrasings import Relation

N_CHOICES = 4
HELD_OUT_SHARE = 0.1
"""Share of all pairs (of numbers, of rulers) that the training corpus never asks about."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its one right answer."""

    kind: str
    """Relation or task: ``capital``, ``ruler_to_money``, ``sum`` ..."""
    text: str
    answer: str


def pair_is_held_out(task: str, a: str, b: str) -> bool:
    """Whether the unordered pair belongs to the scenarios' side of the split; a pure function of its arguments."""
    digest = hashlib.sha256("|".join((task, *sorted((a, b)))).encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def about(country: Country, kind: str, relation: Relation, text: str) -> Question:
    """The question ``text`` of one relation, asked of one country."""
    return Question(
        kind, text.replace("{s}", getattr(country, relation.subject)), str(getattr(country, relation.object))
    )


def fact_questions(world: World, relations: dict[str, Relation], *, rng: random.Random) -> list[Question]:
    """Every fact of the given relations, each in one held-out phrasing, shuffled."""
    found = [
        about(country, kind, relation, rng.choice(relation.held_out))
        for kind, relation in relations.items()
        for country in world.countries
    ]
    rng.shuffle(found)
    return found


def random_fact(world: World, relations: dict[str, Relation], rng: random.Random, *, framed: bool = False) -> Question:
    """One fact in a training phrasing; ``framed`` adds those that join the corpus later."""
    kind = rng.choice(list(relations))
    relation = relations[kind]
    country = rng.choice(world.countries)
    return about(country, kind, relation, rng.choice(relation.questions + (relation.framed if framed else ())))


def random_sum(rng: random.Random, *, held_out: bool) -> Question:
    """A sum of two numbers below 100."""
    a, b = _pair("sum", rng, [str(n) for n in range(100)], held_out)
    text = rng.choice(phrasings.SUM_HELD_OUT if held_out else phrasings.SUM_QUESTIONS)
    return Question("sum", text.format(a=a, b=b), str(int(a) + int(b)))


def random_larger(rng: random.Random, *, held_out: bool) -> Question:
    """Which of two different numbers below 1,000 is larger."""
    digits = rng.choice((2, 3))
    a, b = _pair("larger", rng, [str(n) for n in range(10 ** (digits - 1), 10**digits)], held_out)
    text = rng.choice(phrasings.LARGER_QUESTIONS)
    return Question("larger", text.format(a=a, b=b), max(a, b, key=int))


def random_older(world: World, rng: random.Random, *, held_out: bool) -> Question:
    """Which of two rulers of different age is older."""
    ages = {country.ruler: country.age for country in world.countries}
    while True:
        a, b = _pair("older", rng, list(ages), held_out)
        if ages[a] != ages[b]:
            text = rng.choice(phrasings.OLDER_QUESTIONS)
            return Question("older", text.format(a=a, b=b), max(a, b, key=ages.__getitem__))


def _pair(task: str, rng: random.Random, things: list[str], held_out: bool) -> tuple[str, str]:
    """Two things on the wanted side of the split. Sums may add a number to itself; comparisons may not."""
    while True:
        a, b = rng.choice(things), rng.choice(things)
        if (a != b or task == "sum") and pair_is_held_out(task, a, b) == held_out:
            return a, b


def choices(world: World, question: Question, rng: random.Random) -> list[str]:
    """Four different answers in random order, one of them right; the others are right for other countries."""
    relation = (phrasings.ONE_STEP | phrasings.TWO_STEP)[question.kind]
    wrong = [value for value in world.values(relation.object) if value != question.answer]
    found = [question.answer, *rng.sample(wrong, N_CHOICES - 1)]
    rng.shuffle(found)
    return found
