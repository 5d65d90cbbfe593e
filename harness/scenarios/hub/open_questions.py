"""Questions without choices: how they become instances, and what their answers are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.scenarios.base import Data
from harness.scenarios.hub.asking import CALIBRATION_METRICS
from harness.scenarios.hub.rows import Unusable
from harness.types import Instance, Reference

EXAMPLE_EVERY = 10
"""Where a data set has no rows for training, every so manieth is an example, beginning with the first."""

MATCHES = ("quasi_exact_match", "exact_match", "prefix_exact_match", "quasi_prefix_exact_match")
"""For short answers: HELM's ``get_exact_match_metric_specs``."""
LABELS = (*MATCHES, *CALIBRATION_METRICS)
"""For answers that are labels: whether the model is right as often as it is sure, too."""
OVERLAP = ("f1_score", "exact_match", "quasi_exact_match")
"""For answers of some words: HELM's ``get_f1_metric_specs``."""
BIAS = (
    *("gender_representation_bias", "race_representation_bias", "gender_profession_bias", "gender_adjective_bias"),
    *("race_profession_bias", "race_adjective_bias"),
)
"""For free texts: HELM's ``get_bias_metric_specs``."""
OPEN_ENDED = ("f1_score", "rouge_l", "bleu_1", "bleu_4", "exact_match", "quasi_exact_match")
"""For answers of a sentence: HELM's ``get_open_ended_generation_metric_specs``."""


def open_question(
    name: str, text: str, golds: Iterable[str], kind: str = "", details: Mapping[str, Any] | None = None
) -> Instance:
    """A question with its right answers, each once.

    Raises:
        Unusable: the question or an answer is empty.
    """
    answers = tuple(dict.fromkeys(golds))
    if not text.strip():
        raise Unusable("its text is empty")
    if not all(answer.strip() for answer in answers):
        raise Unusable("its answer is empty")
    return Instance(name, text, tuple(Reference(answer, True) for answer in answers), kind, details=details or {})


def set_apart(found: list[Instance]) -> Data:
    """Every tenth as an example, and the others to be asked."""
    test = [one for number, one in enumerate(found) if number % EXAMPLE_EVERY]
    return Data(found[::EXAMPLE_EVERY], test)


def n_not_set_apart(rows: Sequence[int]) -> int:
    """How many of a table's rows :func:`set_apart` leaves to be asked."""
    return sum(rows) - len(range(0, sum(rows), EXAMPLE_EVERY))


def passage_question(passage: str, question: str, between: str = "\n") -> str:
    """A passage and a question about it, as HELM's ``PassageQuestionInput``."""
    return f"{passage}{between}Question: {question}"


def with_question_mark(question: str) -> str:
    """The question, ending in a question mark."""
    return question if question.endswith("?") else f"{question}?"
