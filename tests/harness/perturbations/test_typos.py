from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.typos import NEIGHBOURS, typos


def test_neighbours():
    assert len(NEIGHBOURS) == 26
    assert {key: set(NEIGHBOURS[key]) for key in "qesmp"} == {
        "q": set("was"),
        "e": set("wrsdf"),
        "s": set("adwezx"),
        "m": set("njk"),
        "p": set("ol"),
    }


@settings(deadline=None)
@given(st.text(), st.floats(0, 1), st.integers())
def test_each_letter_stays_or_becomes_a_neighbour_of_the_same_case(text: str, probability: float, seed: int):
    changed = typos(text, Random(seed), probability=probability)
    assert len(changed) == len(text)
    for before, after in zip(text, changed, strict=True):
        assert before == after or (after.lower() in NEIGHBOURS[before.lower()] and before.isupper() == after.isupper())


def test_rate():
    changed = typos("a1" * 1000, Random(0), probability=0.3)
    assert changed[1::2] == "1" * 1000
    assert 650 < changed.count("a") < 750
    assert set(typos("A" * 100, Random(0), probability=1)) == set("QWSZ")
