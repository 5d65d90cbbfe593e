from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_helm import CITIES, TYPOS, apart_states, completion, helm_instance, joint_states, state, window

from harness.errors import UserError
from harness.interop.imports.helm import perturbation_name, scenario_name
from harness.interop.imports.helm_answers import columns_of, last_tokens
from harness.interop.imports.helm_files import Completion, RequestState, RunSpec
from harness.results import Run

Import = Callable[..., Run]


@pytest.fixture
def imported(imported: Import) -> Import:
    """A folder of several models needs a reference."""
    return partial(imported, reference="f16")


def columns(states: Sequence[dict[str, Any]], method: str) -> dict[str, Any]:
    return columns_of([RequestState.model_validate(one) for one in states], method)


def test_a_suite_becomes_a_run(helm_suite: Path, imported: Import) -> None:
    run = imported("helm", helm_suite)
    assert [(model["label"], model["name"]) for model in run.models] == [("f16", "local/f16"), ("q4", "local/q4")]
    assert run.main_metrics == {
        ("apart0", "multiple_choice_separate_original"): "exact_match",
        ("apart1", "multiple_choice_separate_calibrated"): "exact_match",
        ("quiz:path=quiz", "multiple_choice_joint"): "exact_match",
        ("wtext", "language_modeling"): "bits_per_byte",
    }
    rows = run.findings.degradation.set_index(["model", "scenario", "perturbation", "metric"])
    assert rows.loc[("q4", "quiz:path=quiz", "", "exact_match"), ["n", "value", "reference_value"]].tolist() == [
        *(40, 33 / 40, 39 / 40)
    ]
    assert rows.loc[("q4", "quiz:path=quiz", "", "exact_match"), "flips_to_wrong"] == 6
    assert rows.loc[("q4", "apart0", "", "choice_brier"), "delta"] > 0
    assert [task["guess_rate"] for task in run.record["tasks"]] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_sums_over_a_text_are_weighted_means(helm_suite: Path, imported: Import) -> None:
    rows = imported("helm", helm_suite).findings.degradation.set_index(["model", "metric"])
    nats = {"f16": 8 * 22.0, "q4": 8 * 24.0}
    n_bytes = sum(40.0 + number for number in range(8))
    for label, total in nats.items():
        assert rows.loc[(label, "bits_per_byte"), "value"] == pytest.approx(total / math.log(2) / n_bytes)
        assert rows.loc[(label, "ln_perplexity"), "value"] == pytest.approx(total / (n_bytes / 2))


def test_what_counts_the_asking_is_no_metric(helm_suite: Path, imported: Import) -> None:
    run = imported("helm", helm_suite)
    assert set(run.measured.scores["metric"]) == {
        *("exact_match", "quasi_exact_match", "num_output_tokens", "bits_per_byte", "ln_perplexity", "logprob")
    }
    assert set(run.measured.instances["n_examples"]) == {2}
    assert set(run.measured.instances["seconds"]) == {0.25, 0.5, 0.75, 1.5}


def test_changed_forms_count_for_the_worst_case(helm_suite: Path, imported: Import) -> None:
    run = imported("helm", helm_suite)
    rows = run.findings.degradation
    worst = rows[(rows["perturbation"] == "worst(robustness)") & (rows["metric"] == "exact_match")]
    assert set(worst["scenario"]) == {"quiz:path=quiz"}  # nothing was done to the others
    assert worst.set_index("model")["value"].to_dict() == {"f16": 37 / 40, "q4": 32 / 40}
    assert set(run.measured.instances["perturbation"]) == {"", "misspellings0.05"}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("synthetic_reasoning:mode=pattern_match,model=local_q4", "synthetic_reasoning:mode=pattern_match"),
        ("custom_mcqa,path=_data_quiz.jsonl,method=multiple_choice_joint:model=m", "custom_mcqa:path=quiz"),
        ("wtext:model=m", "wtext"),
        ("a:model_deployment=d,model=m,few_shot,groups=x", "a:few_shot,groups=x"),
    ],
)
def test_scenarios_have_the_names_of_their_runs(name: str, short: str) -> None:
    spec = RunSpec.model_validate(
        {"name": name, "scenario_spec": {"args": {"path": "/data/quiz.jsonl", "n": 3}}, "adapter_spec": {}}
    )
    assert scenario_name(spec) == short


