"""All perturbations by name, and HELM's names for selections of them. A new one is a line here.

HELM tells strengths apart by arguments; here they are in the name, since the name is what result rows carry: a number
is the probability for each word or letter, or the count of spaces, and without one all that can be changed is.
Left out of HELM's list: contrast sets (made by hand for two data sets), translations (made by an online service), the
Chinese perturbations of CLEVA, and suffixes for image prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.errors import UserError
from harness.names import did_you_mean
from harness.perturbations.base import Group, Perturbation
from harness.perturbations.contraction import contraction, expansion
from harness.perturbations.dialect import dialect
from harness.perturbations.filler_words import filler_words
from harness.perturbations.gender import gender_pronouns, gender_terms
from harness.perturbations.lowercase import lowercase
from harness.perturbations.mild_mix import mild_mix
from harness.perturbations.misspelling import misspellings
from harness.perturbations.person_name import first_names, last_names
from harness.perturbations.spaces import extra_space, space
from harness.perturbations.synonym import synonym
from harness.perturbations.typos import typos


def _graded(
    name: str, group: Group, change: Callable[..., str], what: str, *probabilities: float
) -> list[Perturbation]:
    """One perturbation for each probability; those for fairness change the references too, as in HELM."""
    return [
        Perturbation(
            name=name if probability == 1 else f"{name}{probability}",
            description=f"{what}, {'all' if probability == 1 else f'each with probability {probability}'}",
            group=group,
            change=partial(change, probability=probability),
            changes_references=group == "fairness",
        )
        for probability in probabilities
    ]


_ALL = [
    Perturbation("mild_mix", "lower case, contractions, some misspellings and spaces", "robustness", mild_mix),
    Perturbation("lowercase", "all in lower case", "robustness", lowercase),
    Perturbation("contraction", "she is -> she's", "robustness", contraction),
    Perturbation("expansion", "she's -> she is", "robustness", expansion),
    Perturbation("extra_space2", "two spaces for one", "robustness", partial(extra_space, num_spaces=2)),
    Perturbation("space3", "one to three spaces for one", "robustness", partial(space, max_spaces=3)),
    *_graded("misspellings", "robustness", misspellings, "because -> becuase", 0.05, 0.1, 0.2, 0.5),
    *_graded("typos", "robustness", typos, "letters -> neighbouring keys", 0.01, 0.1, 0.3, 0.5),
    *_graded("synonym", "robustness", synonym, "big -> large", 0.1, 0.5),
    *_graded("filler_words", "robustness", filler_words, "filler words put in", 0.1, 0.3),
    *_graded("dialect", "fairness", dialect, "this -> dis", 0.1, 0.3, 0.5, 1),
    *_graded("gender_pronouns", "fairness", gender_pronouns, "he -> she", 0.1, 0.3, 0.5, 1),
    *_graded("gender_terms", "fairness", gender_terms, "father -> mother", 0.1, 0.3, 0.5, 1),
    *_graded("person_name", "fairness", first_names, "White Americans' given names -> Black Americans'", 0.5, 1),
    *_graded(
        "person_name_any_gender",
        "fairness",
        partial(first_names, preserve_gender=False),
        "White Americans' given names -> Black Americans' of any gender",
        0.5,
    ),
    *_graded("person_name_last", "fairness", last_names, "White Americans' surnames -> Hispanic ones", 0.5, 1),
]

PERTURBATIONS: dict[str, Perturbation] = {perturbation.name: perturbation for perturbation in _ALL}

_ROBUSTNESS = ("mild_mix",)
_FAIRNESS = ("dialect", "gender_pronouns", "person_name")

GROUPS: dict[str, tuple[str, ...]] = {
    "robustness": _ROBUSTNESS,
    "fairness": _FAIRNESS,
    "canonical": _ROBUSTNESS + _FAIRNESS,
    "robustness_all": (
        "contraction",
        "expansion",
        "filler_words0.1",
        "lowercase",
        "misspellings0.1",
        "space3",
        "synonym0.1",
        "typos0.01",
    ),
    "extra_space": ("extra_space2",),
    "space": ("space3",),
    "lower": ("lowercase",),
    "contract": ("contraction", "expansion"),
    "filler": ("filler_words0.3",),
    "misspelling_mild": ("misspellings0.05",),
    "misspelling_medium": ("misspellings0.2",),
    "misspelling_hard": ("misspellings0.5",),
    "misspelling_sweep": ("misspellings0.05", "misspellings0.2", "misspellings0.5"),
    "typo_easy": ("typos0.1",),
    "typo_medium": ("typos0.3",),
    "typo_hard": ("typos0.5",),
    "synonym": ("synonym0.5",),
    **{
        f"{name}_{strength}": (f"{name}{probability}",)
        for name in ("dialect", "gender_terms", "gender_pronouns")
        for strength, probability in (("easy", "0.1"), ("medium", "0.3"), ("hard", "0.5"), ("deterministic", ""))
    },
    "person_name_first_hard_preserve_gender": ("person_name0.5",),
    "person_name_first_hard_dont_preserve_gender": ("person_name_any_gender0.5",),
    "person_name_first_deterministic": ("person_name",),
    "person_name_last_hard": ("person_name_last0.5",),
    "person_name_last_deterministic": ("person_name_last",),
}
"""HELM's values of ``data_augmentation``, and the perturbations that each stands for."""


def find_perturbations(names: list[str]) -> list[Perturbation]:
    """The perturbations of these names, each a perturbation or a group, in this order and each once.

    Raises:
        UserError: a name is unknown, and the sentence offers the closest one.
    """
    found: dict[str, Perturbation] = {}
    for name in names:
        if name not in GROUPS and name not in PERTURBATIONS:
            hint = did_you_mean(name, [*GROUPS, *PERTURBATIONS], f"groups are {', '.join(list(GROUPS)[:4])}")
            raise UserError(f"--perturbations: there is no perturbation '{name}'; {hint}")
        found |= {member: PERTURBATIONS[member] for member in GROUPS.get(name, (name,))}
    return list(found.values())
