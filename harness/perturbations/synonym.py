"""Synonyms.

Differs from HELM: HELM tags parts of speech with spaCy and takes synonyms of any sense from WordNet, both downloaded,
which gives *motion-picture show* for *movie* and *determine* for *watch*. Ours is a list of some 500 groups of words
that can mostly stand for each other without knowing the sentence, each in the forms in which it occurs. So fewer words
are replaced at the same probability, and meaning suffers less.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from functools import cache
from random import Random

from harness.perturbations.words import replace_some


@cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """The other words of its group for each word of ``word_lists/synonyms.txt``, which has a group a line."""
    text = (importlib.resources.files(__package__) / "word_lists" / "synonyms.txt").read_text("utf-8")
    groups = [line.split() for line in text.splitlines()]
    return {word: tuple(other for other in group if other != word) for group in groups for word in group}


def synonym(text: str, rng: Random, *, probability: float) -> str:
    """Replace each word that has a synonym by one with this probability."""
    return replace_some(text, rng, synonyms(), probability)