@pytest.mark.parametrize(
    ("perturbation", "name"),
    [
        (None, ""),
        (TYPOS, "misspellings0.05"),
        ({"name": "lowercase", "robustness": True, "fairness": False}, "lowercase"),
        ({"name": "dialect", "fairness": True, "prob": 1.0}, "dialect"),
        ({"name": "person_name", "fairness": True, "prob": 0.5, "source": "a"}, "person_name(0.5, a)"),
        ({"name": "gender", "mode": "pronouns"}, "gender(pronouns)"),
    ],
)
def test_perturbations_have_our_names_where_we_have_them(perturbation: dict[str, Any] | None, name: str) -> None:
    assert perturbation_name(perturbation) == name


def test_a_letter_stands_for_its_choice() -> None:
    found = columns(joint_states(3, "B"), "multiple_choice_joint")
    assert (found["answer"], found["valid"], found["chosen"], found["n_tied"]) == ("Loxville", True, [1], 1)
    assert (found["gold"], found["gold_choices"], found["finish_reason"]) == ("Haford", [0], "length")
    assert (found["logprob"], found["tokens"]) == (-0.5, [" B"])
    other = columns(joint_states(3, "No"), "multiple_choice_joint")
    assert (other["answer"], other["valid"], other["chosen"]) == ("No", False, [])


@pytest.mark.parametrize(
    ("said", "pattern", "answer", "valid"),
    [
        ("B. Loxville", None, "B. Loxville", False),
        ("B. Loxville", "[A-C]", "Loxville", True),
        ("B. Loxville", r"^([A-C])\.", "Loxville", True),
        ("no", "[A-C]", "no", False),
    ],
)
def test_a_pattern_finds_the_letter(said: str, pattern: str | None, answer: str, valid: bool) -> None:
    states = [RequestState.model_validate(one) for one in joint_states(3, said)]
    found = columns_of(states, "multiple_choice_joint", pattern)
    assert (found["answer"], found["valid"]) == (answer, valid)


def test_of_several_completions_the_likeliest_counts() -> None:
    states = joint_states(3, "B")
    states[0]["result"]["completions"] += [completion(" A", -0.25), completion(" C", -4.0)]
    assert columns(states, "multiple_choice_joint")["answer"] == "Haford"


def test_choices_scored_apart_and_calibrated() -> None:
    logprobs, alone = (-3.0, -2.5, -9.0), (-1.0, -0.25, -8.5)
    apart = columns(apart_states(1, logprobs), "multiple_choice_separate_original")
    assert apart["choice_logprobs"] == pytest.approx(logprobs)
    assert apart["choice_lengths"] == [2, 2, 2]
    assert (apart["answer"], apart["prompt"]) == ("Loxville", "Capital 1?")
    calibrated = columns(apart_states(1, logprobs, alone), "multiple_choice_separate_calibrated")
    assert calibrated["choice_logprobs"] == pytest.approx([-2.0, -2.25, -0.5])
    assert (calibrated["answer"], calibrated["choice_lengths"]) == ("Wudedam", [1, 1, 1])
    assert calibrated["logprob"] == pytest.approx(-9.0)


def test_where_a_token_reaches_into_the_question_choices_have_no_scores() -> None:
    states = apart_states(1, (-3.0, -2.5, -9.0))
    tokens = states[1]["result"]["completions"][0]["tokens"]
    tokens[0:2] = [{"text": tokens[0]["text"] + tokens[1]["text"], "logprob": -8.0}]
    found = columns(states, "multiple_choice_separate_original")
    assert "choice_logprobs" not in found
    assert found["choices"] == list(CITIES)


