from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import harness
from harness.errors import UserError
from harness.evidence.changes import changes
from harness.evidence.compare import compare_runs
from harness.keys import ANSWER
from harness.results import Run


@pytest.fixture(scope="module")
def run(real_run: Path) -> Run:
    return harness.load_run(real_run)


GUESSED = "world_choice (multiple_choice_joint) gets no verdict, because the reference itself guesses there."


def with_answers(run: Run, model: str, scenario: str, value: float) -> Run:
    """The same, but that all these answers have one value."""
    measured = run.measured
    scores = measured.scores.copy()
    mask = (scores["model"] == model) & (scores["scenario"] == scenario) & (scores["metric"] == "exact_match")
    scores.loc[mask, "value"] = value
    scores.loc[mask, "correct"] = value == 1
    return replace(run, measured=measured._replace(scores=scores))


def keeping(run: Run, mask: pd.Series) -> Run:
    """Only these rows of ``instances``, and their scores."""
    kept = run.measured.instances[mask]
    scores = run.measured.scores.merge(kept[ANSWER], on=ANSWER)
    return replace(run, measured=run.measured._replace(instances=kept, scores=scores))


def recorded(run: Run, **values: Any) -> Run:
    return replace(run, record=run.record | values)


def mains(run: Run, other: Run) -> pd.DataFrame:
    found = compare_runs(run, other, margin=0.01).table
    return found[found["metric"].isin(["exact_match", "accuracy"]) & (found["perturbation"] == "")]


def test_a_run_is_like_itself(run: Run) -> None:
    found = compare_runs(run, run, margin=0.01)
    assert found.notes == [GUESSED]
    assert set(found.table["model"]) == {"f16", "q8_0", "q2_k"}
    assert (found.table["delta"] == 0).all()
    rows = mains(run, run)
    assert (rows["flips_to_wrong"] + rows["flips_to_right"] + rows["answer_changes"] == 0).all()


def test_what_got_worse_is_found_in_its_direction(run: Run) -> None:
    worse = with_answers(run, "q8_0", "world_facts", 0.0)
    for before, after, sign in ((run, worse, -1), (worse, run, 1)):
        rows = mains(before, after).set_index(["model", "scenario", "adapter"])
        row = rows.loc[("q8_0", "world_facts", "generation")]
        assert row["delta"] * sign > 0.9
        assert row["verdict"] == ("degraded beyond margin" if sign < 0 else "non-inferior")
        assert rows.loc[("f16", "world_facts", "generation")]["delta"] == 0


def test_questions_of_one_run_are_counted(run: Run) -> None:
    instances = run.measured.instances
    few = keeping(
        run, (instances["scenario"] != "world_facts") | instances["instance_id"].isin(instances["instance_id"][:5])
    )
    n = instances[instances["scenario"] == "world_facts"]["instance_id"].nunique()
    assert compare_runs(run, few, margin=0.01).notes == [
        f"world_facts: {n - 5} questions are only in the first run and are left out.",
        GUESSED,
    ]
    notes = compare_runs(few, run, margin=0.01).notes
    assert notes == [f"world_facts: {n - 5} questions are only in the second run and are left out.", GUESSED]
    facts = mains(run, few)
    assert (facts.loc[facts["scenario"] == "world_facts", "n"] == 5).all()


def test_another_question_under_the_same_id_is_left_out(run: Run) -> None:
    instances = run.measured.instances.copy()
    for number in instances.index[(instances["scenario"] == "world_facts") & (instances["model"] == "f16")][:2]:
        instances.at[number, "golds"] = ["somebody else"]
    other = replace(run, measured=run.measured._replace(instances=instances))
    found = compare_runs(run, other, margin=0.01)
    assert found.notes == [
        "world_facts: 2 questions have another right answer under the same id and are left out.",
        GUESSED,
    ]


def test_other_words_are_told(run: Run) -> None:
    instances = run.measured.instances
    is_facts = instances["scenario"] == "world_facts"
    changed = instances.assign(prompt=instances["prompt"].mask(is_facts, "Tell me."))
    other = replace(run, measured=run.measured._replace(instances=changed))
    (note, _) = compare_runs(run, other, margin=0.01).notes
    assert note.endswith("questions are put in other words, or after other examples.")


def without_metric(run: Run, scenario: str, adapter: str) -> Run:
    """The same, but that this task was judged by nothing."""
    scores = run.measured.scores
    kept = (scores["scenario"] != scenario) | (scores["adapter"] != adapter)
    return replace(run, measured=run.measured._replace(scores=scores[kept]))


def test_a_metric_of_one_run_is_left_out_for_that_task_alone(run: Run) -> None:
    fewer = without_metric(run, "world_choice", "multiple_choice_joint")
    for before, after, which in ((run, fewer, "first"), (fewer, run, "second")):
        found = compare_runs(before, after, margin=0.01)
        assert found.notes == [
            f"world_choice (multiple_choice_joint): exact_match is only in the {which} run and is left out.",
            GUESSED,
        ]
        tasks = mains(before, after)[["scenario", "adapter"]].drop_duplicates().agg(tuple, axis=1).tolist()
        assert tasks == [
            ("world_facts", "generation"),
            ("world_choice", "multiple_choice_separate_original"),
            ("all", ""),
        ]


