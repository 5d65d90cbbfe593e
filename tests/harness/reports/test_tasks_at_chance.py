"""What cannot show a loss decides nothing, in the tables and in what is recommended."""

from __future__ import annotations

from made_run import make_run

from harness.analysis import analyse
from harness.reports.recommendation import recommend
from harness.results import Run


def guessing(*scenarios: str) -> Run:
    """A run in which the reference is no better at these than guessing."""
    made = make_run()
    rates = [task | {"guess_rate": 0.95 if task["scenario"] in scenarios else 0.0} for task in made.record["tasks"]]
    record = made.record | {"tasks": rates}
    return Run(record, made.measured, analyse(record, made.measured))


def test_a_task_at_chance_has_no_verdict_and_is_not_in_the_whole() -> None:
    degradation = guessing("quiz").findings.degradation
    table = degradation[degradation["metric"].isin(["exact_match", "accuracy"])].set_index(["model", "scenario"])
    assert (table.loc[("q2_k", "quiz"), "verdict"] == "").all()
    assert table.loc[("q2_k", "facts"), "verdict"] != ""
    assert table.loc[("q2_k", "all"), "n"] == table.loc[("q2_k", "facts"), "n"]
    assert table.loc[("q2_k", "all"), "delta"] == table.loc[("q2_k", "facts"), "delta"]


def test_its_figures_stand_and_a_note_says_why_there_is_no_verdict() -> None:
    made = guessing("quiz")
    table = made.findings.degradation.set_index(["model", "scenario", "metric"])
    assert table.loc[("q2_k", "quiz", "exact_match"), "delta"].notna().all()
    (said,) = [note for note in made.notes if "better than guessing" in note]
    assert "quiz (joint) (" in said
    assert "have no verdict" in said


def test_nothing_is_recommended_where_every_task_is_at_chance() -> None:
    made = guessing("quiz", "facts")
    assert "all" not in set(made.findings.degradation["scenario"])
    assert recommend(made).model is None
