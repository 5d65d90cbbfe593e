"""BLEU: how many n-grams of a translation are in a reference, with a penalty for short ones.

``bleu_1`` and ``bleu_4`` judge one sentence as HELM does: nltk's clipped precision of 1-grams, or of 4-grams *alone*,
times nltk's brevity penalty, without smoothing. A text of fewer than four words has no 4-grams and gets 0.
``corpus_bleu`` is the BLEU of the literature: all four orders over all answers, by sacrebleu.
"""

from __future__ import annotations

import math
import re
from itertools import zip_longest

import pandas as pd

from harness.metrics.base import Metric, SetMetric
from harness.metrics.golds import Compare, best_of_golds

_END_OF_SENTENCE = re.compile(r"(?<=\.)\s+")


def words(text: str) -> list[str]:
    """The words and punctuation marks of a text, by nltk's tokenizer.

    HELM finds sentences first, by a model that nltk would have to download: it knows abbreviations. Here a full stop
    before white space always ends a sentence, which only decides whether ``Dr.`` is one word or two.
    """
    from nltk.tokenize.destructive import NLTKWordTokenizer

    tokenizer = NLTKWordTokenizer()
    return [word for sentence in _END_OF_SENTENCE.split(text) for word in tokenizer.tokenize(sentence)]


def _precision(order: int) -> Compare:
    """nltk's ``sentence_bleu`` with all weight on one order warns where nothing matches, and returns almost 0."""

    def compare(gold: str, text: str) -> float:
        from nltk.translate.bleu_score import brevity_penalty, modified_precision

        wanted, given = words(gold), words(text)
        return float(modified_precision([wanted], given, order) * brevity_penalty(len(wanted), len(given)))

    return compare


def judge_corpus_bleu(rows: pd.DataFrame) -> float:
    """BLEU over the columns ``answer`` and ``golds``, from 0 to 1; NaN without rows.

    sacrebleu's defaults: 13a tokens, case kept, exponential smoothing. An answer that is none counts as empty.
    """
    if rows.empty:
        return math.nan
    from sacrebleu.metrics.bleu import BLEU

    answers = rows["answer"].where(rows["valid"], "").tolist()
    golds = [list(of_row) or [""] for of_row in rows["golds"]]
    score = float(BLEU(force=True).corpus_score(answers, list(zip_longest(*golds))).score)
    return min(1.0, score / 100)  # rounding lifts a perfect score above 100


BLEU_1 = Metric("bleu_1", best_of_golds(_precision(1)), is_binary=False, higher_is_better=True)
BLEU_4 = Metric("bleu_4", best_of_golds(_precision(4)), is_binary=False, higher_is_better=True)
CORPUS_BLEU = SetMetric("corpus_bleu", judge_corpus_bleu, higher_is_better=True)
