"""The ways in which HELM and lm-eval ask multiple-choice questions; what each way is judged by."""

from __future__ import annotations

from harness.layout import QUESTION, Layout
from harness.scenarios.base import AdapterSpec

CALIBRATION_METRICS = ("ece_10_bin", "ece_1_bin", "selective_acc@10", "selective_cov_acc_area", "brier")
"""HELM's, and Brier's: whether a model is right as often as it is sure."""
JOINT_METRICS = ("exact_match", *CALIBRATION_METRICS)
"""HELM's accuracy and calibration of answers that are generated."""
QUASI_JOINT_METRICS = ("quasi_exact_match", *JOINT_METRICS)
"""Where HELM's main metric is the quasi-exact match; of a letter it says the same."""

BARE = Layout(input_prefix="", input_suffix="", output_prefix=" ", output_suffix="")
"""The input and the choice with a space between: HELM's ``get_multiple_choice_separate_adapter_spec``."""
EMPTY = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="")
"""Nothing but what the instance says."""

SEPARATE = AdapterSpec(method="multiple_choice_separate_original", layout=BARE, n_shots=0, max_tokens=0)
CALIBRATED = AdapterSpec(method="multiple_choice_separate_calibrated", layout=BARE, n_shots=0, max_tokens=0)
QUESTION_ANSWER = AdapterSpec(method="multiple_choice_separate_original", layout=QUESTION, n_shots=0, max_tokens=0)
"""lm-eval's ``Question: ...`` and ``Answer:``, each choice scored after it."""


def joint_layout(instructions: str = "", noun: str = "Question") -> Layout:
    """HELM's lettered choices under ``Question: ...`` or ``Passage: ...``; instructions stand once above."""
    return Layout(instructions=f"{instructions}\n" if instructions else "", input_prefix=f"{noun}: ")


def joint(layout: Layout) -> AdapterSpec:
    """Five examples and one token of answer, as HELM's ``get_multiple_choice_adapter_spec`` has it."""
    return AdapterSpec(method="multiple_choice_joint", layout=layout, n_shots=5, max_tokens=1)


def about(subject: str) -> str:
    """HELM's instructions for questions about a subject."""
    return f"The following are multiple choice questions (with answers) about {subject}."


ANY_SUBJECT = "The following are multiple choice questions (with answers)."
"""HELM's instructions where questions are about anything."""
