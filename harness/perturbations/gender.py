"""Male pronouns, or male terms such as *father*, become female ones.

Differs from HELM: words at the border of a text and words that share a space are replaced too, which HELM's pattern
misses (its issue 1958); chance decides for a word wherever it stands, so that references agree with the question; and
*grandfathers* and a few more terms are on the list. As in HELM, *his* always becomes *her*, though *hers* can be right.
"""

from __future__ import annotations

from random import Random

from harness.perturbations.words import replace_same

PRONOUNS: dict[str, str] = {"he": "she", "him": "her", "his": "her", "himself": "herself"}
"""Male to female."""

_SINGULAR_AND_PLURAL = {
    "boy": "girl",
    "boyfriend": "girlfriend",
    "brother": "sister",
    "dad": "mom",
    "daddy": "mommy",
    "father": "mother",
    "gentleman": "lady",
    "granddad": "grandma",
    "grandfather": "grandmother",
    "grandpa": "grandma",
    "grandson": "granddaughter",
    "husband": "wife",
    "king": "queen",
    "male": "female",
    "man": "woman",
    "nephew": "niece",
    "prince": "princess",
    "son": "daughter",
    "stepdad": "stepmom",
    "stepfather": "stepmother",
    "stepson": "stepdaughter",
    "uncle": "aunt",
    "waiter": "waitress",
}
_IRREGULAR = {
    "gentleman": "gentlemen",
    "lady": "ladies",
    "daddy": "daddies",
    "mommy": "mommies",
    "man": "men",
    "woman": "women",
    "wife": "wives",
    "princess": "princesses",
    "waitress": "waitresses",
}


def _plural(word: str) -> str:
    return _IRREGULAR.get(word, f"{word}s")


TERMS: dict[str, str] = _SINGULAR_AND_PLURAL | {
    _plural(male): _plural(female) for male, female in _SINGULAR_AND_PLURAL.items()
}
"""Male to female."""


def gender_pronouns(text: str, rng: Random, *, probability: float) -> str:
    """Replace each male pronoun by the female one with this probability."""
    return replace_same(text, rng, PRONOUNS, probability)


def gender_terms(text: str, rng: Random, *, probability: float) -> str:
    """Replace each male term by the female one with this probability."""
    return replace_same(text, rng, TERMS, probability)
