"""Tasks for lm-eval: every prompt is ours, every method is asked or said to be left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.adaptation.window import ByteWindow
from harness.data.store import open_store
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.interop.lm_eval.folder import write_tasks
from harness.interop.lm_eval.forms import FORMS, NOT_ASKED, whole_prompts
from harness.interop.lm_eval.tasks import LeftOut, LmEvalTask, lm_eval_tasks
from harness.layout import Layout
from harness.methods import METHODS
from harness.perturbations.table import find_perturbations
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.types import Instance, Reference

BARE = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="", instance_prefix="")


def quiz(*questions: Instance, metrics: Sequence[str] = ("exact_match",), **spec: Any) -> Scenario:
    """A scenario of these questions, and of an example with two choices."""
    example = Instance("t", "Two and two?", (Reference("four", True), Reference("five", False)))
    return Scenario(
        name="quiz",
        description="for a test",
        adapters=(AdapterSpec(**{"method": "generation", "n_shots": 1} | spec),),
        metrics=tuple(metrics),
        load=lambda _store: Data([example], list(questions)),
        made_from="1",
    )


def question(text: str, *choices: str, name: str = "q-0") -> Instance:
    """Right choices are marked by a star."""
    return Instance(name, text, tuple(Reference(one.removeprefix("*"), one.startswith("*")) for one in choices))


COLOUR = question("What colour is grass?", "*green", "red", name="q-1")


def task_of(scenario: Scenario, **asking: Any) -> Task:
    (task,) = plan_tasks(scenario, open_store(None), Asking(**{"max_instances": None, "seed": 0} | asking))
    return task


def exported(scenario: Scenario, **asking: Any) -> LmEvalTask:
    (made,) = lm_eval_tasks(task_of(scenario, **asking))
    assert isinstance(made, LmEvalTask)
    return made


def test_every_method_is_asked_or_left_out_for_a_reason() -> None:
    assert FORMS.keys() | NOT_ASKED.keys() == METHODS.keys()
    assert not FORMS.keys() & NOT_ASKED.keys()


@pytest.mark.parametrize("method", sorted(NOT_ASKED))
def test_what_lm_eval_cannot_ask_is_left_out_by_name(method: str) -> None:
    made = lm_eval_tasks(task_of(quiz(COLOUR, method=method)))
    assert made == [LeftOut("quiz", NOT_ASKED[method])]


def test_choices_are_as_long_as_ours_and_the_space_is_between() -> None:
    made = exported(quiz(COLOUR, method="multiple_choice_separate_original", normalization="character"))
    context = "Question: Two and two?\nAnswer: four\n\nQuestion: What colour is grass?\nAnswer:"
    (row,) = made.rows
    assert (row["context"], row["choices"], row["gold"]) == (context, ["green", "red"], 0)
    assert (made.config["target_delimiter"], made.config["num_fewshot"]) == (" ", 0)


def test_without_a_context_the_whole_text_is_a_choice() -> None:
    sentences = question("", "*Grass is green.", "Gräss is red.")
    made = exported(quiz(sentences, method="multiple_choice_separate_original", n_shots=0, layout=BARE))
    assert (made.rows[0]["context"], made.rows[0]["choices"]) == ("", ["Grass is green.", "Gräss is red."])
    assert made.config["target_delimiter"] == ""


def test_slices_with_other_spaces_have_them_in_their_choices() -> None:
    other = Instance("q-2", "What is red?", (Reference("blood", True), Reference("grass", False)), "tight")
    layouts = {"tight": Layout(output_prefix="Answer:")}
    made = exported(quiz(COLOUR, other, method="multiple_choice_separate_original", layouts=layouts))
    assert made.config["target_delimiter"] == ""
    assert [row["choices"][0] for row in made.rows] == [" green", "blood"]


def test_several_right_choices_make_a_list_of_all() -> None:
    both = question("Which is a colour?", "*red", "*green", "seven")
    made = exported(quiz(COLOUR, both, method="multiple_choice_separate_original"))
    assert [row["gold"] for row in made.rows] == [[0], [0, 1]]


def test_a_choice_in_the_context_has_one_right_one() -> None:
    fills = {"method": "multiple_choice_separate_partial", "layout": BARE, "n_shots": 0}
    made = exported(quiz(question("All of _ is green.", "*grass", "blood"), **fills))
    (row,) = made.rows
    assert (row["contexts"], row["continuation"]) == (["All of grass", "All of blood"], " is green.")
    assert (row["gold"], made.config["doc_to_text"]) == (0, "gold")
    (left_out,) = lm_eval_tasks(task_of(quiz(question("All of _ is green.", "*grass", "*moss"), **fills)))
    assert isinstance(left_out, LeftOut)
    assert "one right choice" in left_out.why


def test_joint_questions_are_answered_by_letters() -> None:
    made = exported(quiz(COLOUR, method="multiple_choice_joint", stop=("\n", "Q"), max_tokens=3))
    (row,) = made.rows
    assert row["context"].endswith("What colour is grass?\nA. green\nB. red\nAnswer:")
    assert row["gold"] == "A"
    asked = made.config["generation_kwargs"]
    assert asked == {"until": ["\n", "Q"], "max_gen_toks": 3, "do_sample": False, "temperature": 0.0}


def test_what_has_no_answer_is_asked_and_not_judged() -> None:
    made = exported(quiz(question("Write a poem."), metrics=("num_output_tokens",), n_shots=0))
    assert [metric["metric"] for metric in made.config["metric_list"]] == ["bypass"]
    assert (made.theirs, made.rows[0]["gold"]) == ("", [])


def test_running_text_is_scored_whole_and_a_continuation_after_its_context() -> None:
    text = exported(quiz(question("Some text.\n"), metrics=("bits_per_byte",), method="language_modeling"))
    assert (text.rows[0]["text"], text.config["output_type"]) == ("Some text.\n", "loglikelihood_rolling")
    after = exported(quiz(question("Grass is", "*green"), method="continuation", n_shots=0, layout=BARE))
    assert (after.rows[0]["context"], after.rows[0]["continuation"]) == ("Grass is", "green")


@pytest.mark.parametrize(
    ("method", "normalization", "ours", "theirs"),
    [
        ("multiple_choice_separate_original", "token", "exact_match", ""),
        ("multiple_choice_separate_original", "none", "exact_match", "acc"),
        ("multiple_choice_separate_original", "character", "exact_match", "acc_norm"),
        ("multiple_choice_separate_original", "token", "acc_norm", "acc_norm"),
        ("multiple_choice_joint", "token", "exact_match", "exact_match"),
        ("multiple_choice_joint", "token", "quasi_exact_match", ""),
        ("multiple_choice_joint_chain_of_thought", "token", "exact_match", ""),
        ("generation", "token", "f1_score", ""),
        ("continuation", "token", "greedy_match", "acc"),
        ("language_modeling", "token", "bits_per_byte", "bits_per_byte"),
    ],
)
def test_which_metric_of_lm_evals_is_ours(method: str, normalization: str, ours: str, theirs: str) -> None:
    made = exported(quiz(COLOUR, metrics=(ours,), method=method, normalization=normalization))
    assert (made.ours, made.theirs) == (ours, theirs)


@pytest.mark.parametrize("method", ["generation", "multiple_choice_separate_original"])
def test_answers_that_would_be_read_as_times_are_left_out(method: str) -> None:
    dates = question("When?", "*2019-05-05", "2019-05-06 10:00:00")
    (made,) = lm_eval_tasks(task_of(quiz(dates, method=method)))
    assert isinstance(made, LeftOut)
    assert "dates" in made.why
    assert len(exported(quiz(dates, COLOUR, method=method)).rows) == 2


def test_each_perturbation_and_each_trial_is_a_task_of_its_own() -> None:
    asking = Asking(max_instances=None, seed=0, trials=2, perturbations=tuple(find_perturbations(["lowercase"])))
    tasks = plan_tasks(quiz(COLOUR), open_store(None), asking)
    made = [one for task in tasks for one in lm_eval_tasks(task)]
    assert [one.name for one in made] == ["quiz", "quiz_lowercase", "quiz_trial2", "quiz_trial2_lowercase"]
    assert all(isinstance(one, LmEvalTask) and len(one.rows) == 1 for one in made)
    metadata = [one.config["metadata"] for one in made if isinstance(one, LmEvalTask)]
    assert [(one["perturbation"], one["trial"]) for one in metadata] == [
        *(("", 0), ("lowercase", 0), ("", 1), ("lowercase", 1))
    ]


def test_chat_is_left_to_lm_eval() -> None:
    (made,) = lm_eval_tasks(task_of(quiz(COLOUR), chat=True))
    assert isinstance(made, LeftOut)
    assert "--apply_chat_template" in made.why


def sent(config: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """The texts that lm-eval makes of a row, with what is scored."""
    if config["output_type"] == "generate_until":
        return [row["context"]]
    if "contexts" in row:
        return [context + row["continuation"] for context in row["contexts"]]
    if "choices" in row:
        return [row["context"] + config["target_delimiter"] + choice for choice in row["choices"]]
    return [row["context"] + row["continuation"] if "continuation" in row else row["text"]]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@settings(deadline=None)  # the first example has to plan and to write for the first time
@given(text=TEXTS, data=st.data())
def test_whatever_is_asked_is_ours_byte_for_byte(
    text: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    method = data.draw(st.sampled_from(sorted(FORMS)))
    choices = data.draw(st.lists(TEXTS, min_size=2, max_size=4))
    asked = Instance("q-0", f"{text} _ {text}.", tuple(Reference(one, i == 0) for i, one in enumerate(choices)))
    task = task_of(quiz(asked, method=method, n_shots=0))
    (made,) = lm_eval_tasks(task)
    assert isinstance(made, LmEvalTask)
    folder = tmp_path_factory.mktemp("tasks")
    write_tasks(folder, [made])
    config = yaml.safe_load((folder / "tasks" / "quiz.yaml").read_text(encoding="utf-8"))
    (line,) = (folder / config["dataset_kwargs"]["data_files"]["test"]).read_text(encoding="utf-8").split("\n")[:-1]
    assert sent(config, json.loads(line)) == whole_prompts(task.request(asked, ByteWindow()))


def test_names_are_those_of_files(tmp_path: Path) -> None:
    scenario = quiz(COLOUR)
    made = exported(Scenario(**{name: getattr(scenario, name) for name in Scenario.__slots__} | {"name": "a/b: c"}))
    assert made.name == "a_b__c"
    write_tasks(tmp_path, [made])
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == ["a_b__c.yaml"]
