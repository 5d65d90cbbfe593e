import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.dialect import dialect
from harness.perturbations.synonym import synonyms
from harness.perturbations.words import WORD, match_case, read_list, replace_same, replace_some, replace_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, it’s 'fine'!", ["Don't", "stop", "it’s", "fine"]),
        ("x2's my_var 3rd the-end", ["the", "end"]),
        ("naïve café", ["naïve", "café"]),
        ("", []),
    ],
)
def test_what_a_word_is(text: str, words: list[str]):
    assert [match[0] for match in WORD.finditer(text)] == words


@pytest.mark.parametrize(
    ("word", "written"),
    [("cat", "dog"), ("Cat", "Dog"), ("CAT", "DOG"), ("I", "Dog"), ("cAT", "dog"), ("DON'T", "DOG"), ("", "dog")],
)
def test_case_is_that_of_the_original(word: str, written: str):
    assert match_case(word, "dog") == written


def test_whole_words_are_asked_for_before_their_stems():
    pairs = {"he": "she", "it's": "it is", "it": "this"}
    assert (
        replace_words("He's in; IT’S out; it'll be; then x_he", pairs.get)
        == "She's in; IT IS out; this'll be; then x_he"
    )


@settings(deadline=None)
@given(st.text(), st.integers())
def test_the_text_between_the_words_and_first_letters_case_stay(text: str, seed: int):
    text = f"{text} This POOR brother, doesn't"
    changed = replace_words(text, lambda _: "word")
    assert WORD.split(changed) == WORD.split(text)
    for before, after in zip(WORD.findall(text), WORD.findall(dialect(text, Random(seed), probability=1)), strict=True):
        assert before[0].isupper() == after[0].isupper()


def test_some_are_drawn_by_occurrence_and_the_same_by_word():
    text = "cat " * 1000
    some = replace_some(text, Random(0), {"cat": ["dog", "cow"]}, 0.2)
    assert 160 < some.count("dog") + some.count("cow") < 240
    assert some.count("dog") > 60
    assert some.count("cow") > 60
    drawn = {replace_same(text, Random(seed), {"cat": "dog"}, 0.5) for seed in range(20)}
    assert drawn == {text, "dog " * 1000}


@pytest.mark.parametrize(("probability", "changed"), [(0, "Cat cat-cat"), (1, "Dog dog-dog")])
def test_no_chance_and_certainty(probability: int, changed: str):
    assert replace_same("Cat cat-cat", Random(0), {"cat": "dog"}, probability) == changed
    assert replace_some("Cat cat-cat", Random(0), {"cat": ["dog"]}, probability) == changed


@pytest.mark.parametrize("name", ["misspellings", "dialect", "names"])
def test_lists_are_well_formed(name: str):
    for key, words in read_list(name).items():
        assert words
        assert len(set(words)) == len(words)
        assert key not in words
        assert all(re.fullmatch(r"[a-z']+", word) for word in words)


def test_what_is_put_in_is_not_listed_itself():
    misspelled = {word for words in read_list("misspellings").values() for word in words}
    assert not misspelled & read_list("misspellings").keys()
    names = [name for words in read_list("names").values() for name in words]
    assert len(set(names)) == len(names)


def test_no_word_has_two_groups_of_synonyms():
    for word, others in synonyms().items():
        assert others
        for other in others:
            assert {word, *others} == {other, *synonyms()[other]}
