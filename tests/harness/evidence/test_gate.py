from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from junitparser import Error, Failure, JUnitXml

import harness
from harness.degradation.verdict import Verdict
from harness.errors import UserError
from harness.evidence.gate import KLD, OUTCOMES, Check, Gated, Outcome, gate
from harness.evidence.junit import write_junit
from harness.results import Run

WITHIN, BEYOND, INCONCLUSIVE = Outcome


@pytest.fixture(scope="module")
def run(real_run: Path) -> Run:
    return harness.load_run(real_run)


@pytest.fixture(scope="module")
def saying(run: Run) -> Callable[..., Run]:
    """The same run, with other words in the cells of some rows."""

    def make(base: Run = run, *, where: dict[str, str], **cells: object) -> Run:
        table = base.findings.degradation.copy()
        mask = pd.Series(True, table.index)
        for name, value in where.items():
            mask &= table[name] == value
        assert mask.any()
        for name, cell in cells.items():
            table.loc[mask, name] = cell
        return replace(base, findings=base.findings._replace(degradation=table))

    return make


def test_every_verdict_of_a_comparison_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(Verdict) - {Verdict.REFERENCE}


@pytest.mark.parametrize(("verdict", "outcome"), list(OUTCOMES.items()))
def test_a_verdict_is_an_outcome(saying: Callable[..., Run], verdict: Verdict, outcome: Outcome) -> None:
    where = {"model": "q8_0", "scenario": "world_facts"}
    changed = saying(where=where, verdict=str(verdict))
    gated = gate(changed, margin=changed.margin, scenarios=["world_facts"], models=["q8_0"])
    assert [check.outcome for check in gated.checks] == [outcome] == [gated.outcome]


def test_a_task_without_a_verdict_does_not_pass(saying: Callable[..., Run]) -> None:
    changed = saying(where={"model": "q8_0", "scenario": "world_facts"}, verdict="", n=0, delta=math.nan)
    gated = gate(changed, margin=changed.margin, scenarios=["world_facts"], models=["q8_0"])
    assert gated.outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        ([WITHIN, WITHIN], WITHIN),
        ([WITHIN, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, BEYOND, WITHIN], BEYOND),
    ],
)
def test_the_worst_outcome_decides(outcomes: list[Outcome], together: Outcome) -> None:
    checks = [Check("m", "s", "", "accuracy", outcome, "", 0.0, 0.0, 0.0, 1, None) for outcome in outcomes]
    assert Gated(checks, []).outcome is together


def test_every_scenario_is_looked_at_on_its_own(run: Run) -> None:
    gated = gate(run, margin=run.margin)
    tasks = [(check.model, check.scenario, check.adapter) for check in gated.checks]
    assert tasks == [
        (model, *task)
        for model in ("q8_0", "q2_k")
        for task in (
            ("world_facts", "generation"),
            ("world_choice", "multiple_choice_separate_original"),
        )
    ]
    assert gated.notes == [
        "Not looked at, because the reference itself guesses there: world_choice (multiple_choice_joint).",
        "Not held against the margin, because they are not measured in points: world_text (bits_per_byte).",
    ]


def test_a_scenario_at_which_the_reference_guesses_never_passes_by_name(saying: Callable[..., Run]) -> None:
    guessed = saying(where={"model": "f16", "scenario": "world_facts"}, verdict="")
    gated = gate(guessed, margin=guessed.margin)
    assert {check.scenario for check in gated.checks} == {"world_choice"}
    assert "world_facts (generation), world_choice (multiple_choice_joint)" in gated.notes[0]
    with pytest.raises(UserError, match="world_facts says nothing, because the reference itself guesses there"):
        gate(guessed, margin=guessed.margin, scenarios=["world_facts"])


def test_all_questions_can_be_looked_at_together(run: Run) -> None:
    (check,) = gate(run, margin=run.margin, scenarios=["all"], models=["q2_k"]).checks
    assert (check.scenario, check.metric, check.outcome) == ("all", "accuracy", BEYOND)


def test_another_margin_gives_other_verdicts(run: Run) -> None:
    outcomes = [gate(run, margin=margin, models=["q8_0"], scenarios=["all"]).outcome for margin in (0.001, 0.08)]
    assert outcomes == [INCONCLUSIVE, WITHIN]


