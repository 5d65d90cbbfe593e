from __future__ import annotations

import pandas as pd
import pytest

from harness.degradation.chance import AtChance, chance_notes, tasks_at_chance

RATES = {"quiz": 0.25, "coin": 0.5, "open": 0.0, "text": 0.0}


def instances(
    right: int | None, n: int, scenario: str = "quiz", model: str = "ref", perturbation: str = "", trial: int = 0
) -> pd.DataFrame:
    """Answers of one model to one task, the first ``right`` of them right; None for no right and wrong."""
    correct = [None if right is None else i < right for i in range(n)]
    return pd.DataFrame(
        {
            "model": model,
            "scenario": scenario,
            "adapter": "joint",
            "trial": trial,
            "instance_id": [f"{scenario}-{i}" for i in range(n)],
            "perturbation": perturbation,
            "value": [0.7 if one is None else float(one) for one in correct],
            "correct": pd.array(correct, "boolean"),
        }
    )


def notes(answers: pd.DataFrame, reference: str, rates: dict[str, float]) -> list[str]:
    """What a reader is told."""
    tasks = list(answers[["scenario", "adapter"]].drop_duplicates().itertuples(index=False, name=None))
    return chance_notes(tasks_at_chance(answers, reference, rates), tasks)


@pytest.mark.parametrize(("right", "n"), [(25, 100), (32, 100), (18, 100), (5, 100), (1, 4)])
def test_a_reference_that_guesses_is_named(right: int, n: int) -> None:
    assert tasks_at_chance(instances(right, n), "ref", RATES) == [AtChance("quiz", "joint", right / n, 0.25)]
    assert notes(instances(right, n), "ref", RATES) == [
        "The reference is not shown to do better than guessing, so this task says nothing about quantization, has no "
        f"verdict and is not counted in the whole: quiz ({right / n:.3f} against 0.250)."
    ]


@pytest.mark.parametrize(("right", "n"), [(40, 100), (100, 100), (4, 4)])
def test_a_reference_that_knows_is_not(right: int, n: int) -> None:
    assert tasks_at_chance(instances(right, n), "ref", RATES) == []


@pytest.mark.parametrize(
    ("scenario", "right", "named"), [("coin", 55, True), ("coin", 65, False), ("open", 0, True), ("open", 1, False)]
)
def test_chance_depends_on_the_scenario(scenario: str, right: int, named: bool) -> None:
    assert bool(tasks_at_chance(instances(right, 100, scenario), "ref", RATES)) == named


def test_only_the_reference_and_only_right_or_wrong_count() -> None:
    parts = [
        instances(90, 100),
        instances(25, 100, model="q2_k"),
        instances(None, 100, "text"),
        instances(50, 100, "coin"),
    ]
    (said,) = notes(pd.concat(parts), "ref", RATES)
    assert said.endswith(": coin (0.500 against 0.500).")


def test_several_tasks_are_named_in_one_sentence_and_adapters_where_they_tell_them_apart() -> None:
    other = instances(20, 100).assign(adapter="separate")
    (said,) = notes(pd.concat([instances(25, 100), other, instances(40, 100, "coin")]), "ref", RATES)
    assert said == (
        "The reference is not shown to do better than guessing, so these tasks say nothing about quantization, "
        "have no verdict and are not counted in the whole: "
        "quiz (joint) (0.250 against 0.250), quiz (separate) (0.200 against 0.250), coin (0.400 against 0.500)."
    )


def test_perturbed_questions_do_not_count() -> None:
    parts = [instances(90, 100), instances(0, 100, perturbation="lowercase")]
    assert tasks_at_chance(pd.concat(parts), "ref", RATES) == []


def test_a_share_of_the_credit_counts_as_a_share() -> None:
    # 40 ties between two of four choices, one of them right: as good as 20 right answers, and better than none.
    ties = instances(20, 100)
    ties.loc[20:59, "value"] = 0.5
    assert tasks_at_chance(ties, "ref", RATES) == []
    ties.loc[20:59, "value"] = 0.1
    (said,) = notes(ties, "ref", RATES)
    assert "(0.240 against 0.250)" in said


def test_trials_are_averaged_and_do_not_make_more_instances() -> None:
    # 32 of 100 is not enough to be sure, 128 of 400 would be.
    trials = pd.concat([instances(32 + change, 100, trial=i) for i, change in enumerate([-4, 4, -2, 2])])
    (said,) = notes(trials, "ref", RATES)
    assert "(0.320 against 0.250)" in said
    assert tasks_at_chance(instances(128, 400), "ref", RATES) == []
