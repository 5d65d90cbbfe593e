from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lm_eval import CITIES, DATE, choice_sample, quiz, text_sample, write_lm_eval, written_samples

from harness.errors import UserError
from harness.interop.imports.lm_eval import read_lm_eval
from harness.interop.imports.lm_eval_answers import adapter_of, columns_of
from harness.interop.imports.lm_eval_files import Sample
from harness.results import Run

Import = Callable[..., Run]


@pytest.fixture
def imported(imported: Import) -> Import:
    """A folder of several models needs a reference."""
    return partial(imported, reference="f16")


def columns(sample: dict[str, Any], metric: str = "acc") -> dict[str, Any]:
    return columns_of(Sample.model_validate(sample), metric)


def test_means_are_those_that_lm_eval_reports(lm_eval_folders: Path, imported: Import) -> None:
    run = imported("lm-eval", lm_eval_folders)
    assert [model["label"] for model in run.models] == ["f16", "q4"]
    assert [model["name"] for model in run.models] == ["org/f16", "org/q4"]
    table = run.findings.degradation.set_index(["model", "scenario", "metric"])["value"]
    for path in lm_eval_folders.rglob("results_*.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        label = told["model_name"].partition("/")[2]
        for task, metric, reported in (
            ("quiz", "acc", "acc,none"),
            ("quiz", "acc_norm", "acc_norm,none"),
            ("facts", "exact_match,strict", "exact_match,strict"),
            ("text", "bits_per_byte", "bits_per_byte,none"),
        ):
            assert table[label, task, metric] == pytest.approx(told["results"][task][reported], rel=1e-12)
        perplexity = math.exp(table[label, "text", "ln_word_perplexity"])
        assert perplexity == pytest.approx(told["results"]["text"]["word_perplexity,none"], rel=1e-12)


def test_the_first_metric_is_the_main_one_and_another_can_be_chosen(lm_eval_folders: Path, imported: Import) -> None:
    assert imported("lm-eval", lm_eval_folders).main_metrics == {
        ("facts", "generation"): "exact_match,strict",
        ("quiz", "multiple_choice_separate_original"): "acc",
        ("text", "language_modeling"): "bits_per_byte",
    }
    other = imported("lm-eval", lm_eval_folders, metrics=("acc_norm", "ln_word_perplexity"))
    assert list(other.main_metrics.values()) == ["exact_match,strict", "acc_norm", "ln_word_perplexity"]
    assert "--metric acc_norm --metric ln_word_perplexity" in other.record["command"]
    with pytest.raises(UserError, match=r"--metric: 'acc_nrm' is no metric of these results; the closest is acc_norm"):
        imported("lm-eval", lm_eval_folders, metrics=("acc_nrm",))


def test_right_or_wrong_gets_flips_and_a_verdict(lm_eval_folders: Path, imported: Import) -> None:
    run = imported("lm-eval", lm_eval_folders)
    rows = run.findings.degradation.set_index(["model", "scenario", "metric"])
    assert rows.loc[("q4", "quiz", "acc"), ["flips_to_wrong", "flips_to_right"]].tolist() == [5, 0]
    assert rows.loc[("q4", "all", "accuracy"), "verdict"] in ("degraded", "degraded beyond margin", "inconclusive")
    assert rows.loc[("q4", "text", "bits_per_byte"), "verdict"] == "degraded"  # less of it is better
    assert rows.loc[("q4", "quiz", "choice_brier"), "delta"] > 0
    assert rows.loc[("q4", "facts", "same_answer"), "value"] == pytest.approx(1 - 5 / 12)


def test_what_is_no_mean_over_documents_is_named(lm_eval_folders: Path, imported: Import) -> None:
    run = imported("lm-eval", lm_eval_folders)
    assert "facts (generation): bleu,strict and bleu,trimmed are no mean over documents, and left out." in run.notes
    assert not run.measured.scores["metric"].str.contains("bleu").any()


def test_a_metric_that_was_summed_up_otherwise_is_left_out(
    lm_eval_folders: Path, rewrite: Callable[..., None], imported: Import
) -> None:
    def median(told: dict[str, Any]) -> dict[str, Any]:
        told["results"]["quiz"]["acc_norm,none"] += 0.01
        return told

    rewrite(next(lm_eval_folders.rglob("results_*.json")), median)
    run = imported("lm-eval", lm_eval_folders)
    (note,) = (note for note in run.notes if note.startswith("quiz"))
    assert "acc_norm is no mean over documents, and left out" in note
    assert "only some models were judged by acc_norm" in note


def test_choices_and_their_scores() -> None:
    found = columns(choice_sample(0, (-3.0, -2.5, -9.0), gold=2))
    assert (found["choices"], found["gold_choices"], found["golds"]) == (list(CITIES), [2], ["Wudedam"])
    assert found["choice_logprobs"] == [-3.0, -2.5, -9.0]
    assert (found["answer"], found["chosen"]) == ("Loxville", [1])
    assert found["choice_lengths"] == [1, 1, 1]
    per_character = columns(choice_sample(0, (-3.0, -3.2, -9.0)), "acc_norm")
    assert per_character["choice_lengths"] == [6, 8, 7]
    assert per_character["answer"] == "Loxville"


def test_choices_that_differ_in_their_beginnings() -> None:
    sample = choice_sample(0, (-1.0, -2.0, -3.0))
    for number, one in enumerate(sample["arguments"].values()):
        one |= {"arg_0": f"The one that {CITIES[number]}", "arg_1": " was big."}
    sample["target"] = "was big."
    found = columns(sample)
    assert found["answer"] == "The one that Haford"
    assert found["gold_choices"] == []


def test_mutual_information_asks_every_choice_twice() -> None:
    sample = choice_sample(0, (-1.0, -2.0, -3.0))
    sample["metrics"].append("acc_mutual_info")
    more = {f"gen_args_{i + 3}": {"arg_0": "", "arg_1": f" {city}"} for i, city in enumerate(CITIES)}
    sample["arguments"] |= more
    sample["filtered_resps"] += [["-0.1", "False"]] * 3
    assert columns(sample)["choice_logprobs"] == [-1.0, -2.0, -3.0]


@pytest.mark.parametrize(
    ("target", "golds"), [("1", [1]), ("Loxville", [1]), ("[0, 2]", [0, 2]), ("7", []), ("[]", [])]
)
def test_a_target_is_a_number_or_a_text(target: str, golds: list[int]) -> None:
    assert columns(choice_sample(0, (-1.0, -2.0, -3.0)) | {"target": target})["gold_choices"] == golds


@pytest.mark.parametrize(("target", "golds"), [("1", [1]), ("2", [2]), ("4", [0])])
def test_where_choices_are_numbers_a_target_is_first_the_number_of_one(target: str, golds: list[int]) -> None:
    sample = choice_sample(0, (-1.0, -2.0, -3.0)) | {"target": target}
    for text, one in zip(("4", "2", "1"), sample["arguments"].values(), strict=True):
        one["arg_1"] = f" {text}"
    assert columns(sample)["gold_choices"] == golds


def test_choices_are_compared_as_the_main_metric_does(tmp_path: Path, imported: Import) -> None:
    for model in "ab":
        samples = quiz(12)
        for sample in samples:
            sample["arguments"]["gen_args_1"]["arg_1"] = " Łóx"
            sample["metrics"].append("acc_bytes")
            sample["acc_bytes"] = 1.0
        write_lm_eval(tmp_path / model, model, {"quiz": samples})
    for metric, length in (("acc", 1), ("acc_norm", 3), ("acc_bytes", 5)):
        rows = imported("lm-eval", tmp_path, reference="a", metrics=(metric,)).measured.instances
        assert {lengths[1] for lengths in rows["choice_lengths"]} == {length}


def test_the_answer_is_what_the_main_metrics_filter_left(tmp_path: Path, imported: Import) -> None:
    for model in "ab":
        write_lm_eval(
            tmp_path / model, model, {"facts": [one for i in range(6) for one in written_samples(i, "[invalid]")]}
        )
    assert not imported("lm-eval", tmp_path, reference="a").measured.instances["valid"].any()
    for path in tmp_path.rglob("samples_*"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace(
                '"filtered_resps": ["[invalid]"], "filter": "trimmed"', '"filtered_resps": ["oil"], "filter": "trimmed"'
            )
        )
    rows = imported("lm-eval", tmp_path, reference="a", metrics=("exact_match,trimmed",)).measured.instances
    assert set(rows["answer"]) == {"oil"}
    assert rows["valid"].all()


def test_by_mutual_information_choices_are_compared_to_what_they_are_alone() -> None:
    sample = choice_sample(0, (-1.0, -2.0, -3.0))
    sample["metrics"].append("acc_mutual_info")
    sample["arguments"] |= {f"gen_args_{i + 3}": {"arg_0": "", "arg_1": f" {city}"} for i, city in enumerate(CITIES)}
    sample["filtered_resps"] += [["-0.5", "False"], ["-1.0", "False"], ["-9.0", "False"]]
    found = columns(sample, "acc_mutual_info")
    assert (found["choice_logprobs"], found["answer"], found["logprob"]) == ([-0.5, -1.0, 6.0], "Wudedam", -3.0)


def test_a_document_may_hold_other_ends_of_lines(tmp_path: Path, imported: Import) -> None:
    for model in "ab":
        samples = quiz(8)
        samples[2]["doc"]["q"] = "One\u2028two\u0085three\x0cfour"
        folder = write_lm_eval(tmp_path / model, model, {"quiz": samples})
        path = folder / f"samples_quiz_{DATE}.jsonl"
        path.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in samples), encoding="utf-8")
    assert len(imported("lm-eval", tmp_path, reference="a").measured.instances) == 16


