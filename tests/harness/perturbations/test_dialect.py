from random import Random

import pytest

from harness.perturbations.dialect import dialect
from harness.perturbations.words import read_list


@pytest.mark.parametrize(
    ("standard", "changed"),
    [
        ("I will remember this day.", "I gon memba dis day."),
        ("THESE aren't working with her brother's friends", "DESE ain't workin wit her brotha's homies"),
        ("They’re running; xthis, this2", "Dey runnin; xthis, this2"),
        ("42 apples", "42 apples"),
    ],
)
def test_changed(standard: str, changed: str):
    assert dialect(standard, Random(0), probability=1) == changed


def test_each_word_has_one_counterpart():
    assert {len(words) for words in read_list("dialect").values()} == {1}


def test_about_as_many_words_as_the_probability_says():
    words = sorted(read_list("dialect"))
    changed = dialect("\n".join(words), Random(0), probability=0.3).split("\n")
    assert 0.2 < sum(a != b for a, b in zip(words, changed, strict=True)) / len(words) < 0.4
