from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.contraction import CONTRACTIONS, EXPANSIONS, contraction, expansion


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("She is a doctor, and I am a student", "She's a doctor, and I'm a student"),
        ("This will not go; we cannot stay.", "This won't go; we can't stay."),
        ("They will not go", "They'll not go"),
        ("HE WOULD say that", "HE'D say that"),
        ("Where did it go", "Where'd it go"),
        ("It is not so", "It's not so"),
    ],
)
def test_contracted(long: str, short: str):
    assert contraction(long, Random(0)) == short


def test_what_no_space_follows_is_not_contracted():
    assert contraction("Yes, I am. So she is", Random(0)) == "Yes, I am. So she is"


def test_only_whole_words_are_contracted():
    assert contraction("the will not is", Random(0)) == "the won't is"
    assert contraction("Iraqi am bathe is", Random(0)) == "Iraqi am bathe is"


def test_letters_that_only_look_alike_are_left():
    assert contraction("ſhe is here", Random(0)) == "ſhe is here"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("She's a doctor, and I'm a student", "She is a doctor, and I am a student"),
        ("He CAN'T, I don’t, it ain't.", "He CANNOT, I do not, it is not."),
        ("Peter's dog won't", "Peter's dog will not"),
        ("I'd've gone", "I would've gone"),
    ],
)
def test_expanded(short: str, long: str):
    assert expansion(short, Random(0)) == long


@settings(deadline=None)
@given(st.sampled_from(sorted(CONTRACTIONS)), st.sampled_from([str, str.capitalize, str.upper]))
def test_expanding_undoes_contracting(long: str, written):
    text = f"{written(long)} so."
    short = contraction(text, Random(0))
    assert "'" in short
    assert expansion(short, Random(0)).lower() == text.lower()


def test_pairs():
    assert len(EXPANSIONS) == len(CONTRACTIONS) + 1
    assert EXPANSIONS["they're"] == "they are"
    assert CONTRACTIONS["could have"] == "could've"
