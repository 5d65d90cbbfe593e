"""Two models are compared on what is the same for both; what is not is told, and never compared by chance."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_helm import joint_run, joint_states, stats_of, write_helm
from made_lm_eval import choice_sample, quiz, text_sample, write_lm_eval, written_samples

from harness.errors import UserError
from harness.interop.imports.kinds import kind_of
from harness.results import Run

Import = Callable[..., Run]


@pytest.fixture
def imported(imported: Import) -> Import:
    """A folder of several models needs a reference."""
    return partial(imported, reference="a")


def two(place: Path, second: list[dict[str, Any]], **more: Any) -> Path:
    """A run of lm-eval as it should be, and another."""
    write_lm_eval(place / "a", "a", {"quiz": quiz()})
    write_lm_eval(place / "b", "b", {"quiz": second}, **more)
    return place


def notes_on(run: Run, task: str) -> str:
    return " ".join(note for note in run.notes if note.startswith(task))


def test_questions_of_one_model_only_are_counted(tmp_path: Path, imported: Import) -> None:
    run = imported("lm-eval", two(tmp_path, quiz(36, wrong=2)))
    assert "4 of 40 questions were not asked of every model, and are left out" in notes_on(run, "quiz")
    assert len(run.measured.instances) == 2 * 36


def test_other_data_under_the_same_id_is_counted(tmp_path: Path, imported: Import) -> None:
    other = quiz(wrong=2)
    other[5]["doc_hash"], other[6]["target_hash"] = "x", "y"
    run = imported("lm-eval", two(tmp_path, other))
    assert "2 of 40 questions are other data under the same id, and are left out" in notes_on(run, "quiz")
    assert not set(run.measured.instances["instance_id"]) & {"5", "6"}


def test_other_words_are_counted_and_compared(tmp_path: Path, imported: Import) -> None:
    other = quiz(wrong=2)
    other[5]["arguments"]["gen_args_0"]["arg_0"] = "Another example. Capital?"
    run = imported("lm-eval", two(tmp_path, other))
    assert "1 of 40 questions were put to the models in other words" in notes_on(run, "quiz")
    assert len(run.measured.instances) == 80


def test_a_task_of_one_model_only_is_named(tmp_path: Path, imported: Import) -> None:
    write_lm_eval(tmp_path / "a", "a", {"quiz": quiz(), "text": [text_sample(0, -9.0)]})
    write_lm_eval(tmp_path / "b", "b", {"quiz": quiz(wrong=3)})
    run = imported("lm-eval", tmp_path)
    assert run.record["left_out"] == ["text (language_modeling) is left out, for b did not do it."]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n-shot": {"quiz": 5}}, "the number of examples was 0 for a and 5 for b"),
        ({"versions": {"quiz": 2.0}}, "the version was 1.0 for a and 2.0 for b"),
        ({"configs": {"quiz": {"generation_kwargs": {"until": ["."]}}}}, "generation_kwargs was None for a and {"),
        ({"config": {"gen_kwargs": {"temperature": 1}}}, "--gen_kwargs was None for a and {"),
    ],
)
def test_what_was_asked_otherwise_is_not_compared(
    more: dict[str, Any], said: str, tmp_path: Path, imported: Import
) -> None:
    with pytest.raises(UserError) as error:
        imported("lm-eval", two(tmp_path, quiz(), **more))
    assert said in str(error.value)
    assert str(error.value).endswith("so their answers cannot be compared; ask both in the same way.")


def test_what_helm_asked_otherwise_is_not_compared(tmp_path: Path, imported: Import) -> None:
    joint_run(tmp_path, "local/a", 0, max_eval_instances=10)
    joint_run(tmp_path, "local/b", 2, max_eval_instances=20)
    assert imported("helm", tmp_path).reference == "a"  # other numbers of instances are counted if there are any
    joint_run(tmp_path, "local/c", 2, instructions="Answer with a letter.")
    with pytest.raises(UserError, match=r"adapter_spec.instructions was None for a and 'Answer with a letter.' for c"):
        imported("helm", tmp_path)


def test_a_changed_form_needs_its_original(helm_suite: Path, rewrite: Callable[..., None], imported: Import) -> None:
    folder = next(helm_suite.glob("quiz*q4"))

    def other_question(told: dict[str, Any]) -> dict[str, Any]:
        told["request_states"][0]["instance"]["input"]["text"] = "Another question?"
        return told

    rewrite(folder / "scenario_state.json", other_question)
    notes = notes_on(imported("helm", helm_suite, reference="f16"), "quiz")
    assert "1 of 50 questions are other data under the same id, and are left out" in notes
    assert "1 of 50 questions are changed forms of questions that are left out, and so are these" in notes


def test_two_runs_of_one_model_are_refused(tmp_path: Path, imported: Import) -> None:
    for folder, model in (("x", "a"), ("y", "a"), ("z", "b")):
        write_lm_eval(tmp_path / folder, model, {"quiz": quiz()})
    with pytest.raises(UserError, match=r"quiz \(multiple_choice_separate_original\) of a is there twice \(") as error:
        imported("lm-eval", tmp_path)
    assert str(error.value).endswith("name one of the two only, or both as LABEL=FOLDER if they are two models.")
    run = imported("lm-eval", *(f"{label}={tmp_path / label}" for label in "xy"), reference=None)
    assert [model["label"] for model in run.models] == ["x", "y"]


def test_one_model_is_no_comparison(tmp_path: Path, imported: Import) -> None:
    write_lm_eval(tmp_path, "only", {"quiz": quiz()})
    with pytest.raises(UserError, match="There are results of only only, and a comparison takes two models"):
        imported("lm-eval", tmp_path)


def test_nothing_in_common_is_no_comparison(tmp_path: Path, imported: Import) -> None:
    write_lm_eval(tmp_path / "a", "a", {"quiz": quiz()})
    write_lm_eval(tmp_path / "b", "b", {"text": [text_sample(0, -9.0)]})
    with pytest.raises(UserError, match="The models have no question in common"):
        imported("lm-eval", tmp_path)


def test_the_reference_is_the_first_folders_model_or_the_named_one(tmp_path: Path, imported: Import) -> None:
    two(tmp_path, quiz(wrong=3))
    folders = [tmp_path / "b", tmp_path / "a"]
    assert [model["label"] for model in imported("lm-eval", *folders, reference=None).models] == ["b", "a"]
    run = imported("lm-eval", tmp_path, reference="b")
    assert (run.reference, [model["label"] for model in run.models]) == ("b", ["b", "a"])
    with pytest.raises(UserError, match=r"--reference: 'c' is no model of these results"):
        imported("lm-eval", tmp_path, reference="c")


def test_a_folder_of_several_models_says_not_which_is_the_reference(tmp_path: Path, imported: Import) -> None:
    with pytest.raises(UserError, match=r"The first folder has results of 2 models \(a, b\); say with --reference"):
        imported("lm-eval", two(tmp_path, quiz()), reference=None)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("f16-3668c3d8", "f16-3668c3d8"),
        ("f16", "f16-3668c3d8"),
        ("f16-i", "f16-imatrix-01234567"),
        ("quant/q4", "q4"),
        ("q", "q4"),
    ],
)
def test_a_reference_may_be_a_names_beginning(reference: str, found: str, tmp_path: Path, imported: Import) -> None:
    for number, model in enumerate(("f16-3668c3d8", "quant/f16-imatrix-01234567", "quant/q4")):
        write_lm_eval(tmp_path / str(number), model, {"quiz": quiz(wrong=number)})
    assert imported("lm-eval", tmp_path, reference=reference).reference == found
    with pytest.raises(UserError, match="'f' may be any of f16-3668c3d8, f16-imatrix-01234567; name one of these in"):
        imported("lm-eval", tmp_path, reference="f")


def test_two_folders_of_one_label_are_refused(tmp_path: Path, imported: Import) -> None:
    two(tmp_path, quiz())
    with pytest.raises(UserError, match="Two folders are called 'x'; give each model a label of its own"):
        imported("lm-eval", f"x={tmp_path / 'a'}", f"x={tmp_path / 'b'}")


def test_names_that_end_alike_are_told_whole(tmp_path: Path, imported: Import) -> None:
    write_lm_eval(tmp_path / "a", "one/m", {"quiz": quiz()})
    write_lm_eval(tmp_path / "b", "two/m", {"quiz": quiz(wrong=1)})
    assert [model["label"] for model in imported("lm-eval", tmp_path, reference="one/m").models] == ["one/m", "two/m"]


def test_a_label_stands_for_one_model(tmp_path: Path, imported: Import) -> None:
    with pytest.raises(UserError, match=r"the folder has 2 models \(a, b\); label folders of one each"):
        imported("lm-eval", f"x={two(tmp_path, quiz())}")


def test_scores_of_choices_count_only_where_all_models_have_them(tmp_path: Path, imported: Import) -> None:
    other = quiz(wrong=2)
    other[3]["filtered_resps"][1] = ["unknown", "False"]
    run = imported("lm-eval", two(tmp_path, other))
    lengths = run.measured.instances.set_index(["model", "instance_id"])["choice_logprobs"].map(len)
    assert lengths["a", "3"] == lengths["b", "3"] == 0
    assert (lengths.drop("3", level="instance_id") == 3).all()
    assert run.findings.degradation.set_index(["model", "metric"])["n"]["b", "choice_brier"] == 39


def test_one_model_under_two_names_is_suspected(tmp_path: Path, imported: Import) -> None:
    same = "quiz (multiple_choice_separate_original): all 40 log-probabilities of b are a's to the last digit"
    assert same in " ".join(imported("lm-eval", two(tmp_path / "same", quiz())).notes)
    assert same not in " ".join(imported("lm-eval", two(tmp_path / "other", quiz(wrong=1))).notes)


def test_the_suspicion_names_the_task(tmp_path: Path, imported: Import) -> None:
    for model, wrong in (("a", 0), ("b", 2)):
        write_lm_eval(tmp_path / model, model, {"quiz": quiz(), "other": quiz(wrong=wrong)})
    (said,) = (note for note in imported("lm-eval", tmp_path).notes if "to the last digit" in note)
    assert said.startswith("quiz (multiple_choice_separate_original): all 40 log-probabilities of b")


def of_unknown_kind(place: Path, *names: str) -> Path:
    """Runs of HELM that judged by other names."""
    for model in ("local/a", "local/b"):
        asked = []
        for number in range(6):
            states = joint_states(number, "A")
            asked.append((states, stats_of(states, **dict.fromkeys(names, number / 5))))
        write_helm(place, "quiz", model, "multiple_choice_joint", asked)
    return place


def test_a_metric_of_unknown_direction_is_left_out_unless_it_is_named(tmp_path: Path, imported: Import) -> None:
    folder = of_unknown_kind(tmp_path, "odd_score", "exact_match")
    run = imported("helm", folder)
    assert set(run.measured.scores["metric"]) == {"exact_match"}
    assert "of odd_score it is not known whether more is better, and it is left out" in notes_on(run, "quiz")
    named = imported("helm", folder, metrics=("odd_score",))
    assert set(named.main_metrics.values()) == {"odd_score"}
    assert "more of odd_score is taken to be better, which nobody says" in notes_on(named, "quiz")


def test_a_task_without_a_metric_of_known_direction_is_left_out(tmp_path: Path, imported: Import) -> None:
    of_unknown_kind(tmp_path, "odd_score")
    with pytest.raises(UserError, match=r"quiz \(multiple_choice_joint\) is left out, .* with --metric: odd_score"):
        imported("helm", tmp_path)
    joint_run(tmp_path, "local/a", 0)
    joint_run(tmp_path, "local/b", 1)
    (said,) = imported("helm", tmp_path).record["left_out"]
    assert "name one with --metric: odd_score" in said


def test_a_document_that_is_there_twice_is_refused(tmp_path: Path, imported: Import) -> None:
    twice = [*quiz(3), choice_sample(2, (-1.0, -2.0, -3.0))]
    with pytest.raises(UserError, match="document 2 is there twice"):
        imported("lm-eval", two(tmp_path, twice))


def test_answers_in_words_are_no_suspicion(tmp_path: Path, imported: Import) -> None:
    for model in "ab":
        samples = [one for i in range(9) for one in written_samples(i, "oil")]
        write_lm_eval(tmp_path / model, model, {"facts": samples})
    run = imported("lm-eval", tmp_path)
    assert not any("last digit" in note for note in run.notes)
    assert json.dumps(run.record)


@pytest.mark.parametrize(
    ("name", "values", "told", "kind"),
    [
        ("exact_match", [0, 0.5, 1], None, (True, True, True)),
        ("exact_match,strict-match", [0, 1], True, (True, True, True)),
        ("exact_match@5", [1, 1], None, (True, True, True)),
        ("exact_match", [0, 100], None, (False, True, False)),
        ("bits_per_byte", [0.4, 0.6], None, (False, False, False)),
        ("toxic_frac", [0, 1], None, (False, False, True)),
        ("absolute_value_difference", [0, 1], None, (False, False, False)),
        ("edit_distance", [4, 9], None, (False, True, False)),
        ("longest_common_prefix_length", [4, 9], None, (False, False, False)),
        ("wer_score", [0.1, 1.5], None, (False, False, False)),
        ("RR@10", [0, 0.5], None, (False, True, True)),
        ("f1", [0, 1], None, (False, True, True)),
        ("num_output_tokens", [1, 1], None, (False, True, False)),
        ("something new", [0, 1, np.nan], None, (True, True, True)),
        ("something new", [0, 0.3], None, (False, True, True)),
        ("something new", [-4, 7], False, (False, False, False)),
    ],
)
def test_kinds_of_metrics(name: str, values: list[float], told: bool | None, kind: tuple[bool, bool, bool]) -> None:
    found = kind_of(name, values, told)
    assert (found.is_binary, found.higher_is_better, found.is_share) == kind


@given(st.text(), st.lists(st.floats(allow_infinity=False)), st.none() | st.booleans())
def test_right_or_wrong_is_a_share_and_no_share_leaves_0_to_1(
    name: str, values: list[float], told: bool | None
) -> None:
    found = kind_of(name, values, told)
    assert found.is_share or not found.is_binary
    assert not found.is_share or all(not (value < 0 or value > 1) for value in values)
