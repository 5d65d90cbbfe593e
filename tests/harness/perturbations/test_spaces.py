from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.spaces import extra_space, space


def test_each_space_is_doubled():
    assert extra_space("Hello my  name\nis ", Random(0), num_spaces=2) == "Hello  my    name\nis  "


def test_a_run_of_spaces_becomes_one_to_three():
    changed = space("word     " * 200, Random(0), max_spaces=3)
    assert {len(gap) for gap in changed.split("word")[1:]} == {1, 2, 3}


@settings(deadline=None)
@given(st.text(), st.integers())
def test_all_but_spaces_stays(text: str, seed: int):
    assert space(text, Random(seed), max_spaces=3).replace(" ", "") == text.replace(" ", "")
    assert "  " not in space(text, Random(seed), max_spaces=1)
