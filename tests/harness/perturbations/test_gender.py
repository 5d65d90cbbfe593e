from random import Random

import pytest

from harness.perturbations.gender import PRONOUNS, TERMS, gender_pronouns, gender_terms


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "Did she mention that he was coming with his parents?",
            "Did she mention that she was coming with her parents?",
        ),
        ("He saw HIM himself, he's sure: the theme", "She saw HER herself, she's sure: the theme"),
        ("his", "her"),
    ],
)
def test_pronouns(before: str, after: str):
    assert gender_pronouns(before, Random(0), probability=1) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("His grandsons looked a lot like their dad.", "His granddaughters looked a lot like their mom."),
        ("I'm a dad dad: my son has a son", "I'm a mom mom: my daughter has a daughter"),
        ("Men's room; THE KING; manly", "Women's room; THE QUEEN; manly"),
        ("grandfathers, waiters and gentlemen", "grandmothers, waitresses and ladies"),
    ],
)
def test_terms(before: str, after: str):
    assert gender_terms(before, Random(0), probability=1) == after


def test_female_words_stay():
    text = " ".join([*PRONOUNS.values(), *TERMS.values()])
    assert gender_pronouns(gender_terms(text, Random(0), probability=1), Random(0), probability=1) == text


def test_at_probability_0_nothing_is_replaced():
    assert gender_terms("king", Random(0), probability=0) == gender_pronouns("king", Random(0), probability=0) == "king"
