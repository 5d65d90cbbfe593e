"""Standard American English as a speaker of African American English might write it.

Like HELM's, this changes words and not grammar. Differs from HELM: the list of some 120 words is our own, where HELM
downloads that of Ziems et al. (2022), "VALUE: Understanding Dialect Disparity in NLU"; it goes by features that the
literature describes, such as th-stopping (*dis*), -in for -ing, dropped r (*sista*), *ain't* and levelled *was*. Each
word has one counterpart, and chance decides for a word wherever it stands, so references still agree with the question.
"""

from __future__ import annotations

from random import Random

from harness.perturbations.words import read_list, replace_same


def dialect(text: str, rng: Random, *, probability: float) -> str:
    """Replace each word that has a counterpart in the dialect with this probability."""
    return replace_same(text, rng, {word: other for word, (other,) in read_list("dialect").items()}, probability)