def test_the_null_run_is_no_model_to_look_at(run: Run) -> None:
    as_null = replace(run, record=run.record | {"null": "q8_0"})
    assert {check.model for check in gate(as_null, margin=run.margin).checks} == {"q2_k"}
    with pytest.raises(UserError, match="q8_0"):
        gate(as_null, margin=run.margin, models=["q8_0"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"models": ["q8"]}, r"--models: 'q8' is no model of this run .*; the closest is q8_0"),
        ({"models": ["f16"]}, "--models: 'f16' is no model of this run that is compared"),
        ({"scenarios": ["world_fact"]}, r"--scenarios: 'world_fact' is no scenario .*the closest is world_facts"),
        ({"scenarios": ["world_text"]}, r"world_text \(bits_per_byte\) is not measured in points"),
    ],
)
def test_names_that_cannot_be_looked_at(run: Run, asked: dict[str, list[str]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        gate(run, margin=run.margin, **asked)  # type: ignore[arg-type]


def of_kld(run: Run, most: float) -> dict[str, Outcome]:
    checks = gate(run, margin=run.margin, max_kld=most).checks
    return {check.model: check.outcome for check in checks if check.metric == KLD}


def test_divergence_is_held_against_a_limit(run: Run) -> None:
    assert of_kld(run, 0.05) == {"q8_0": WITHIN, "q2_k": BEYOND}
    table = run.findings.degradation
    (kld,) = table.loc[(table["metric"] == KLD) & (table["model"] == "q2_k"), "value"]
    assert of_kld(run, kld) == {"q8_0": WITHIN, "q2_k": INCONCLUSIVE}


def test_divergence_without_an_interval_or_without_an_end(saying: Callable[..., Run]) -> None:
    where = {"model": "q8_0", "metric": KLD}
    unknown = saying(where=where, ci_low=math.nan, ci_high=math.nan)
    assert of_kld(unknown, 0.05)["q8_0"] is INCONCLUSIVE
    endless = saying(where=where, value=math.inf, ci_low=math.nan, ci_high=math.nan)
    assert of_kld(endless, 0.05)["q8_0"] is BEYOND


def test_divergence_from_a_compact_store_is_within_only_if_the_most_it_can_be_is(saying: Callable[..., Run]) -> None:
    where = {"model": "q8_0", "metric": KLD}
    least = saying(where=where, value=0.02, ci_low=0.01, ci_high=0.03)

    def most(bound: float) -> Run:
        return saying(least, where={"model": "q8_0", "metric": "kld_bound_mean"}, value=bound)

    assert of_kld(most(0.0), 0.03)["q8_0"] is WITHIN
    assert of_kld(most(0.009), 0.04)["q8_0"] is WITHIN
    assert of_kld(most(0.011), 0.04)["q8_0"] is INCONCLUSIVE
    assert of_kld(most(5.0), 0.009)["q8_0"] is BEYOND  # the least that it can be is above that
    (check,) = gate(most(0.011), margin=0.01, models=["q8_0"], scenarios=["all"], max_kld=0.04).checks[1:]
    assert check.verdict == "inconclusive: a compact store cannot tell so exactly"
    assert check.ci_high == pytest.approx(0.041)


def test_divergence_that_was_not_measured(run: Run, saying: Callable[..., Run]) -> None:
    bare = replace(run, record=run.record | {"divergence": None})
    with pytest.raises(UserError, match="the run measured no divergence; run it again without --no-divergence"):
        of_kld(bare, 0.05)
    foreign = replace(run, record=run.record | {"divergence": None, "imported": {"from": "lm-eval"}})
    with pytest.raises(UserError, match="results of another harness have no divergence"):
        of_kld(foreign, 0.05)
    other_tokens = saying(where={"model": "q8_0", "metric": KLD}, metric="other")
    with pytest.raises(UserError, match=r"q8_0 reads the text as other tokens than f16, so .* cannot be compared"):
        of_kld(other_tokens, 0.05)


def only(run: Run, scenario: str) -> Run:
    """A run that asked just this."""
    table = run.findings.degradation
    return replace(run, findings=run.findings._replace(degradation=table[table["scenario"] == scenario]))


@pytest.mark.parametrize(
    ("scenario", "asked", "said"),
    [
        ("world_text", [], "no scenario that can be held against a margin"),
        ("world_text", ["all"], "--scenarios all: the run has no right-or-wrong questions that say anything"),
        ("divergence", [], "no scenario that can be held against a margin"),
        ("divergence", ["all"], "--scenarios: the run asked no questions"),
    ],
)
def test_a_run_that_asked_nothing_in_points(run: Run, scenario: str, asked: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        gate(only(run, scenario), margin=run.margin, scenarios=asked)


def test_a_run_of_distributions_alone_has_its_kld(run: Run) -> None:
    checks = gate(only(run, "divergence"), margin=run.margin, max_kld=0.05).checks
    assert [(check.model, check.outcome) for check in checks] == [("q8_0", WITHIN), ("q2_k", BEYOND)]


@pytest.mark.parametrize("models", [[], ["q8_0"]])
def test_a_run_of_the_reference_alone(run: Run, models: list[str]) -> None:
    alone = replace(run, record=run.record | {"models": run.models[:1]})
    with pytest.raises(UserError, match="has no model beside its reference f16"):
        gate(alone, margin=run.margin, models=models)


def test_junit_has_a_case_a_model_and_scenario(tmp_path: Path) -> None:
    checks = [
        Check("a", "facts", "generation", "exact_match", WITHIN, "equivalent", 0.0, -0.1, 0.1, 9, None),
        Check("a", "all", "", "accuracy", BEYOND, "degraded beyond margin", -0.5, -0.6, -0.4, 9, None),
        Check("b", "facts", "generation", "exact_match", INCONCLUSIVE, "<&>", 0.0, -0.1, 0.1, 9, 4),
    ]
    path = tmp_path / "gate.xml"
    write_junit(path, Gated(checks, []), {check: f"said of {check.model}" for check in checks})
    suites = list(JUnitXml.fromfile(str(path)))
    assert [(suite.name, suite.tests, suite.failures, suite.errors) for suite in suites] == [
        ("a", 2, 1, 0),
        ("b", 1, 0, 1),
    ]
    cases = [case for suite in suites for case in suite]
    assert [(case.classname, case.name) for case in cases] == [
        ("a", "facts (generation)"),
        ("a", "all"),
        ("b", "facts (generation)"),
    ]
    assert [[type(result) for result in case.result] for case in cases] == [[], [Failure], [Error]]
    assert cases[2].result[0].message == "said of b"


def test_a_file_for_junit_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--junit: .* cannot be written: "):
        write_junit(tmp_path / "none" / "gate.xml", Gated([], []), {})


def test_checks_are_plain_data(run: Run) -> None:
    json.dumps([check._asdict() for check in gate(run, margin=run.margin).checks])
