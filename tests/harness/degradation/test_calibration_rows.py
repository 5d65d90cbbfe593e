from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.degradation.calibration_rows import BRIER, ECE, LOG_LOSS, calibration_rows

NAMES = [BRIER, LOG_LOSS, ECE]


def answers(
    model: str, sure: list[float], right: list[bool], *, trial: int = 0, perturbation: str = ""
) -> pd.DataFrame:
    """Instances with two choices, of which the first was taken with these probabilities."""
    return pd.DataFrame(
        [
            {
                "model": model,
                "scenario": "mmlu",
                "adapter": "multiple_choice_separate_original",
                "trial": trial,
                "instance_id": f"i{number:03}",
                "perturbation": perturbation,
                "group": "",
                "correct": is_right,
                "value": float(is_right),
                "answer": "yes",
                "logprob": math.log(probability),
                "choices": ["yes", "no"],
                "choice_logprobs": [math.log(probability), math.log(1 - probability)],
            }
            for number, (probability, is_right) in enumerate(zip(sure, right, strict=True))
        ]
    ).astype({"correct": "boolean"})


RIGHT = [True, True, True, False] * 10
REFERENCE = answers("f16", [0.9, 0.8, 0.7, 0.6] * 10, RIGHT)
WORSE = answers("q2_k", [0.6, 0.6, 0.6, 0.9] * 10, RIGHT)


def rows(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(calibration_rows(pd.concat(parts, ignore_index=True), "f16", seed=1))


def test_a_model_has_three_rows_and_the_reference_no_comparison() -> None:
    found = rows(REFERENCE, WORSE)
    assert found["metric"].tolist() == NAMES * 2
    assert found["n"].tolist() == [40] * 6
    assert found.loc[found["model"] == "f16", "delta"].isna().all()


def test_figures_by_hand() -> None:
    found = rows(REFERENCE, WORSE).set_index(["model", "metric"])
    brier = found.loc[("q2_k", BRIER)]
    assert brier["reference_value"] == pytest.approx((0.01 + 0.04 + 0.09 + 0.36) / 4)
    assert brier["value"] == pytest.approx((3 * 0.16 + 0.81) / 4)
    assert brier["delta"] == pytest.approx(brier["value"] - brier["reference_value"])
    assert brier["ci_low"] > 0
    assert brier["p_value"] < 0.01
    loss = found.loc[("q2_k", LOG_LOSS)]
    assert loss["value"] == pytest.approx(-(3 * math.log(0.6) + math.log(0.1)) / 4)
    error = found.loc[("q2_k", ECE)]
    assert math.isnan(error["p_value"])
    assert error["delta"] == pytest.approx(error["value"] - error["reference_value"])


def test_order_of_rows_does_not_matter() -> None:
    shuffled = rows(REFERENCE.sample(frac=1, random_state=3), WORSE.sample(frac=1, random_state=4))
    pd.testing.assert_frame_equal(shuffled, rows(REFERENCE, WORSE))


def test_perturbed_questions_other_trials_and_answers_without_choices_are_left_out() -> None:
    others = [
        answers("f16", [0.5] * 4, [True] * 4, trial=1),
        answers("f16", [0.5] * 4, [True] * 4, perturbation="typos"),
        answers("f16", [0.5] * 4, [True] * 4).assign(choice_logprobs=[[]] * 4, scenario="world_facts"),
    ]
    pd.testing.assert_frame_equal(rows(REFERENCE, WORSE, *others), rows(REFERENCE, WORSE))


def test_questions_on_one_subject_are_not_taken_for_many() -> None:
    subjects = [f"s{number % 13}" for number in range(40)]
    found = rows(*(part.assign(group=subjects) for part in (REFERENCE, WORSE))).set_index(["model", "metric"])
    assert found.loc["q2_k", "interval"].tolist() == ["cluster bootstrap", "cluster bootstrap", "cluster percentile"]
    assert found.loc["q2_k", "n_groups"].tolist() == [13] * 3
    assert found.loc["f16", "n_groups"].isna().all()


def test_nothing_to_compare_gives_no_rows() -> None:
    assert rows(REFERENCE.iloc[:0]).empty
