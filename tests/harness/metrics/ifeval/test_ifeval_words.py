"""Keywords, lengths and capitals."""

from __future__ import annotations

from typing import Any

import pytest

from harness.metrics.ifeval.instructions import INSTRUCTIONS
from harness.metrics.ifeval.segmentation import sentences, tokens, words


@pytest.mark.parametrize(
    ("keywords", "response", "followed"),
    [
        (["sea", "salt"], "Salty SEAS.", True),
        (["sea", "salt"], "The sea.", False),
        (["sea"], "", False),
        (["c++"], "I like C++.", True),
        (["c.t"], "cat", False),
        (["Ärger"], "ÄRGER!", True),
    ],
)
def test_all_keywords_have_to_occur(keywords: list[str], response: str, followed: bool) -> None:
    assert INSTRUCTIONS["keywords:existence"](response, {"keywords": keywords, "relation": None}) is followed


@pytest.mark.parametrize(
    ("relation", "frequency", "response", "followed"),
    [
        ("at least", 2, "Tea and more tea", True),
        ("at least", 2, "teapot, steam", True),
        ("at least", 2, "tea", False),
        ("at least", 0, "", True),
        ("at least", 1, "", False),
        ("less than", 2, "tea", True),
        ("less than", 2, "tea TEA", False),
        ("less than", 1, "", True),
    ],
)
def test_a_keyword_is_counted(relation: str, frequency: int, response: str, followed: bool) -> None:
    kwargs = {"keyword": " tea ", "relation": relation, "frequency": frequency}
    assert INSTRUCTIONS["keywords:frequency"](response, kwargs) is followed


@pytest.mark.parametrize(
    ("response", "followed"),
    [("A catalogue", True), ("", True), ("the CAT.", False), ("cat-like", False), ("größe", False), ("größer", True)],
)
def test_forbidden_words_are_forbidden_as_whole_words(response: str, followed: bool) -> None:
    assert INSTRUCTIONS["keywords:forbidden_words"](response, {"forbidden_words": ["cat", "größe"]}) is followed


@pytest.mark.parametrize(
    ("letter", "relation", "frequency", "response", "followed"),
    [
        ("E", "at least", 3, "Eeny meeny", True),
        ("e", "at least", 5, "Eeny meeny", False),
        ("e", "less than", 1, "", True),
        ("#", "at least", 2, "#a #b", True),
        ("é", "less than", 1, "É", False),
    ],
)
def test_a_letter_is_counted(letter: str, relation: str, frequency: int, response: str, followed: bool) -> None:
    kwargs = {"letter": letter, "let_relation": relation, "let_frequency": frequency}
    assert INSTRUCTIONS["keywords:letter_frequency"](response, kwargs) is followed


@pytest.mark.parametrize(
    ("relation", "wanted", "response", "followed"),
    [
        ("at least", 3, "one two three", True),
        ("at least", 4, "one two three", False),
        ("less than", 3, "one two three", False),
        ("less than", 4, "one two three", True),
        ("at least", 1, " \n ", False),
        ("at least", 2, "don't", True),
        ("less than", 2, "well_known!", True),
    ],
)
def test_words_are_counted(relation: str, wanted: int, response: str, followed: bool) -> None:
    kwargs = {"relation": relation, "num_words": wanted}
    assert INSTRUCTIONS["length_constraints:number_words"](response, kwargs) is followed


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("", 0),
        ("no end", 1),
        ("One. Two! Three?", 3),
        ("Dr. Hale met Mr. Poe at 5 p.m. sharp.", 1),
        ("Bread, e.g. rye, costs 3.50 here. It is good.", 2),
        ("Well... Perhaps. Yes!", 2),
        ("Well... But why?", 2),
        ('"Go!" she said. Then she went.', 3),
        ("Él vino. Ñandú corrió.", 2),
        ("Unfinished line\n\nanother", 1),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(response: str, count: int) -> None:
    assert len(sentences(response)) == count
    name = "length_constraints:number_sentences"
    assert INSTRUCTIONS[name](response, {"relation": "at least", "num_sentences": count})
    assert not INSTRUCTIONS[name](response, {"relation": "less than", "num_sentences": count})


@pytest.mark.parametrize(
    ("wanted", "response", "followed"),
    [
        (2, "a *** b", True),
        (2, "a\n***\nb\n***", True),
        (2, "***\na\n***\nb", True),
        (2, "a *** *** b", False),
        (1, "a\n\nb", True),
        (0, "", True),
        (1, "", False),
        (1, "***", False),
        (3, "é***ü***ß", True),
    ],
)
def test_paragraphs_are_divided_by_stars(wanted: int, response: str, followed: bool) -> None:
    assert INSTRUCTIONS["length_constraints:number_paragraphs"](response, {"num_paragraphs": wanted}) is followed


@pytest.mark.parametrize(
    ("response", "followed"),
    [
        ("One.\n\nWeekend, again.", True),
        ("One.\n\n\"'weekend' again", False),
        ('One.\n\n"Weekend" again', True),
        ("One.\n\nweekends", False),
        ("Weekend.\n\nTwo.", False),
        ("weekend", False),
        ("One.\n\nWeekend.\n\nThree.", False),
        ("One.\n\n\n\nWeekend.", False),
        ("", False),
        ("\n\n", False),
    ],
)
def test_the_second_paragraph_opens_with_the_word(response: str, followed: bool) -> None:
    kwargs: dict[str, Any] = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Weekend"}
    assert INSTRUCTIONS["length_constraints:nth_paragraph_first_word"](response, kwargs) is followed


@pytest.mark.parametrize(
    ("relation", "wanted", "response", "followed"),
    [
        ("at least", 2, "I SAID so", True),
        ("at least", 3, "I SAID so", False),
        ("less than", 2, "WELL-KNOWN", True),
        ("less than", 2, "STOP, NOW", False),
        ("less than", 1, "Ok then 42!", True),
        ("less than", 1, "", True),
        ("at least", 1, "ÜBER", True),
    ],
)
def test_words_in_capitals_are_counted(relation: str, wanted: int, response: str, followed: bool) -> None:
    kwargs = {"capital_relation": relation, "capital_frequency": wanted}
    assert INSTRUCTIONS["change_case:capital_word_frequency"](response, kwargs) is followed


def test_words_and_tokens_differ_as_ifeval_has_it() -> None:
    assert words("Well-known, isn't it?") == ["Well", "known", "isn", "t", "it"]
    assert tokens("Well-known, isn't it?") == ["Well-known", ",", "is", "n't", "it", "?"]
