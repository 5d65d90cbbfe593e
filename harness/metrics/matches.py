"""Matches: the answer is right or wrong, by more or less strict comparison with the correct references.

Names and definitions are HELM's, except ``first_word_match`` and ``greedy_match``, which are for LAMBADA.
"""

from __future__ import annotations

import math
import re

from harness.metrics.base import Metric
from harness.metrics.golds import Compare, best_of_golds, credit
from harness.metrics.normalization import normalize
from harness.types import Answer, Instance

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def _is_same(gold: str, text: str) -> bool:
    return gold == text


def _is_quasi_same(gold: str, text: str) -> bool:
    return normalize(gold) == normalize(text)


def _begins_with(gold: str, text: str) -> bool:
    return text.startswith(gold)


def _quasi_begins_with(gold: str, text: str) -> bool:
    return normalize(text).startswith(normalize(gold))


def _ends_in_same_word(gold: str, text: str) -> bool:
    """What follows the last space; the answer to a question about steps often stands there."""
    return gold.rsplit(" ", 1)[-1].strip() == text.rsplit(" ", 1)[-1].strip()


def _begins_in_same_word(gold: str, text: str) -> bool:
    first, wanted = normalize(text, articles=True).split()[:1], normalize(gold, articles=True).split()[:1]
    return first == wanted != []


def last_number(text: str) -> str:
    """The last number in a text, without commas, such as ``-1234.5``; empty where there is none.

    HELM's pattern also takes a lone comma, and any one character between two numbers, for (part of) a number.
    """
    return next(reversed(_NUMBER.findall(text)), "").replace(",", "")


def _ends_in_same_number(gold: str, text: str) -> bool:
    return last_number(gold) == last_number(text) != ""


def judge_exact_match(instance: Instance, answer: Answer) -> float:
    """1 if the answer is a correct reference letter for letter, but for outer white space.

    Of choices, the share of the taken ones that are correct, so that ties give fractional credit.
    """
    if not answer.valid:
        return 0.0
    return credit(instance, answer.chosen) if answer.chosen else best_of_golds(_is_same)(instance, answer)


def judge_greedy_match(_instance: Instance, answer: Answer) -> float:
    """1 if greedy decoding would have said the scored text, as lm-eval judges LAMBADA; NaN where that is not known."""
    return math.nan if answer.is_greedy is None else float(answer.is_greedy)


def _match(name: str, compare: Compare) -> Metric:
    return Metric(name, best_of_golds(compare), is_binary=True, higher_is_better=True)


MATCHES = (
    Metric("exact_match", judge_exact_match, is_binary=True, higher_is_better=True),
    _match("quasi_exact_match", _is_quasi_same),
    _match("prefix_exact_match", _begins_with),
    _match("quasi_prefix_exact_match", _quasi_begins_with),
    _match("exact_match_indicator", _ends_in_same_word),
    _match("final_number_exact_match", _ends_in_same_number),
    _match("first_word_match", _begins_in_same_word),
    Metric("greedy_match", judge_greedy_match, is_binary=True, higher_is_better=True, needs="greedy"),
)
