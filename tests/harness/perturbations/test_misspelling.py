from random import Random

from harness.perturbations.misspelling import misspellings
from harness.perturbations.words import read_list

TEXT = "Because the goverment and THE people, whom 7 friends know, don't believe."


def test_every_listed_word_is_misspelled_at_probability_1():
    words = {"because", "the", "and", "people", "friends", "know", "believe"}
    listed = read_list("misspellings")
    changed = misspellings(TEXT, Random(0), probability=1)
    kept = [after for before, after in zip(TEXT.split(), changed.split(), strict=True) if before == after]
    assert kept == ["goverment", "whom", "7", "don't"]
    for before, after in zip(TEXT.lower().split(), changed.lower().split(), strict=True):
        if before.strip(",.") in words:
            assert after.strip(",.") in listed[before.strip(",.")]
    assert changed[0] == "B"
    assert changed.split()[4] in ("TEH", "HTE")


def test_nothing_is_at_probability_0():
    assert misspellings(TEXT, Random(0), probability=0) == TEXT


def test_rate():
    words = misspellings("people " * 1000, Random(0), probability=0.1).split()
    assert 70 < sum(word != "people" for word in words) < 130
    assert set(words) == {"people", *read_list("misspellings")["people"]}
