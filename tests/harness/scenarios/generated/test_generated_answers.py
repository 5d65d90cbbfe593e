"""Every answer is right, by a reading of the question's text alone that shares nothing with what made it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenarios.base import Data
from harness.scenarios.generated import (
    dyck_language,
    synthetic_efficiency,
    synthetic_reasoning,
    synthetic_reasoning_natural,
)
from harness.scenarios.generated.synthetic_reasoning import Mode
from harness.scenarios.generated.synthetic_reasoning_natural import Difficulty
from harness.types import Instance


def everything(data: Data) -> list[Instance]:
    return data.train + data.test


def reduces_to_nothing(brackets: str) -> bool:
    while (shorter := re.sub(r"\(\)|\[\]|\{\}|<>", "", brackets)) != brackets:
        brackets = shorter
    return not brackets


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 4))
def test_dyck_answers_close_what_is_open(n_kinds: int) -> None:
    data = dyck_language.instances(n_kinds, n_test=100)
    for instance in everything(data):
        answer = instance.gold.removeprefix(" ").split(" ")
        assert set(answer) <= set(")]}>")
        assert reduces_to_nothing(instance.input.replace(" ", "") + "".join(answer))
        assert 1 <= len(answer) <= 3
        assert instance.kind == f"{n_kinds}_pairs"
    assert len({bracket for instance in data.test for bracket in instance.input} - {" "}) == 2 * n_kinds


def test_dyck_lengths_are_helms() -> None:
    data = dyck_language.instances()
    assert (len(data.train), len(data.test)) == (3, 500)
    lengths = [len(instance.input.split()) for instance in data.test]
    assert max(lengths) < 100
    assert max(len(instance.input.split()) for instance in data.train) < 50
    # Cut words are shorter than 52 only by what was cut off, so most are longer.
    assert sum(length >= 52 for length in lengths) > 250
    assert Counter(len(instance.gold.split()) for instance in data.test).keys() == {1, 2, 3}


def fits(pattern: str, result: str) -> bool:
    """Whether one or two words in place of every symbol turn the pattern into the result."""
    seen: set[str] = set()
    parts = []
    for part in pattern.split(" "):
        if part not in "XYZ":
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>[a-z]+(?: [a-z]+)?)")
            seen.add(part)
    return re.fullmatch(" ".join(parts), result) is not None


def reasoning(mode: Mode) -> list[Instance]:
    found = everything(synthetic_reasoning.instances(mode, 50, 300))
    assert {instance.kind for instance in found} == {mode}
    return found


def test_the_matched_pattern_is_listed_and_fits() -> None:
    n_fitting = []
    for instance in reasoning("pattern_match"):
        match = re.fullmatch(r"Rules: (.+) \| Result: (.+)", instance.input)
        assert match
        patterns = match[1].split(" | ")
        assert len(patterns) == 4
        assert instance.gold in patterns
        assert fits(instance.gold, match[2])
        n_fitting.append(sum(fits(pattern, match[2]) for pattern in set(patterns)))
    assert sum(n == 1 for n in n_fitting) / len(n_fitting) > 0.85


def test_the_induced_pattern_fits_both_results() -> None:
    for instance in reasoning("induction"):
        match = re.fullmatch(r"Two results: (.+) \| (.+)", instance.input)
        assert match
        assert fits(instance.gold.removeprefix("Rule: "), match[1])
        assert fits(instance.gold.removeprefix("Rule: "), match[2])


def test_words_are_put_in_for_symbols() -> None:
    for instance in reasoning("variable_substitution"):
        match = re.fullmatch(r"Rules: (.+) \| Substitutions: (.+)", instance.input)
        assert match
        result = match[1]
        listed = match[2].split(" , ")
        assert len(listed) == len(set(re.findall("[XYZ]", result)))
        for entry in listed:
            symbol, text = re.fullmatch(r'([XYZ]) by " ([a-z ]+) "', entry).groups()  # type: ignore[union-attr]
            result = result.replace(symbol, text)
        assert result == instance.gold


def test_patterns_have_two_or_three_symbols_and_operators() -> None:
    shapes = Counter()
    for instance in reasoning("induction"):
        parts = instance.gold.removeprefix("Rule: ").split(" ")
        shapes[sum(part in "XYZ" for part in parts), sum(part in "+-*=" for part in parts)] += 1
    assert shapes.keys() == {(2, 2), (2, 3), (3, 2), (3, 3)}


RULE = re.compile(r"If (?:an? )?(\w+) is (.+), then (?:the )?\1 is (\w+)\.")
MEANING = {word: quality for quality, words in synthetic_reasoning_natural.SYNONYMS.items() for word in words}


def follows(question: str) -> list[str]:
    """What the rules say of whom the fact is about, in their order."""
    *rules, heading, fact, asked = question.split("\n")
    assert heading == "Fact:"
    subject, said = re.fullmatch(r"(.+) is (.+)\.", fact).groups()  # type: ignore[union-attr]
    assert asked == f"The following can be determined about {subject.replace('The ', 'the ')}:"
    known = {MEANING[word] for word in said.split(" and ")}
    found = []
    for rule in rules:
        _, conditions, consequence = RULE.fullmatch(rule).groups()  # type: ignore[union-attr]
        if " or " in conditions:
            applies = bool(known & set(conditions.split(" or ")))
        else:
            applies = known >= set(conditions.split(" and "))
        if applies and consequence not in known:
            found.append(consequence)
    return found


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_consequences_follow(difficulty: Difficulty) -> None:
    data = synthetic_reasoning_natural.instances(difficulty, 100, 500)
    for instance in everything(data):
        assert instance.kind == difficulty
        subject = instance.input.split("\n")[-2].split(" is ")[0]
        found = follows(instance.input)
        assert instance.gold == (f"{subject} is {' and '.join(found)}." if found else "Nothing.")
    nothing = sum(instance.gold == "Nothing." for instance in data.test) / len(data.test)
    assert 0.05 < nothing < 0.5


@pytest.mark.parametrize(("difficulty", "by_class", "synonyms"), [("easy", 0, 0), ("medium", 1, 0), ("hard", 1, 1)])
def test_difficulties_differ(difficulty: Difficulty, by_class: int, synonyms: int) -> None:
    questions = [instance.input for instance in everything(synthetic_reasoning_natural.instances(difficulty, 0, 200))]
    assert any(" an animal " in question or " a plant " in question for question in questions) == by_class
    facts = {word for question in questions for word in question.split("\n")[-2].strip(".").split(" is ")[1].split()}
    assert bool(facts - {"and"} - synthetic_reasoning_natural.SYNONYMS.keys()) == synonyms


def test_each_word_has_one_meaning() -> None:
    words = [word for words in synthetic_reasoning_natural.SYNONYMS.values() for word in words]
    assert len(words) == len(set(words)) == 4 * 1 + 10 * 2 + 7 * 3 + 4 * 4
    subjects = [name for names in synthetic_reasoning_natural.SUBJECTS.values() for name in names]
    assert len(subjects) == len(set(subjects)) == 6 + 14 + 5
    assert len(synthetic_reasoning.WORDS) == len(set(synthetic_reasoning.WORDS)) == 22


def test_texts_have_the_length_that_their_kind_says() -> None:
    data = synthetic_efficiency.instances(4)
    assert not data.train
    assert Counter(instance.kind for instance in data.test) == {f"{n}_words": 4 for n in (1, 192, 384, 768, 1152)}
    for instance in data.test:
        assert f"{len(instance.input.split(' '))}_words" == instance.kind
        assert instance.golds == ("",)
