"""Folders that are not what they should be: one sentence each, which names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_lm_eval import DATE

from harness.errors import UserError
from harness.results import Run

Import = Callable[..., Run]
Fault = Callable[[Path], None]
RESULTS, SAMPLES = f"results_{DATE}.json", f"samples_quiz_{DATE}.jsonl"


@pytest.fixture
def imported(imported: Import) -> Import:
    """A folder of several models needs a reference."""
    return partial(imported, reference="f16")


def without(name: str) -> Fault:
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Fault:
    """Half of a file."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def renamed(name: str, other: str) -> Fault:
    def change(folder: Path) -> None:
        (folder / name).rename(folder / other)

    return change


def changed(name: str, how: Callable[[Any], Any], *, lines: bool = False) -> Fault:
    """A file of JSON, or of a line of it after the other, with another content."""

    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        if lines:
            samples = how([json.loads(line) for line in text.splitlines()])
            path.write_text("".join(f"{json.dumps(sample)}\n" for sample in samples), encoding="utf-8")
        else:
            path.write_text(json.dumps(how(json.loads(text))), encoding="utf-8")

    return change


def lacking(key: str, number: int | None = None) -> Callable[[Any], Any]:
    def remove(told: Any) -> Any:
        del (told if number is None else told[number])[key]
        return told

    return remove


def document(number: int, **other: Any) -> Fault:
    """A line of the samples with other content."""
    return changed(
        SAMPLES, lambda told: [one | (other if i == number else {}) for i, one in enumerate(told)], lines=True
    )


def emptied(name: str) -> Fault:
    """An empty file, and results that do not tell of how many documents."""

    def change(folder: Path) -> None:
        (folder / name).write_text("", encoding="utf-8")
        changed(RESULTS, lacking("n-samples"))(folder)

    return change


def nested(name: str) -> Fault:
    """JSON deeper than any reader goes."""
    return lambda folder: (folder / name).write_text("[" * 100_000 + "]" * 100_000, encoding="utf-8") and None


def a_folder(name: str) -> Fault:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (without(RESULTS), f"samples_facts_{DATE}.jsonl has no results_DATE.json of the same date beside it"),
        (renamed(SAMPLES, "samples_quiz.jsonl"), "samples_quiz.jsonl has no results_DATE.json of the same date"),
        (cut(RESULTS), f"{RESULTS} is not as lm-eval 0.4.13 writes it ("),
        (cut(SAMPLES), f"{SAMPLES}, line 2"),
        (changed(RESULTS, lambda _: []), f"{RESULTS} is not as lm-eval 0.4.13 writes it (input should be"),
        (changed(RESULTS, lacking("results")), "(results: field required); run lm-eval again."),
        (changed(RESULTS, lambda told: told | {"results": {}}), f"{RESULTS} says nothing of facts"),
        (changed(SAMPLES, lambda told: told[:-1], lines=True), f"{SAMPLES} has 39 of 40 documents"),
        (changed(SAMPLES, lambda told: [*told, told[7]], lines=True), "document 7 is there twice"),
        (changed(SAMPLES, lacking("doc_hash", 2), lines=True), f"{SAMPLES}, line 3, is not as lm-eval 0.4.13"),
        (changed(SAMPLES, lacking("acc", 4), lines=True), "document 4 lacks its acc; run lm-eval again."),
        (changed(SAMPLES, lambda told: [told[0] | {"arguments": {}}], lines=True), f"{SAMPLES}, line 1, is not as"),
        (emptied(SAMPLES), f"{SAMPLES} has no documents; run lm-eval again."),
        (document(3, filtered_resps=[]), "document 3, is not as lm-eval 0.4.13 writes it (0 answers to 3 requests)"),
        (document(3, filtered_resps=[["-1", "True"]] * 4), "document 3, is not as lm-eval 0.4.13 writes it (4 answers"),
        (
            document(3, arguments={key: {"arg_0": "x", "arg_1": " y"} for key in "abc"} | {"b": {}}),
            "(it lacks 'arg_1')",
        ),
        (
            document(3, acc=["a"], metrics=["word_perplexity"], word_perplexity=[-1, "a"]),
            "document 3, is not as lm-eval",
        ),
        (document(3, target="\ud800"), f"{SAMPLES}, line 4, is not as lm-eval 0.4.13 writes it (invalid JSON: "),
        (nested(SAMPLES), f"{SAMPLES}, line 1, is not as lm-eval 0.4.13 writes it (invalid JSON: recursion limit"),
        (nested(RESULTS), f"{RESULTS} is not as lm-eval 0.4.13 writes it (invalid JSON: recursion limit"),
        (a_folder(RESULTS), f"{RESULTS} cannot be read: Is a directory."),
        (a_folder(SAMPLES), f"{SAMPLES} cannot be read: Is a directory."),
    ],
)
def test_broken_results_of_lm_eval(fault: Fault, said: str, lm_eval_folders: Path, imported: Import) -> None:
    fault(lm_eval_folders / "org__q4")
    with pytest.raises(UserError) as error:
        imported("lm-eval", lm_eval_folders)
    assert said in str(error.value)
    assert "org__q4" in str(error.value)


