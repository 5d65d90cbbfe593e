from random import Random

from harness.perturbations.synonym import synonym, synonyms


def test_all_that_have_synonyms_are_replaced_at_probability_1():
    assert synonym("Sick babies, 3 LARGE zebras.", Random(0), probability=1).split()[1:] == [
        "infants,",
        "3",
        "BIG",
        "zebras.",
    ]
    drawn = {synonym("Sick", Random(seed), probability=1) for seed in range(30)}
    assert drawn == {"Ill", "Unwell"}


def test_a_word_is_no_synonym_of_itself():
    assert synonyms()["sick"] == ("ill", "unwell")
    assert synonym("Big", Random(0), probability=0) == "Big"


def test_rate():
    changed = synonym("big " * 1000, Random(0), probability=0.5).split()
    assert 450 < changed.count("large") < 550
