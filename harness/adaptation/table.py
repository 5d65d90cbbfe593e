"""All adapters by HELM's names, and by names of our own. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

from harness.adaptation.base import Adapter
from harness.adaptation.chat import Chat
from harness.adaptation.continuation import Continuation
from harness.adaptation.generation import Generation
from harness.adaptation.language_modeling import LanguageModeling, LanguageModelingChunks
from harness.adaptation.multiple_choice_joint import MultipleChoiceJoint, MultipleChoiceJointChainOfThought
from harness.adaptation.multiple_choice_partial import MultipleChoiceSeparatePartial
from harness.adaptation.multiple_choice_separate import (
    MultipleChoiceSeparateCalibrated,
    MultipleChoiceSeparateOriginal,
)
from harness.adaptation.ranking_binary import RankingBinary

ADAPTERS: dict[str, Adapter] = {
    "generation": Generation(),
    "multiple_choice_joint": MultipleChoiceJoint(),
    "multiple_choice_joint_chain_of_thought": MultipleChoiceJointChainOfThought(),
    "multiple_choice_separate_original": MultipleChoiceSeparateOriginal(),
    "multiple_choice_separate_calibrated": MultipleChoiceSeparateCalibrated(),
    "multiple_choice_separate_partial": MultipleChoiceSeparatePartial(),
    "continuation": Continuation(),
    "ranking_binary": RankingBinary(),
    "language_modeling": LanguageModeling(),
    "language_modeling_chunks": LanguageModelingChunks(),
}

CHAT_ADAPTERS: dict[str, Adapter] = {
    name: Chat(adapter) for name, adapter in ADAPTERS.items() if not isinstance(adapter, LanguageModeling)
}
"""Those through the chat template. Running text has no such form, and is asked as it is in every run."""
