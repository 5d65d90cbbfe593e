"""synthetic_reasoning_natural: what follows from a fact about somebody and rules in plain English.

After "Transformers as Soft Reasoners over Language" (https://arxiv.org/abs/2002.05867), as HELM draws them. Rules and
fact share a subject; in the harder difficulties a rule may name its class instead, and at ``hard`` the fact has
synonyms of the rules' words. One rule never leads to another. Like HELM's, rules about a person have no article.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from harness.scenarios.base import Data
from harness.scenarios.generated.drawing import GENERATED_SEED, Drawn, distinct

Difficulty = Literal["easy", "medium", "hard"]

SUBJECTS = {
    "person": "Ada Ben Clara Dario Emil Flora".split(),
    "animal": "goat otter heron badger camel donkey ferret goose hamster iguana koala lizard moose walrus".split(),
    "plant": "fern oak tulip cactus lily".split(),
}
SYNONYMS = {
    words[0]: words
    for words in map(
        str.split,
        (
            *("quiet", "rare", "wild", "shy"),
            *("loud noisy", "wet soaked", "dry arid", "thin slender", "rich wealthy"),
            *("poor needy", "brown tawny", "yellow golden", "pale colorless", "famous renowned"),
            *("brave bold fearless", "lazy idle listless", "calm serene placid", "angry furious irate"),
            *("funny comical amusing", "strange odd peculiar", "dirty filthy grimy"),
            *("tall high lofty towering", "honest truthful sincere frank"),
            *("tired weary exhausted sleepy", "kind gentle caring friendly"),
        ),
    )
}
"""Qualities, and the words that imply each: itself first. As many, with as many synonyms, as in HELM."""
MOST_RULES = 5
P_NOTHING = 0.1
"""How often a fact is kept from which nothing follows."""


def instances(difficulty: Difficulty, n_train: int = 1000, n_test: int = 1000) -> Data:
    """Questions of one difficulty, which is their kind. HELM makes 5000 tests and asks at most 1000 of them."""
    rng = random.Random(f"{GENERATED_SEED}/synthetic_reasoning_natural/{difficulty}")

    def draw() -> Drawn:
        return _draw(difficulty, rng)

    return distinct(f"synthetic_reasoning_natural-{difficulty}", difficulty, (n_train, draw), (n_test, draw))


@dataclass(frozen=True, slots=True)
class _Rule:
    """If the subject is this and (or) that, then it is something else."""

    subject: str
    conditions: tuple[str, ...]
    conjunction: Literal["and", "or"]
    consequence: str

    def __str__(self) -> str:
        conditions = f" {self.conjunction} ".join(self.conditions)
        return f"If {_one(self.subject)} is {conditions}, then {_the(self.subject)} is {self.consequence}."

    def adds(self, qualities: list[str]) -> bool:
        """Whether the rule says something new of somebody who has these qualities."""
        met = [condition in qualities for condition in self.conditions]
        return self.consequence not in qualities and (all(met) if self.conjunction == "and" else any(met))


def _draw(difficulty: Difficulty, rng: random.Random) -> Drawn:
    category = rng.choice(list(SUBJECTS))
    subject = rng.choice(SUBJECTS[category])
    rules = _rules([subject] if difficulty == "easy" else [category, subject], rng)
    while True:
        qualities = rng.sample(list(SYNONYMS), 2)
        consequences = [rule.consequence for rule in rules if rule.adds(qualities)]
        if consequences or rng.random() < P_NOTHING:
            break
    said = [rng.choice(SYNONYMS[quality]) for quality in qualities] if difficulty == "hard" else qualities
    lines = [
        *map(str, rules),
        "Fact:",
        _statement(subject, said),
        f"The following can be determined about {_the(subject)}:",
    ]
    return Drawn("\n".join(lines), _statement(subject, consequences) if consequences else "Nothing.")


def _rules(subjects: list[str], rng: random.Random) -> list[_Rule]:
    """Rules that share no quality."""
    qualities = rng.sample(list(SYNONYMS), len(SYNONYMS))
    found: list[_Rule] = []
    while len(found) < MOST_RULES:
        *conditions, consequence = (qualities.pop() for _ in range(rng.randint(2, 3)))
        found.append(_Rule(rng.choice(subjects), tuple(conditions), rng.choice(("and", "or")), consequence))
    return found


def _statement(subject: str, qualities: list[str]) -> str:
    named = _the(subject)
    return f"{named[0].upper()}{named[1:]} is {' and '.join(qualities)}."


def _has_article(subject: str) -> bool:
    return subject != "person" and subject not in SUBJECTS["person"]


def _one(subject: str) -> str:
    article = "an" if subject[0] in "aeiou" else "a"
    return f"{article} {subject}" if _has_article(subject) else subject


def _the(subject: str) -> str:
    return f"the {subject}" if _has_article(subject) else subject