def test_another_main_metric_is_told(run: Run) -> None:
    tasks = [
        task | {"metrics": ["f1_score", *task["metrics"]]} if task["scenario"] == "world_facts" else task
        for task in run.record["tasks"]
    ]
    found = compare_runs(run, recorded(run, tasks=tasks), margin=0.01)
    assert found.notes == [
        "world_facts (generation) has another main metric (exact_match and f1_score), so it gets no verdict.",
        GUESSED,
    ]
    of_facts = found.table[found.table["scenario"] == "world_facts"]
    assert (of_facts["verdict"] == "").all()


def test_a_task_at_which_a_reference_guesses_has_no_verdict_and_no_part_in_the_whole(run: Run) -> None:
    rows = mains(run, run).set_index(["model", "scenario", "adapter"])
    joint, whole = rows.loc[("q8_0", "world_choice", "multiple_choice_joint")], rows.loc[("q8_0", "all", "")]
    assert (joint["verdict"], joint["n"], whole["n"]) == ("", 40, 80)


def test_runs_with_nothing_in_common(run: Run) -> None:
    none = keeping(run, run.measured.instances["scenario"] == "")
    for before, after in ((run, none), (none, run), (none, none)):
        with pytest.raises(UserError, match="asked no questions"):
            compare_runs(before, after, margin=0.01)
    facts, text = (keeping(run, run.measured.instances["scenario"] == name) for name in ("world_facts", "world_text"))
    with pytest.raises(UserError, match="have no question in common"):
        compare_runs(facts, text, margin=0.01)
    unlike = replace(run, measured=run.measured._replace(scores=run.measured.scores.assign(metric="f1_score")))
    with pytest.raises(UserError, match="judge no question by the same metric"):
        compare_runs(run, unlike, margin=0.01)
    renamed = recorded(run, models=[model | {"label": f"x{model['label']}"} for model in run.models])
    with pytest.raises(UserError, match="have no model in common"):
        compare_runs(run, renamed, margin=0.01)


def test_whatever_else_differs_is_told(run: Run) -> None:
    first, second, third = run.models
    other = recorded(
        run,
        seed=7,
        models=[first | {"sha256": "0" * 64}, second | {"serve": {"batch_size": 1}}, third | {"label": "q3"}],
        versions=run.record["versions"] | {"scipy": "0"},
        tasks=[
            task | {"data": ["other"]} if task["scenario"] == "world_text" else task for task in run.record["tasks"]
        ],
    )
    assert changes(run, other) == [
        f"f16 is another file (SHA-256 {first['sha256'][:12]} and 000000000000).",
        "q8_0 is the same file and was served with other settings.",
        "q2_k is only in the first run.",
        "q3 is only in the second run.",
        "The seeds differ (0 and 7), so other instances and examples were drawn.",
        f"Another version of scipy ({run.record['versions']['scipy']} and 0).",
        "world_text was made from other data.",
    ]


def test_of_a_model_without_a_file_it_is_not_known_whether_it_is_the_same(run: Run) -> None:
    nameless = recorded(run, models=[run.models[0] | {"sha256": None}, *run.models[1:]])
    for pair in ((run, nameless), (nameless, run), (nameless, nameless)):
        assert changes(*pair) == ["Whether f16 is the same file in both runs is not known."]


def test_other_settings_are_told(run: Run) -> None:
    spec = run.record["spec"] | {
        "null": True,
        "chat": True,
        "divergence": False,
        "efficiency": True,
        "max_instances": None,
        "trials": 3,
        "perturbations": ["lowercase", "typos"],
        "divergence_windows": None,
        "concurrency": 1,
    }
    told = changes(run, recorded(run, spec=spec, margin=0.025))
    assert told[:5] == [
        "Another --margin (1 pp and 2.5 pp).",
        "--null was given in the second run only.",
        "--chat was given in the second run only.",
        "--no-divergence was given in the second run only.",
        "--no-efficiency was given in the first run only.",
    ]
    of_run = run.record["spec"]
    assert told[5:] == [
        f"Another --max-instances ({of_run['max_instances']} and all).",
        "Another --trials (1 and 3).",
        "Another --perturbations (none and lowercase, typos).",
        f"Another --divergence-windows ({of_run['divergence_windows']} and all).",
        f"Another --concurrency ({of_run['concurrency']} and 1).",
    ]
    assert changes(run, recorded(run, spec={})) == []  # what one record does not say is not known to differ


def test_other_references_are_told(run: Run) -> None:
    assert changes(run, recorded(run, reference="q8_0")) == ["The runs have other references (f16 and q8_0)."]