SPEC, STATS, STATE = "run_spec.json", "per_instance_stats.json", "scenario_state.json"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (without(STATS), "lacks per_instance_stats.json: the run did not end; run helm-run again."),
        (without(STATE), "lacks scenario_state.json: the run did not end; run helm-run again."),
        *((cut(name), f"{name} is not as HELM 0.5.16 writes it (") for name in (SPEC, STATS, STATE)),
        (changed(SPEC, lacking("name")), "(name: field required); run helm-run again."),
        (changed(SPEC, lambda told: told | {"adapter_spec": {"method": "generation"}}), "adapter_spec has no model"),
        (changed(STATS, lambda _: {}), "per_instance_stats.json is not as HELM 0.5.16 writes it (input should be"),
        (changed(STATS, lacking("stats", 3)), "(3.stats: field required)"),
        (
            changed(STATS, lambda told: told[1:]),
            "'id0' has 2 windows in scenario_state.json and 1 in per_instance_stats",
        ),
        (changed(STATS, lambda told: told[2:]), "'id0' is in one of per_instance_stats.json and scenario_state.json"),
        (changed(STATE, lambda told: {"request_states": told["request_states"][2:]}), "'id0' is in one of"),
        (nested(STATE), "scenario_state.json is not as HELM 0.5.16 writes it (invalid JSON: recursion limit"),
        (a_folder(STATE), "scenario_state.json cannot be read: Is a directory."),
    ],
)
def test_broken_runs_of_helm(fault: Fault, said: str, helm_suite: Path, imported: Import) -> None:
    fault(next(helm_suite.glob("wtext*q4")))
    with pytest.raises(UserError) as error:
        imported("helm", helm_suite)
    assert said in str(error.value)
    assert "wtext" in str(error.value)


def request(**other: Any) -> Fault:
    """The first request with other content."""

    def change(told: Any) -> Any:
        told["request_states"][0] |= other
        return told

    return changed(STATE, change)


@pytest.mark.parametrize(
    ("kind", "fault", "said"),
    [
        (
            "apart0",
            request(reference_index=3),
            "instance 'id0', is not as HELM 0.5.16 writes it (reference_index 3 of 3",
        ),
        ("apart0", request(reference_index=-1), "(request_states.0.reference_index: input should be greater than or"),
        (
            "apart0",
            request(result={"success": True, "completions": []}),
            "'id0' got no completion; run helm-run again.",
        ),
        (
            "quiz",
            changed(SPEC, lambda told: told | {"adapter_spec": told["adapter_spec"] | {"output_mapping_pattern": "("}}),
            "instance 'id0', is not as HELM 0.5.16 writes it (missing ), unterminated subpattern",
        ),
        (
            "quiz",
            changed(SPEC, lambda told: told | {"metric_specs": [{"args": {"names": 3}}]}),
            "run_spec.json is not as",
        ),
    ],
)
def test_broken_requests_of_helm(kind: str, fault: Fault, said: str, helm_suite: Path, imported: Import) -> None:
    fault(next(helm_suite.glob(f"{kind}*q4")))
    with pytest.raises(UserError) as error:
        imported("helm", helm_suite)
    assert said in str(error.value)
    assert kind in str(error.value)


@pytest.mark.parametrize(
    ("harness", "said"),
    [
        (
            "helm",
            "has no run_spec.json, so it holds no run of HELM; name a folder such as benchmark_output/runs/SUITE.",
        ),
        ("lm-eval", "so it holds no answers of lm-eval; name its --output_path."),
    ],
)
def test_folders_of_something_else(harness: str, said: str, tmp_path: Path, imported: Import) -> None:
    with pytest.raises(UserError) as error:
        imported(harness, tmp_path)
    assert str(error.value).endswith(said)
    with pytest.raises(UserError, match="there is no such folder"):
        imported(harness, f"a={tmp_path / 'nowhere'}")


def test_without_samples_it_says_which_option_writes_them(lm_eval_folders: Path, imported: Import) -> None:
    for path in lm_eval_folders.rglob("samples_*"):
        path.unlink()
    with pytest.raises(UserError, match="run lm-eval with --log_samples"):
        imported("lm-eval", lm_eval_folders)
