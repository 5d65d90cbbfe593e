"""An oracle that was not written from the package's code: it reads a question as text and looks the answer up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scenarios.world import phrasings
from harness.scenarios.world.facts import World

RELATIONS = phrasings.ONE_STEP | phrasings.TWO_STEP
FIELDS = {
    "capital": ("name", "capital"),
    "ruler": ("name", "ruler"),
    "language": ("name", "language"),
    "money": ("name", "money"),
    "trade": ("name", "trade"),
    "age": ("ruler", "age"),
    "capital_of": ("capital", "name"),
    "rules": ("ruler", "name"),
    "ruler_to_capital": ("ruler", "capital"),
    "ruler_to_language": ("ruler", "language"),
    "ruler_to_money": ("ruler", "money"),
    "ruler_to_trade": ("ruler", "trade"),
    "capital_to_ruler": ("capital", "ruler"),
    "capital_to_language": ("capital", "language"),
    "capital_to_money": ("capital", "money"),
    "capital_to_trade": ("capital", "trade"),
    "country_to_age": ("name", "age"),
}
"""From what each kind of question names to what it asks for."""


class Read(NamedTuple):
    """A question as understood from its text alone."""

    kind: str
    answers: tuple[str, ...]
    pair: tuple[str, str] | None = None
    """The two numbers or rulers that it is about."""
    held_out: bool | None = False
    """Whether its phrasing is kept from the corpus; None where both sides of the split are asked alike."""


def pattern(template: str) -> re.Pattern[str]:
    """A template as a pattern, its gaps as groups."""
    return re.compile(re.sub(r"\\\{[a-z]\\\}", "(.+?)", re.escape(template)))


class Oracle:
    """Understands every phrasing there is."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ages = {country.ruler: country.age for country in world.countries}
        self._patterns = [
            (kind, held_out, pattern(template))
            for held_out, templates in (
                (False, {kind: relation.questions + relation.framed for kind, relation in RELATIONS.items()}),
                (True, {kind: relation.held_out for kind, relation in RELATIONS.items()}),
                (False, {"sum": phrasings.SUM_QUESTIONS + phrasings.SUM_STATEMENTS}),
                (True, {"sum": phrasings.SUM_HELD_OUT}),
                (None, {"larger": phrasings.LARGER_QUESTIONS, "older": phrasings.OLDER_QUESTIONS}),
            )
            for kind, several in templates.items()
            for template in several
        ]

    def readings(self, text: str) -> Iterator[Read]:
        """Every way in which the text is a question that has an answer."""
        for kind, held_out, template in self._patterns:
            match = template.fullmatch(text)
            if match is None:
                continue
            if kind in FIELDS:
                if answers := self.lookup(kind, match[1]):
                    yield Read(kind, answers, held_out=held_out)
            elif kind == "older":
                if match[1] in self.ages and match[2] in self.ages:
                    pair = (match[1], match[2])
                    yield Read(kind, (max(pair, key=lambda ruler: self.ages[ruler]),), pair, held_out)
            elif match[1].isdigit() and match[2].isdigit():
                a, b = int(match[1]), int(match[2])
                yield Read(kind, (str(a + b if kind == "sum" else max(a, b)),), (match[1], match[2]), held_out)

    def read(self, text: str) -> Read:
        """The one way of understanding it."""
        (found,) = self.readings(text)
        return found

    def lookup(self, kind: str, subject: str) -> tuple[str, ...]:
        """What is true of a subject; several where it is of several countries."""
        given, wanted = FIELDS[kind]
        return tuple(str(getattr(c, wanted)) for c in self.world.countries if getattr(c, given) == subject)