@pytest.mark.parametrize("missing", [0, 3, 5])
def test_where_a_request_is_missing_choices_have_no_scores(missing: int) -> None:
    states = apart_states(1, (-3.0, -2.5, -9.0), (-1.0, -0.25, -8.5))
    del states[missing]
    assert "choice_logprobs" not in columns(states, "multiple_choice_separate_calibrated")


def test_windows_of_a_text_add_up_without_what_they_go_on_from() -> None:
    found = columns([window(0, -3.0), window(0, -4.0, "some text")], "language_modeling")
    assert (found["logprob"], found["token_logprobs"]) == (-7.0, [-1.5, -1.5, -2.0, -2.0])
    assert (found["prompt"], found["tokens"], found["n_bytes"]) == ("some text", ["som", "e", "tex", "t"], 8)


def test_a_window_may_begin_with_a_token_without_text_and_hold_parts_of_letters() -> None:
    one = window(0, -3.0, "some")
    tokens = one["result"]["completions"][0]["tokens"]
    assert tokens[0]["text"] == ""
    tokens[2]["text"] = r"bytes:\xe2\x80"
    found = columns([one], "language_modeling")
    assert (found["token_logprobs"], found["n_bytes"]) == ([-1.5], 2)
    one["num_conditioning_tokens"] = 0
    assert columns([one], "language_modeling")["n_bytes"] == 5


def test_several_right_answers_in_words_are_no_choices() -> None:
    instance = helm_instance(0)
    for reference in instance["references"]:
        reference["tags"] = ["correct"]
    found = columns([state(instance, "Capital 0?", completion(" Haford", -1.0))], "generation")
    assert (found["choices"], found["gold_choices"], found["golds"]) == ([], [], list(CITIES))
    assert columns(joint_states(0, "A"), "multiple_choice_joint")["choices"] == list(CITIES)


def test_a_choice_without_a_number_has_no_scores() -> None:
    states = apart_states(1, (-3.0, math.nan, -9.0))
    assert "choice_logprobs" not in columns(states, "multiple_choice_separate_original")


def test_passages_that_are_ranked_have_no_single_answer() -> None:
    states = apart_states(1, (-3.0, -2.5, -9.0))
    assert not {"answer", "logprob", "choice_logprobs"} & columns(states, "ranking_binary").keys()


@given(st.text(min_size=1, max_size=12), st.data())
def test_the_last_tokens_are_found_however_they_are_cut(text: str, data: st.DataObject) -> None:
    whole = f"context{text}"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    places = [0, *cuts, len(whole)]
    tokens = [{"text": whole[a:b], "logprob": -float(b)} for a, b in pairwise(places)]
    found = last_tokens(Completion.model_validate({"text": whole, "logprob": 0.0, "tokens": tokens}), text)
    begin = len("context")
    if begin in places:
        assert found == [-float(end) for end in places if end > begin]
    else:
        assert found is None


def test_a_request_that_failed_is_named(helm_suite: Path, rewrite: Callable[..., None], imported: Import) -> None:
    def fail(told: dict[str, Any]) -> dict[str, Any]:
        told["request_states"][3]["result"] |= {"success": False, "error": "out of memory"}
        return told

    rewrite(next(helm_suite.glob("wtext*q4")) / "scenario_state.json", fail)
    with pytest.raises(UserError, match=r"the request of 'id1' failed \(out of memory\)"):
        imported("helm", helm_suite)


def test_folders_of_single_runs_will_do(helm_suite: Path, imported: Import) -> None:
    folders = sorted(helm_suite.glob("wtext*"))
    run = imported("helm", *reversed(folders), reference=None)
    assert run.reference == "q4"
    assert run.models[0]["imported"] == {"from": "helm", "path": "wtext:model=local_q4"}
    assert json.dumps(run.record)
