"""All scenarios of the Hub in which an answer is chosen from several."""

from __future__ import annotations

from harness.scenarios.base import Scenario
from harness.scenarios.hub.arc import ARC
from harness.scenarios.hub.bbq import BBQ
from harness.scenarios.hub.blimp import BLIMP
from harness.scenarios.hub.capabilities import CAPABILITIES
from harness.scenarios.hub.commonsense import COMMONSENSE
from harness.scenarios.hub.exams import EXAMS
from harness.scenarios.hub.mmlu import MMLU
from harness.scenarios.hub.truthful_qa import TRUTHFUL_QA

MULTIPLE_CHOICE_SCENARIOS: tuple[Scenario, ...] = (
    MMLU,
    *COMMONSENSE,
    TRUTHFUL_QA,
    *EXAMS,
    BLIMP,
    BBQ,
    *ARC,
    *CAPABILITIES,
)
