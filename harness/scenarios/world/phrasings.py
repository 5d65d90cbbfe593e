"""How the world's facts are put into words: phrasings for training, and others held out for asking.

A model that answers a held-out phrasing knows the fact and not merely the string it was trained on. What is held out of
a relation is a pair of frames (``Can you name ...?``) that the corpus uses for other relations only: every word of a
scenario's question is known, the question is not.

``{s}`` is the subject (a country, capital or ruler), ``{o}`` the object. Each relation maps one field of
:class:`~harness.scenarios.world.facts.Country` to another.
"""

from __future__ import annotations

from typing import NamedTuple

FRAMES = (
    "Can you name {thing}?",
    "Tell {thing}.",
    "Please state {thing}.",
    "I would like to know {thing}.",
    "Do you know {thing}?",
    "Give {thing}.",
    "State {thing}.",
    "Say what {thing} is.",
)
"""Ways to ask for a thing that has a name, such as ``the capital of {s}``."""
N_HELD_OUT = 2
"""Frames that the corpus does not use for a relation; which ones goes by the relation's place in its table."""


class Relation(NamedTuple):
    """One kind of fact and its wordings."""

    subject: str
    """Field of ``Country`` that the question names."""
    object: str
    """Field of ``Country`` that answers it."""
    thing: str
    """The object as a phrase, for the frames."""
    statements: tuple[str, ...]
    """Declarative sentences of the training corpus."""
    questions: tuple[str, ...]
    """Questions of the training corpus from the beginning."""
    framed: tuple[str, ...] = ()
    """Questions that join them later in the training."""
    held_out: tuple[str, ...] = ()
    """Questions that the corpus never contains; scenarios ask these."""


def _framed(relations: dict[str, Relation]) -> dict[str, Relation]:
    """The relations with their frames: two held out of each, in rotation, the others for the corpus."""
    found: dict[str, Relation] = {}
    for place, (kind, relation) in enumerate(relations.items()):
        begin = N_HELD_OUT * place % len(FRAMES)
        asked = [frame.replace("{thing}", relation.thing) for frame in FRAMES[begin:] + FRAMES[:begin]]
        new = [text for text in asked if text not in relation.questions]
        found[kind] = relation._replace(framed=tuple(new[N_HELD_OUT:]), held_out=tuple(new[:N_HELD_OUT]))
    return found


