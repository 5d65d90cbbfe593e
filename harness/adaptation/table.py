"""All adapters by HELM's names. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

from harness.adaptation.base import Adapter
from harness.adaptation.generation import Generation
from harness.adaptation.language_modeling import LanguageModeling
from harness.adaptation.multiple_choice_joint import MultipleChoiceJoint
from harness.adaptation.multiple_choice_separate import MultipleChoiceSeparateOriginal

ADAPTERS: dict[str, Adapter] = {
    "generation": Generation(),
    "multiple_choice_joint": MultipleChoiceJoint(),
    "multiple_choice_separate_original": MultipleChoiceSeparateOriginal(),
    "language_modeling": LanguageModeling(),
}
