"""F1: how far two sets of words, or of things that a sentence lists, agree."""

from __future__ import annotations

from harness.metrics.base import Metric
from harness.metrics.golds import best_of_golds
from harness.metrics.normalization import normalize


def f1(gold: set[str], given: set[str]) -> float:
    """Harmonic mean of precision and recall; 0 where either set is empty."""
    return 2 * len(gold & given) / (len(gold) + len(given)) if gold and given else 0.0


def _of_words(gold: str, text: str) -> float:
    # HELM compares sets, so that a word counts once; SQuAD's own scorer counts repetitions.
    return f1(set(normalize(gold).split()), set(normalize(text).split()))


def listed(sentence: str) -> set[str]:
    """What a sentence lists: ``Bob is kind and strong.`` gives kind and strong, ``Nothing.`` an empty set.

    HELM's rule for the rules that apply in ``synthetic_reasoning_natural``.
    """
    if sentence == "Nothing.":
        return set()
    return set(sentence.replace(".", "").rsplit(" is ", 1)[-1].split(" and "))


def _of_lists(gold: str, text: str) -> float:
    wanted, given = listed(gold), listed(text.split("\n")[0])
    return f1(wanted, given) if wanted else float(not given)


F1_SCORE = Metric("f1_score", best_of_golds(_of_words), is_binary=False, higher_is_better=True)
F1_SET_MATCH = Metric("f1_set_match", best_of_golds(_of_lists), is_binary=False, higher_is_better=True)