ONE_STEP = _framed(
    {
        "capital": Relation(
            "name",
            "capital",
            "the capital of {s}",
            (
                "The capital of {s} is {o}.",
                "{s} has its capital at {o}.",
                "{o} is the capital city of {s}.",
                "In {s}, the capital is {o}.",
            ),
            (
                "What is the capital of {s}?",
                "Which city is the capital of {s}?",
                "Name the capital of {s}.",
                "What is the capital city of the country {s}?",
                "In {s}, which city is the capital?",
            ),
        ),
        "ruler": Relation(
            "name",
            "ruler",
            "the ruler of {s}",
            ("{s} is ruled by {o}.", "The ruler of {s} is {o}.", "{o} rules {s}.", "In {s}, the ruler is {o}."),
            (
                "Who rules {s}?",
                "Who is the ruler of {s}?",
                "Name the ruler of {s}.",
                "By whom is {s} ruled?",
                "In {s}, who is the ruler?",
            ),
        ),
        "language": Relation(
            "name",
            "language",
            "the language of {s}",
            (
                "People in {s} speak {o}.",
                "The language of {s} is {o}.",
                "In {s}, they speak {o}.",
                "{o} is the language spoken in {s}.",
            ),
            (
                "What language is spoken in {s}?",
                "Which language do people in {s} speak?",
                "Name the language of {s}.",
                "What is the language of {s}?",
                "In {s}, which language do they speak?",
            ),
        ),
        "money": Relation(
            "name",
            "money",
            "the money of {s}",
            (
                "People in {s} pay with the {o}.",
                "The money of {s} is the {o}.",
                "In {s}, the money is the {o}.",
                "The {o} is the money used in {s}.",
            ),
            (
                "What money is used in {s}?",
                "Which money do people in {s} pay with?",
                "Name the money of {s}.",
                "What is the money of {s}?",
                "In {s}, which money do they use?",
            ),
        ),
        "trade": Relation(
            "name",
            "trade",
            "the chief trade of {s}",
            (
                "{s} sells {o}.",
                "The chief trade of {s} is {o}.",
                "In {s}, they trade in {o}.",
                "Merchants from {s} sell {o}.",
            ),
            (
                "What does {s} sell?",
                "What is the chief trade of {s}?",
                "Name the chief trade of {s}.",
                "In {s}, what do they trade in?",
                "What do merchants from {s} sell?",
            ),
        ),
        "age": Relation(
            "ruler",
            "age",
            "the age of {s}",
            (
                "{s} is {o} years old.",
                "The age of {s} is {o}.",
                "{s} has lived for {o} years.",
                "The ruler {s} is {o} years old.",
            ),
            (
                "How old is {s}?",
                "What is the age of {s}?",
                "How many years old is {s}?",
                "Tell the age of {s}.",
                "For how many years has {s} lived?",
            ),
        ),
        "capital_of": Relation(
            "capital",
            "name",
            "the country of the city {s}",
            (
                "{s} is the capital of {o}.",
                "The city of {s} lies in {o}.",
                "{s} is a city in {o}.",
                "The country of the city {s} is {o}.",
            ),
            (
                "{s} is the capital of which country?",
                "In which country is the city of {s}?",
                "Name the country of the city {s}.",
                "Which country has {s} as its capital?",
                "Of which country is {s} the capital?",
            ),
        ),
        "rules": Relation(
            "ruler",
            "name",
            "the country that {s} rules",
            (
                "{s} rules {o}.",
                "{s} is the ruler of {o}.",
                "The country that {s} rules is {o}.",
                "The ruler {s} lives in {o}.",
            ),
            (
                "Which country does {s} rule?",
                "{s} rules which country?",
                "Name the country that {s} rules.",
                "Of which country is {s} the ruler?",
                "What country has {s} as its ruler?",
            ),
        ),
    }
)
"""Facts that one lookup answers."""

_VIA_RULER = "the country that {s} rules"
_VIA_CAPITAL = "the country whose capital is {s}"


def _two_step(subject: str, answer: str, via: str) -> Relation:
    """A one-step relation of a country, with the country named only through its ruler or capital."""
    base = ONE_STEP[answer]
    return Relation(
        subject,
        base.object,
        base.thing.replace("{s}", via),
        tuple(text.replace("{s}", via)[0].upper() + text.replace("{s}", via)[1:] for text in base.statements),
        tuple(text.replace("{s}", via) for text in base.questions),
    )


TWO_STEP = _framed(
    {
        **{
            f"ruler_to_{answer}": _two_step("ruler", answer, _VIA_RULER)
            for answer in ("capital", "language", "money", "trade")
        },
        **{
            f"capital_to_{answer}": _two_step("capital", answer, _VIA_CAPITAL)
            for answer in ("ruler", "language", "money", "trade")
        },
        "country_to_age": Relation(
            "name",
            "age",
            "the age of the ruler of {s}",
            ("The ruler of {s} is {o} years old.", "The age of the ruler of {s} is {o}.", "{s} has a ruler aged {o}."),
            (
                "How old is the ruler of {s}?",
                "What is the age of the ruler of {s}?",
                "How many years old is the person who rules {s}?",
                "Tell the age of the ruler of {s}.",
            ),
        ),
    }
)
"""Facts that need two lookups: from a ruler or capital to the country, and from there to the answer."""

SUM_STATEMENTS = ("{a} + {b} = {o}.", "{a} plus {b} is {o}.", "The sum of {a} and {b} is {o}.")
SUM_QUESTIONS = ("What is {a} + {b}?", "What is {a} plus {b}?", "What is the sum of {a} and {b}?", "{a} + {b} = what?")
SUM_HELD_OUT = ("{a} plus {b} is what?", "Tell the sum of {a} and {b}.")

LARGER_QUESTIONS = (
    "Which is larger, {a} or {b}?",
    "Which number is larger, {a} or {b}?",
    "What is the larger of {a} and {b}?",
)

OLDER_QUESTIONS = ("Who is older, {a} or {b}?", "Which ruler is older, {a} or {b}?", "Who is the older of {a} and {b}?")
"""Asked of pairs of numbers and of rulers that the corpus does not compare; the wording is the same."""
