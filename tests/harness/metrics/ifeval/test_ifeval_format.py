"""Formats, contents, beginnings and ends."""

from __future__ import annotations

from typing import Any

import pytest

from harness.metrics.ifeval.instructions import INSTRUCTIONS

ENGLISH = "the weather was cold this morning and nobody wanted to leave the house before breakfast"
GERMAN = "Das Wetter war heute Morgen kalt und niemand wollte vor dem Frühstück das Haus verlassen"
THAI = "เมื่อเช้านี้อากาศหนาวและไม่มีใครอยากออกจากบ้าน"


@pytest.mark.parametrize(
    ("count", "response", "followed"),
    [
        (2, "* one\n* two", True),
        (2, "- one\n  * two", True),
        (2, "* one\n** two", False),
        (1, "* one\n* two", False),
        (0, "none - here * there", True),
        (0, "", True),
        (1, "\n\n\n* été", True),
    ],
)
def test_bullets_are_counted(count: int, response: str, followed: bool) -> None:
    assert INSTRUCTIONS["detectable_format:number_bullet_lists"](response, {"num_bullets": count}) is followed


@pytest.mark.parametrize(
    ("count", "response", "followed"),
    [
        (2, "*one* and **two**", True),
        (2, "**one**", False),
        (1, "* *", False),
        (1, "*one\ntwo*", False),
        (1, "", False),
        (1, "*été*", True),
    ],
)
def test_highlights_are_counted(count: int, response: str, followed: bool) -> None:
    name = "detectable_format:number_highlighted_sections"
    assert INSTRUCTIONS[name](response, {"num_highlights": count}) is followed


@pytest.mark.parametrize(
    ("response", "followed"),
    [
        ("SECTION 1\na\nSECTION 2\nb", True),
        ("SECTION1 SECTION12", True),
        ("SECTION 1", False),
        ("Section 1 Section 2", False),
        ("SECTION A SECTION B", False),
        ("", False),
    ],
)
def test_sections_have_numbers(response: str, followed: bool) -> None:
    kwargs = {"section_spliter": "SECTION ", "num_sections": 2}
    assert INSTRUCTIONS["detectable_format:multiple_sections"](response, kwargs) is followed


@pytest.mark.parametrize(
    ("count", "response", "followed"),
    [
        (2, "[name], [age]", True),
        (2, "[[name]", False),
        (1, "[name\nage]", False),
        (1, "] [", False),
        (1, "[]", True),
        (1, "", False),
        (3, "[é][ü]\n[ß]", True),
    ],
)
def test_placeholders_are_counted(count: int, response: str, followed: bool) -> None:
    name = "detectable_content:number_placeholders"
    assert INSTRUCTIONS[name](response, {"num_placeholders": count}) is followed


@pytest.mark.parametrize(
    ("marker", "response", "followed"),
    [
        ("P.S.", "Bye.\nP.S. Milk", True),
        ("P.S.", "bye p. s. milk", True),
        ("P.S.", "PS milk", False),
        ("P.P.S", "P.P.S. Milk", True),
        ("P.P.S", "P.S. Milk", False),
        ("N.B.", "n.b. milk", True),
        ("N.B.", "nabu", False),
        ("P.S.", "", False),
    ],
)
def test_postscripts_have_their_marker(marker: str, response: str, followed: bool) -> None:
    assert INSTRUCTIONS["detectable_content:postscript"](response, {"postscript_marker": marker}) is followed


@pytest.mark.parametrize(
    ("end", "response", "followed"),
    [
        ("The end.", "So. THE END.", True),
        ("The end.", '"So. The end."', True),
        ("The end.", "The end. Bye", False),
        ("The end.", "", False),
        (" Ende 🙂", "ende 🙂 ", True),
    ],
)
def test_the_last_words_are_the_phrase(end: str, response: str, followed: bool) -> None:
    assert INSTRUCTIONS["startend:end_checker"](response, {"end_phrase": end}) is followed


@pytest.mark.parametrize(
    ("response", "followed"),
    [("Sing of TEA\nWell: ...", True), ("sing of tea!", True), ("Well: sing of tea", False), ("", False)],
)
def test_the_request_comes_first(response: str, followed: bool) -> None:
    assert INSTRUCTIONS["combination:repeat_prompt"](response, {"prompt_to_repeat": "Sing of tea"}) is followed


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "response", "followed"),
    [
        ("combination:two_responses", "one ****** two", True),
        ("combination:two_responses", "******\none\n******\ntwo\n******", True),
        ("combination:two_responses", "one ****** one", False),
        ("combination:two_responses", "one ****** ****** two", False),
        ("combination:two_responses", "one ****** two ****** three", False),
        ("combination:two_responses", "", False),
        ("detectable_format:constrained_response", "Well. My answer is no. Bye", True),
        ("detectable_format:constrained_response", "my answer is no.", False),
        ("detectable_format:constrained_response", "", False),
        ("detectable_format:json_format", '{"a": [1, "é"]}', True),
        ("detectable_format:json_format", '```json\n{"a": 1}\n```', True),
        ("detectable_format:json_format", "```\n[]\n```", True),
        ("detectable_format:json_format", 'Here: {"a": 1}', False),
        ("detectable_format:json_format", "", False),
        ("detectable_format:json_format", DEEP, False),
        ("detectable_format:json_format", "1" * 5000, False),
        ("detectable_format:title", "<<Ode>>\nO tea", True),
        ("detectable_format:title", "On <<Ode>> and <<>>", True),
        ("detectable_format:title", "<<>>", False),
        ("detectable_format:title", "<< >>", False),
        ("detectable_format:title", "<<Ode\n>>", False),
        ("detectable_format:title", ">>Ode<<", False),
        ("detectable_format:title", "", False),
        ("punctuation:no_comma", "No、comma，here", True),
        ("punctuation:no_comma", "", True),
        ("punctuation:no_comma", "1,000", False),
        ("startend:quotation", ' "So it is." ', True),
        ("startend:quotation", '"', False),
        ("startend:quotation", "“So it is.”", False),
        ("startend:quotation", '"So" it is', False),
        ("startend:quotation", "", False),
        ("change_case:english_lowercase", ENGLISH, True),
        ("change_case:english_lowercase", ENGLISH.capitalize(), False),
        ("change_case:english_lowercase", GERMAN.lower(), False),
        ("change_case:english_lowercase", "", False),
        ("change_case:english_lowercase", "42", False),
        ("change_case:english_capital", ENGLISH.upper(), True),
        ("change_case:english_capital", ENGLISH.upper() + "s", False),
        ("change_case:english_capital", "", False),
    ],
)
def test_instructions_without_arguments(name: str, response: str, followed: bool) -> None:
    assert INSTRUCTIONS[name](response, {"num_words": None}) is followed


@pytest.mark.parametrize(
    ("language", "response", "followed"),
    [
        ("en", ENGLISH, True),
        ("de", GERMAN, True),
        ("th", THAI, True),
        ("de", ENGLISH, False),
        ("en", THAI, False),
        ("sw", "1234 ...", True),
        ("sw", "", True),
    ],
)
def test_the_language_is_recognized_where_there_is_one(language: str, response: str, followed: bool) -> None:
    kwargs: dict[str, Any] = {"language": language}
    results = {INSTRUCTIONS["language:response_language"](response, kwargs) for _ in range(5)}
    assert results == {followed}
