"""Contractions (*she is* to *she's*) and expansions (the way back). Nothing is drawn.

The pairs follow from what English contracts with what. Differs from HELM in three points: *ma'am* and *how'd'y* are
left alone; a typographic apostrophe is read like a plain one; and what is all in capitals stays so. As in HELM, only
what a space follows is contracted, for nobody writes "Yes, I'm." for "Yes, I am.", and a contraction of two meanings
is expanded to the commoner one: *he's* to *he is*.
"""

from __future__ import annotations

import re
from random import Random

from harness.perturbations.words import match_case, replace_words

_NEGATED = "are could did do does had has have is might must need ought should was were would"
_SUBJECTS = {
    "'m am": "i",
    "'re are": "they we what you",
    "'s is": "he how it she that there what when where who why",
    "'ve have": "could i might must should they we where who would you",
    "'ll will": "he how i it she they we who you",
    "'d did": "how where",
    "'d would": "he i it she that there they we you",
}

CONTRACTIONS: dict[str, str] = {
    "cannot": "can't",
    "will not": "won't",
    "shall not": "shan't",
    **{f"{verb} not": f"{verb}n't" for verb in _NEGATED.split()},
    **{
        f"{subject} {pair.split()[1]}": f"{subject}{pair.split()[0]}"
        for pair, subjects in _SUBJECTS.items()
        for subject in subjects.split()
    },
}
"""Long form to short form, in lower case."""

EXPANSIONS: dict[str, str] = {"ain't": "is not", **{short: long for long, short in CONTRACTIONS.items()}}
"""Short form to long form, in lower case."""

_LONG_FORM = re.compile(rf"\b(?:{'|'.join(CONTRACTIONS)})(?= )", re.IGNORECASE)


def contraction(text: str, _rng: Random) -> str:
    """Contract all that can be contracted."""

    def contracted(match: re.Match[str]) -> str:
        # The pattern takes some letters for equal that have no common lower case, such as ſ and s.
        short = CONTRACTIONS.get(match[0].lower())
        return match[0] if short is None else match_case(match[0], short)

    return _LONG_FORM.sub(contracted, text)


def expansion(text: str, _rng: Random) -> str:
    """Expand all contractions."""
    return replace_words(text, EXPANSIONS.get)
