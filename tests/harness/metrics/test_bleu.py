from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.bleu import BLEU_1, BLEU_4, CORPUS_BLEU, words
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]
Rows = Callable[..., pd.DataFrame]


@pytest.mark.parametrize(
    ("metric", "choices", "text", "value"),
    [
        ("bleu_1", ["*the cat sat on the mat"], "the the the the the the", 2 / 6),  # clipped
        ("bleu_1", ["*the cat sat"], "the cat", math.exp(1 - 3 / 2)),  # all right, but short
        ("bleu_1", ["*the cat sat"], "the cat sat down there", 3 / 5),
        ("bleu_1", ["*a dog", "*the cat sat"], "the cat sat", 1),
        ("bleu_1", ["*The cat"], "the cat", 1 / 2),  # case counts
        ("bleu_4", ["*one two three four five"], "one two three four six", 1 / 2),
        ("bleu_4", ["*one two three four five"], "one two three four", math.exp(1 - 5 / 4)),
        ("bleu_4", ["*one two three"], "one two three", 0),  # no four words, no 4-gram
        ("bleu_4", ["*Ein Bär saß im Wald."], "Ein Bär saß im Wald.", 1),
        ("bleu_4", ["*one two three four", "five"], "five", 0),
        ("bleu_1", ["*one"], "", 0),
        ("bleu_1", [], "one", 0),
    ],
)
def test_bleu_of_sentences_by_hand(metric: str, choices: list[str], text: str, value: float, judged: Judged) -> None:
    assert judged(metric, choices, text) == pytest.approx(value)


def test_words_are_split_as_in_the_penn_treebank() -> None:
    assert words("It's 3.5 kg, isn't it? Yes. No.") == ("It 's 3.5 kg , is n't it ? Yes . No .".split())
    assert words(" \n") == []


SENTENCES = st.lists(st.sampled_from(["ab", "cd", "é.", "x,", "Ω?"]), max_size=8).map(" ".join)


@settings(deadline=None)  # the first example loads a library
@given(SENTENCES, SENTENCES)
def test_bleu_agrees_with_nltk(gold: str, text: str) -> None:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    instance = Instance("x", "", (Reference(gold, is_correct=True),))
    for metric, weights in ((BLEU_1, (1,)), (BLEU_4, (0, 0, 0, 1))):
        value = metric.judge(instance, Answer(text, 0, (), 0))
        assert 0 <= value <= 1
        if value:
            smoothing = SmoothingFunction().method1  # another than nltk's own, which warns
            assert value == pytest.approx(sentence_bleu([words(gold)], words(text), weights, smoothing), abs=1e-6)


def test_corpus_bleu_by_hand(rows: Rows) -> None:
    # Matching n-grams of both sentences together; no penalty, since 8 words answer 8.
    answered = rows(answer=["a b c d e", "x y z"], gold=["a b c d f", "x y z"])
    by_hand = math.prod([7 / 8, 5 / 6, 3 / 4, 1 / 2]) ** (1 / 4)
    assert CORPUS_BLEU.judge(answered) == pytest.approx(by_hand)


def test_corpus_bleu_of_perfect_invalid_and_missing_answers(rows: Rows) -> None:
    gold = ["Ein Bär saß im Wald.", "Он был там один, вчера."]
    assert CORPUS_BLEU.judge(rows(answer=gold, gold=gold)) == 1
    assert CORPUS_BLEU.judge(rows(answer=gold, gold=gold, valid=[False, False])) == 0
    assert CORPUS_BLEU.judge(rows(answer=["", ""], gold=gold)) == 0
    assert CORPUS_BLEU.judge(rows(answer=["x"], golds=[[]])) == 0
    assert math.isnan(CORPUS_BLEU.judge(rows(answer=[], gold=[])))


def test_corpus_bleu_takes_any_of_several_references(rows: Rows) -> None:
    golds = [["no such words at all", "one two three four five"], ["six seven eight nine ten"]]
    answers = ["one two three four five", "six seven eight nine ten"]
    assert CORPUS_BLEU.judge(rows(answer=answers, golds=golds)) == 1
    assert CORPUS_BLEU.judge(rows(answer=answers, golds=[golds[0][:1], golds[1]])) < 1
