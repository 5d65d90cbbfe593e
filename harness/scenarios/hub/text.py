"""The scenarios whose answers are written, classified, summarised, translated, ranked or scored as text."""

from __future__ import annotations

from harness.scenarios.base import Scenario
from harness.scenarios.hub.classification import CLASSIFICATION
from harness.scenarios.hub.ifeval import IFEVAL
from harness.scenarios.hub.legalbench import LEGALBENCH
from harness.scenarios.hub.mathematics import MATHEMATICS
from harness.scenarios.hub.msmarco import MSMARCO
from harness.scenarios.hub.natural_questions import NATURAL_QUESTIONS
from harness.scenarios.hub.raft import RAFT
from harness.scenarios.hub.reading_comprehension import READING_COMPREHENSION
from harness.scenarios.hub.running_text import RUNNING_TEXT
from harness.scenarios.hub.summarization import SUMMARIZATION
from harness.scenarios.hub.translation import WMT_14

TEXT_SCENARIOS: tuple[Scenario, ...] = (
    *READING_COMPREHENSION,
    *NATURAL_QUESTIONS,
    MSMARCO,
    *SUMMARIZATION,
    *CLASSIFICATION,
    RAFT,
    LEGALBENCH,
    *MATHEMATICS,
    WMT_14,
    *RUNNING_TEXT,
    IFEVAL,
)
