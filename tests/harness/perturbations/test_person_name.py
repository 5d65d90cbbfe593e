from random import Random

import pytest

from harness.perturbations.person_name import first_names, last_names
from harness.perturbations.words import read_list


@pytest.mark.parametrize("gender", ["female", "male"])
def test_gender_is_kept(gender: str):
    people = read_list("names")[f"white_american {gender}"]
    changed = first_names(" ".join(people), Random(0), probability=1).split()
    assert set(changed) <= set(read_list("names")[f"black_american {gender}"])


def test_gender_is_not_kept_where_it_need_not_be():
    drawn = {first_names("Emily", Random(seed), probability=1, preserve_gender=False).lower() for seed in range(50)}
    assert drawn & set(read_list("names")["black_american male"])
    assert drawn & set(read_list("names")["black_american female"])


@pytest.mark.parametrize("seed", range(5))
def test_no_two_people_become_one(seed: int):
    lists = read_list("names")
    people = " ".join([*lists["white_american female"], *lists["white_american male"], *lists["white"]])
    changed = last_names(first_names(people, Random(seed), probability=1), Random(seed), probability=1).split()
    assert len(set(changed)) == len(people.split())


def test_a_person_keeps_the_new_name():
    changed = first_names("Jack, Peter's friend, met PETER and peter; 2 cats", Random(0), probability=1)
    words = changed.replace("'s", "").replace(",", "").replace(";", "").split()
    assert words[1] == words[4].capitalize() == words[6].capitalize() != "Peter"
    assert words[4].isupper()
    assert words[6].islower()
    assert words[0] not in (words[1], "Jack")
    assert changed.endswith("; 2 cats")


def test_surnames_and_given_names_do_not_mix():
    assert first_names("Anderson", Random(0), probability=1) == "Anderson"
    assert last_names("Emily", Random(0), probability=1) == "Emily"
    assert last_names("Mr Anderson", Random(0), probability=1).split()[1].lower() in read_list("names")["hispanic"]


def test_about_as_many_as_the_probability_says():
    people = read_list("names")["white_american male"]
    changed = first_names(" ".join(people), Random(0), probability=0.5).split()
    assert 0.3 < sum(a != b for a, b in zip(people, changed, strict=True)) / len(people) < 0.7


def test_there_are_enough_new_names():
    lists = {key: len(names) for key, names in read_list("names").items()}
    assert lists["black_american female"] >= lists["white_american female"]
    assert lists["black_american male"] >= lists["white_american male"]
    assert lists["hispanic"] >= lists["white"]
