"""People get other names: given names common among White Americans become ones common among Black Americans, or
surnames common among White Americans become Hispanic ones.

Differs from HELM: the lists are our own, where HELM downloads those of Greenwald et al. (1998) and Garg et al. (2018).
Names that are also common words (*Frank*, *Grace*, *King*) are left out, since a name is found without regard to case.
Nobody is given the same name as another one who is renamed, where HELM may make one person of two. As in HELM a person
keeps the new name throughout the question and its references, and famous people are renamed like others.
"""

from __future__ import annotations

from random import Random

from harness.perturbations.words import read_list, replace_words


def first_names(text: str, rng: Random, *, probability: float, preserve_gender: bool = True) -> str:
    """Rename each person called by a listed given name with this probability."""
    lists = read_list("names")
    genders = [("female",), ("male",)] if preserve_gender else [("female", "male")]
    renamed: dict[str, str] = {}
    for chosen in genders:
        old, new = (
            [name for gender in chosen for name in lists[f"{group} {gender}"]]
            for group in ("white_american", "black_american")
        )
        renamed |= _drawn(old, new, rng, probability)
    return replace_words(text, renamed.get)


def last_names(text: str, rng: Random, *, probability: float) -> str:
    """Rename each person of a listed surname with this probability."""
    lists = read_list("names")
    return replace_words(text, _drawn(lists["white"], lists["hispanic"], rng, probability).get)


def _drawn(old: list[str] | tuple[str, ...], new: list[str] | tuple[str, ...], rng: Random, p: float) -> dict[str, str]:
    """Another name for each old one that is drawn, no two the same; there are at least as many new ones as old ones."""
    shuffled = rng.sample(new, len(new))
    return {name: other for name, other in zip(old, shuffled, strict=False) if rng.random() < p}
