"""Sentences and words of a response.

IFEval takes both from NLTK with the Punkt model that was trained on English news, which NLTK downloads. Nothing is
downloaded here: the same Punkt algorithm runs on the abbreviations and sentence openers below. Counts differ by one or
two where a text has abbreviations that are not listed, or an ellipsis before a name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

_ABBREVIATIONS = """
    mr mrs ms mx dr prof rev hon st sr jr gen col capt cpt lt sgt maj cmdr gov sen rep pres supt messrs mme mlle
    inc ltd co corp bros dept univ assn intl
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun
    e.g i.e etc vs cf al viz ca approx est misc p.s p.p.s
    no nos vol vols fig figs ch sec pp ed eds trans art
    u.s u.k u.n e.u u.s.a d.c n.y l.a b.c a.d a.m p.m ph.d m.d b.a m.a b.s m.s m.b.a d.d.s r.s.v.p
    ave blvd rd hwy apt mt ft tel ext min max lb lbs oz
""".split()
_OPENERS = """
    i you he she it we they this that these those there here the a an my your his her its our their
    and but or so yet however therefore moreover furthermore also then thus still meanwhile
    if when while although because since after before as in on at for to with what why how who where
""".split()


@functools.cache
def _splitter() -> Callable[[str], list[str]]:
    # Imported where it is used: it takes a second.
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS)
    parameters.sent_starters = set(_OPENERS)
    split: Callable[[str], list[str]] = PunktSentenceTokenizer(parameters).tokenize
    return split


@functools.cache
def _word_tokenizer() -> Callable[[str], list[str]]:
    from nltk.tokenize import NLTKWordTokenizer

    tokenize: Callable[[str], list[str]] = NLTKWordTokenizer().tokenize
    return tokenize


def sentences(response: str) -> list[str]:
    """The sentences, in order; none in an empty text."""
    return _splitter()(response)


def words(response: str) -> list[str]:
    """Runs of letters, digits and underscores, which is how IFEval counts words: "don't" is two.

    Vowel signs of Indic scripts end a run, as they did in NLTK when IFEval was published (since 3.10 they do not).
    """
    return re.findall(r"\w+", response)


def tokens(response: str) -> list[str]:
    """Words as NLTK cuts them, with hyphens inside and punctuation apart."""
    return [token for sentence in sentences(response) for token in _word_tokenizer()(sentence)]
