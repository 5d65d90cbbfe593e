import pytest

from harness.errors import UserError
from harness.perturbations.table import GROUPS, PERTURBATIONS, find_perturbations


def names(*given: str) -> list[str]:
    return [perturbation.name for perturbation in find_perturbations([*given])]


def test_names_and_groups():
    assert names("canonical") == ["mild_mix", "dialect", "gender_pronouns", "person_name"]
    assert names("robustness") == ["mild_mix"]
    assert names("typos0.1", "lower", "typo_easy") == ["typos0.1", "lowercase"]
    assert names() == []


def test_groups_hold_what_they_say():
    assert not GROUPS.keys() & PERTURBATIONS.keys()
    for members in GROUPS.values():
        assert members
        assert set(members) <= PERTURBATIONS.keys()
    for group in ("robustness", "fairness"):
        assert {perturbation.group for perturbation in find_perturbations([group])} == {group}


def test_names_tell_strengths_apart():
    assert PERTURBATIONS["dialect"].description == "this -> dis, all"
    assert PERTURBATIONS["dialect0.1"].description == "this -> dis, each with probability 0.1"
    assert all(name == perturbation.name for name, perturbation in PERTURBATIONS.items())


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("robustnes", "did you mean 'robustness'?"),
        ("typos", "did you mean 'typos0.5'?"),
        ("zzz", "groups are robustness, fairness, canonical, robustness_all."),
    ],
)
def test_an_unknown_name(wrong: str, hint: str):
    with pytest.raises(UserError) as error:
        find_perturbations(["mild_mix", wrong])
    assert str(error.value) == f"--perturbations: there is no perturbation '{wrong}'; {hint}"
