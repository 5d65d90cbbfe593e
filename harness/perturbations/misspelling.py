"""Common misspellings.

Differs from HELM: the list is our own, where HELM's is Wikipedia's (CC BY-SA). It has a tenth of HELM's words, but as
many as HELM's in a running text, 25 to 31 in 100 where HELM's has 27 to 33, so that a probability means the same.
A library's list would change with its releases, and prompts with it.
"""

from __future__ import annotations

from random import Random

from harness.perturbations.words import read_list, replace_some


def misspellings(text: str, rng: Random, *, probability: float) -> str:
    """Misspell each word that has a common misspelling with this probability."""
    return replace_some(text, rng, read_list("misspellings"), probability)
