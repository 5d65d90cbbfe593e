from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.filler_words import FILLERS, filler_words


def test_a_filler_before_every_word_at_probability_1():
    changed = filler_words("The 2 foxes\n(jump)", Random(0), probability=1)
    for filler in FILLERS:
        changed = changed.replace(f"{filler} ", "~")
    assert changed == "~The 2 ~foxes\n(jump)"


@settings(deadline=None)
@given(st.text(), st.integers())
def test_at_probability_0_the_text_stays(text: str, seed: int):
    assert filler_words(text, Random(seed), probability=0) == text


def test_rate():
    words = filler_words("fox " * 1000, Random(0), probability=0.3).replace("most likely", "most").split()
    assert 250 < len(words) - 1000 < 350
    assert words.count("fox") == 1000