def test_ways_of_asking_are_told_by_what_was_sent() -> None:
    one = choice_sample(0, (-1.0, -2.0, -3.0))
    one["arguments"] = {"gen_args_0": one["arguments"]["gen_args_0"]}
    one["filtered_resps"] = one["filtered_resps"][:1]
    samples = (choice_sample(0, (-1.0, -2.0, -3.0)), one, text_sample(0, -5.0), written_samples(0, "oil")[0])
    assert [adapter_of(Sample.model_validate(sample)) for sample in samples] == [
        *("multiple_choice_separate_original", "continuation", "language_modeling", "generation")
    ]
    found = columns(one)
    assert (found["logprob"], found["is_greedy"], found["gold"]) == (-1.0, False, "Haford")


def test_no_answer_is_not_valid() -> None:
    assert not columns(written_samples(0, "[invalid]")[1])["valid"]
    assert columns(written_samples(0, " oil")[0])["answer"] == "oil"


def test_a_label_names_a_model_that_has_no_name(tmp_path: Path, imported: Import) -> None:
    for folder, wrong in (("a", 0), ("b", 3)):
        write_lm_eval(tmp_path / folder, "same" if folder == "a" else None, {"quiz": quiz(wrong=wrong)})
    run = imported("lm-eval", f"f16={tmp_path / 'a'}", f"q4={tmp_path / 'b'}")
    assert [model["label"] for model in run.models] == ["f16", "q4"]
    assert [model["label"] for model in imported("lm-eval", tmp_path / "a", tmp_path / "b", reference=None).models] == [
        "same",
        "b",
    ]


