"""The four accuracies, and what holds for all instructions."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunError
from harness.metrics.ifeval import IFEVAL_METRICS
from harness.metrics.ifeval.instructions import INSTRUCTIONS
from harness.metrics.ifeval.metric import loose_variants
from harness.types import Answer, Instance

STRICT, LOOSE, PROMPT_STRICT, PROMPT_LOOSE = (metric.judge for metric in IFEVAL_METRICS)

ARGUMENTS: dict[str, Any] = {
    "keywords": ["a", "b"], "keyword": "a", "relation": "at least", "frequency": 2, "forbidden_words": ["c"],
    "letter": "x", "let_relation": "less than", "let_frequency": 3, "num_words": 4, "num_sentences": 2,
    "num_paragraphs": 2, "nth_paragraph": 1, "first_word": "a", "num_bullets": 1, "num_highlights": 1,
    "section_spliter": "S", "num_sections": 1, "num_placeholders": 1, "postscript_marker": "P.S.",
    "end_phrase": "b", "prompt_to_repeat": "a", "language": "en", "capital_relation": "at least",
    "capital_frequency": 1,
}  # fmt: skip
"""Arguments that suit every instruction: each takes its own."""

TEXTS = st.lists(
    st.sampled_from(
        [
            *"ab c.!?\n\t*[]<>\"'-#1,`{é中\ud800",
            "\n\n",
            "***",
            "******",
            "S 1",
            "P.S.",
            "AB",
            "<<t>>",
            "*h*",
            "[p]",
            "{}",
        ]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)


def asked(*instructions: tuple[str, dict[str, Any] | None]) -> Instance:
    names, kwargs = [name for name, _ in instructions], [kwargs for _, kwargs in instructions]
    return Instance("id7", "Do it.", details={"instruction_id_list": names, "kwargs": kwargs})


def answer(text: str) -> Answer:
    return Answer(text, 0.0, (), 0)


NO_COMMA = ("punctuation:no_comma", {"num_words": None})
TWO_WORDS = ("length_constraints:number_words", {"relation": "at least", "num_words": 2.0, "keyword": None})


@pytest.mark.parametrize(
    ("text", "strict", "loose"),
    [
        ("two words", 1, 1),
        ("word", 0.5, 0.5),
        ("two, words", 0.5, 0.5),
        ("word,", 0, 0),
        ("Sure, here:\ntwo words", 0.5, 1),
        ("two words\nBye, then", 0.5, 1),
        ("Sure, here:\ntwo words\nBye, then", 0.5, 1),
        ("", 0, 0),
        (" \n ", 0, 0),
        ("zwei Wörter", 1, 1),
    ],
)
def test_shares_and_wholes(text: str, strict: float, loose: float) -> None:
    instance = asked(NO_COMMA, TWO_WORDS)
    assert (STRICT(instance, answer(text)), LOOSE(instance, answer(text))) == (strict, loose)
    wholes = (PROMPT_STRICT(instance, answer(text)), PROMPT_LOOSE(instance, answer(text)))
    assert wholes == (float(strict == 1), float(loose == 1))


def test_loose_asks_for_one_variant_an_instruction_and_not_for_one_that_suits_all() -> None:
    instance = asked(
        ("startend:quotation", None), ("detectable_format:number_highlighted_sections", {"num_highlights": 1})
    )
    marked = answer('*"Tea*\nis good"')
    assert STRICT(instance, marked) == 0.5
    assert LOOSE(instance, marked) == PROMPT_LOOSE(instance, marked) == 1


def test_loose_has_eight_variants() -> None:
    assert loose_variants("*a*\nb*\nc") == ["*a*\nb*\nc", "b*\nc", "*a*\nb*", "b*", "a\nb\nc", "b\nc", "a\nb", "b"]
    assert loose_variants("plain") == ["plain", ""]


def test_names_and_kinds() -> None:
    assert [(metric.name, metric.is_binary) for metric in IFEVAL_METRICS] == [
        ("ifeval_strict_accuracy", False),
        ("ifeval_loose_accuracy", False),
        ("ifeval_prompt_strict_accuracy", True),
        ("ifeval_prompt_loose_accuracy", True),
    ]
    assert len(INSTRUCTIONS) == 25


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        (asked(("keywords:rhyme", {})), ["id7", "keywords:rhyme"]),
        (asked(("keywords:existence", {"keywords": None})), ["id7", "keywords:existence", "'keywords'"]),
        (asked(("keywords:existence", {"keywords": "sea"})), ["'keywords'", "list"]),
        (asked(("keywords:existence", {"keywords": []})), ["'keywords'", "list"]),
        (asked(("keywords:letter_frequency", {**ARGUMENTS, "letter": "ab"})), ["'letter'", "'ab'"]),
        (asked(("startend:end_checker", None)), ["startend:end_checker", "'end_phrase'"]),
        (asked(("length_constraints:number_words", {"num_words": 3, "relation": "more"})), ["'relation'", "'more'"]),
        (asked(("length_constraints:number_words", {"num_words": -1, "relation": "at least"})), ["'num_words'", "-1"]),
        (asked(("detectable_format:number_bullet_lists", {"num_bullets": 1.5})), ["'num_bullets'", "1.5"]),
        (asked(("length_constraints:nth_paragraph_first_word", {**ARGUMENTS, "nth_paragraph": 3})), ["1 and 2"]),
        (asked(), ["id7", "0 and 0"]),
        (Instance("id7", "Do it."), ["id7"]),
        (Instance("id7", "", details={"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}), ["0 and 1"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", ["some text", ""])
def test_bad_data_end_in_a_sentence_that_names_the_instance(instance: Instance, words: list[str], text: str) -> None:
    for metric in IFEVAL_METRICS:
        with pytest.raises(RunError) as caught:
            metric.judge(instance, answer(text))
        assert all(word in str(caught.value) for word in words)


EVERYTHING = asked(*((name, ARGUMENTS) for name in INSTRUCTIONS))


@settings(deadline=None)
@given(TEXTS)
def test_whatever_is_followed_strictly_is_followed_loosely(text: str) -> None:
    strict, loose = STRICT(EVERYTHING, answer(text)), LOOSE(EVERYTHING, answer(text))
    assert 0 <= strict <= loose <= 1
    for instruction in EVERYTHING.details["instruction_id_list"]:
        alone = asked((instruction, ARGUMENTS))
        strictly, loosely = STRICT(alone, answer(text)), LOOSE(alone, answer(text))
        assert strictly in (0, 1)
        assert strictly <= loosely
        assert (PROMPT_STRICT(alone, answer(text)), PROMPT_LOOSE(alone, answer(text))) == (strictly, loosely)


PIECES = [*"[<*\n-.'\"A1 `{?", "* ", ". ", "a. ", "<<", "\n ", "a.b.", "\ud800"]


@pytest.mark.parametrize("piece", PIECES)
def test_endless_repetition_is_judged_too(piece: str) -> None:
    response = piece * (20_000 // len(piece))
    assert all(check(response, ARGUMENTS) in (True, False) for check in INSTRUCTIONS.values())


@pytest.mark.parametrize("piece", PIECES)
def test_patterns_take_time_by_the_length_of_a_text_and_not_by_its_square(piece: str) -> None:
    response = piece * (100_000 // len(piece))
    begin = time.process_time()
    for name, check in INSTRUCTIONS.items():
        if name.startswith("detectable_"):
            check(response, ARGUMENTS)
    assert time.process_time() - begin < 2
