"""How the world's facts are put into words: phrasings for training, and others held out for asking.

A model that answers a held-out phrasing knows the fact and not merely the string it was trained on.
``{s}`` is the subject (a country, capital or ruler), ``{o}`` the object. Each relation maps one field of
:class:`~harness.scenarios.world.facts.Country` to another.
"""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """One kind of fact and its wordings."""

    subject: str
    """Field of ``Country`` that the question names."""
    object: str
    """Field of ``Country`` that answers it."""
    statements: tuple[str, ...]
    """Declarative sentences of the training corpus."""
    questions: tuple[str, ...]
    """Questions of the training corpus."""
    held_out: tuple[str, ...]
    """Questions that the corpus never contains; scenarios ask these."""


ONE_STEP: dict[str, Relation] = {
    "capital": Relation(
        "name",
        "capital",
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
        ("The capital of {s} is which city?", "Can you name the capital city of {s}?"),
    ),
    "ruler": Relation(
        "name",
        "ruler",
        ("{s} is ruled by {o}.", "The ruler of {s} is {o}.", "{o} rules {s}.", "In {s}, the ruler is {o}."),
        (
            "Who rules {s}?",
            "Who is the ruler of {s}?",
            "Name the ruler of {s}.",
            "By whom is {s} ruled?",
            "In {s}, who is the ruler?",
        ),
        ("The ruler of {s} is who?", "Can you name the person who rules {s}?"),
    ),
    "language": Relation(
        "name",
        "language",
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
        ("The language of {s} is which one?", "Can you name the language that they speak in {s}?"),
    ),
    "money": Relation(
        "name",
        "money",
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
        ("The money of {s} is which one?", "Can you name the money that they pay with in {s}?"),
    ),
    "trade": Relation(
        "name",
        "trade",
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
        ("The chief trade of {s} is what?", "Can you name what they sell in {s}?"),
    ),
    "age": Relation(
        "ruler",
        "age",
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
        ("The age of {s} is what?", "Can you tell how old {s} is?"),
    ),
    "capital_of": Relation(
        "capital",
        "name",
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
        ("Can you name the country whose capital is {s}?", "The city of {s} lies in which country?"),
    ),
    "rules": Relation(
        "ruler",
        "name",
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
        ("Can you name the country whose ruler is {s}?", "The ruler {s} lives in which country?"),
    ),
}
"""Facts that one lookup answers."""

_VIA_RULER = "the country that {s} rules"
_VIA_CAPITAL = "the country whose capital is {s}"
_VIA_RULER_HELD_OUT = "the country ruled by {s}"
_VIA_CAPITAL_HELD_OUT = "the country that has {s} as its capital"


def _two_step(subject: str, answer: str, via: str, via_held_out: str) -> Relation:
    """A one-step relation of a country, with the country named only through its ruler or capital."""
    base = ONE_STEP[answer]
    return Relation(
        subject,
        base.object,
        tuple(text.replace("{s}", via)[0].upper() + text.replace("{s}", via)[1:] for text in base.statements),
        tuple(text.replace("{s}", via) for text in base.questions),
        (
            base.questions[0].replace("{s}", via_held_out),
            base.held_out[0].replace("{s}", via_held_out),
        ),
    )


TWO_STEP: dict[str, Relation] = {
    **{
        f"ruler_to_{answer}": _two_step("ruler", answer, _VIA_RULER, _VIA_RULER_HELD_OUT)
        for answer in ("capital", "language", "money", "trade")
    },
    **{
        f"capital_to_{answer}": _two_step("capital", answer, _VIA_CAPITAL, _VIA_CAPITAL_HELD_OUT)
        for answer in ("ruler", "language", "money", "trade")
    },
    "country_to_age": Relation(
        "name",
        "age",
        ("The ruler of {s} is {o} years old.", "The age of the ruler of {s} is {o}.", "{s} has a ruler aged {o}."),
        (
            "How old is the ruler of {s}?",
            "What is the age of the ruler of {s}?",
            "How many years old is the person who rules {s}?",
            "Tell the age of the ruler of {s}.",
        ),
        ("The age of the ruler of {s} is what?", "Can you tell how old the person who rules {s} is?"),
    ),
}
"""Facts that need two lookups: from a ruler or capital to the country, and from there to the answer."""

SUM_STATEMENTS = ("{a} + {b} = {o}.", "{a} plus {b} is {o}.", "The sum of {a} and {b} is {o}.")
SUM_QUESTIONS = ("What is {a} + {b}?", "What is {a} plus {b}?", "What is the sum of {a} and {b}?", "{a} + {b} = what?")
SUM_HELD_OUT = ("{a} plus {b} is what?", "Tell the sum of {a} and {b}.")

LARGER_QUESTIONS = (
    "Which is larger, {a} or {b}?",
    "Which number is larger, {a} or {b}?",
    "What is the larger of {a} and {b}?",
)
LARGER_HELD_OUT = ("Tell which is larger, {a} or {b}.", "Of {a} and {b}, which is larger?")

OLDER_QUESTIONS = ("Who is older, {a} or {b}?", "Which ruler is older, {a} or {b}?", "Who is the older of {a} and {b}?")
OLDER_HELD_OUT = ("Tell who is older, {a} or {b}.", "Of {a} and {b}, who is older?")