def test_an_infinite_value_is_counted(tmp_path: Path, imported: Import) -> None:
    write_lm_eval(tmp_path / "a", "a", {"text": [text_sample(i, -9.0 - i) for i in range(9)]})
    broken = [text_sample(i, -math.inf if i == 4 else -9.5 - i) for i in range(9)]
    write_lm_eval(tmp_path / "b", "b", {"text": broken}, results={"text": {"bits_per_byte,none": math.inf}})
    run = imported("lm-eval", tmp_path, reference="a", metrics=("bits_per_byte",))
    assert any("1 values are infinite" in note for note in run.notes)
    row = run.findings.degradation.set_index(["model", "metric"]).loc[("b", "bits_per_byte")]
    assert row["n"] == 8


SIZES = st.lists(st.tuples(st.floats(-500, -0.1), st.integers(1, 90)), min_size=1, max_size=6)


@given(SIZES)
@settings(deadline=None)  # it writes files
def test_a_perplexity_is_the_exponential_of_a_weighted_mean(sizes: list[tuple[float, int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        samples = [text_sample(i, *size) for i, size in enumerate(sizes)]
        (task,) = read_lm_eval(write_lm_eval(Path(place), "m", {"text": samples}))
        assert task.metrics == ("bits_per_byte", "ln_word_perplexity")
        scores = [answer.scores["ln_word_perplexity"] for answer in task.answers(task.metrics[0])]
        mean = sum(one.value * one.weight for one in scores) / sum(one.weight for one in scores)
        told = json.loads((Path(place) / f"results_{DATE}.json").read_text(encoding="utf-8"))
        assert math.exp(mean) == pytest.approx(told["results"]["text"]["word_perplexity,none"])


def test_what_our_export_asked_has_our_names(tmp_path: Path, imported: Import) -> None:
    told = {"scenario": "capitals", "adapter": "multiple_choice_separate_original", "trial": 0, "perturbation": ""}
    told |= {"metric": "exact_match", "theirs": "acc_norm", "guess_rate": 0.3, "version": 1.0}
    for model in ("f16-01234567", "q4-89abcdef"):
        samples = quiz(12)
        for number, sample in enumerate(samples):
            known = {
                "id": f"capital{number}",
                "kind": "cities",
                "golds": ["Haford"],
                "choices": list(CITIES),
                "right": [0],
            }
            sample["doc"] |= {"quant_harness": json.dumps(known)}
        write_lm_eval(tmp_path / model, model, {"quiz": samples}, configs={"quiz": {"metadata": told}})
    run = imported("lm-eval", tmp_path)
    assert [model["label"] for model in run.models] == ["f16", "q4"]
    assert run.main_metrics == {("capitals", "multiple_choice_separate_original"): "acc"}
    assert run.record["tasks"][0]["guess_rate"] == 0.3
    assert set(run.measured.scores["metric"]) == {"acc", "exact_match"}
    rows = run.measured.instances
    assert set(rows["instance_id"]) == {f"capital{number}" for number in range(12)}
    assert (set(rows["kind"]), set(rows["gold"]), set(rows["answer"])) == ({"cities"}, {"Haford"}, {"Haford"})
