"""Instances worked out by hand from the invented rows; and rules that hold for every scenario of text."""

from __future__ import annotations

import re

import pytest

from harness.adaptation.table import ADAPTERS
from harness.data.table import CONVERTED, MIRROR_ONLY, Store
from harness.metrics.table import METRICS, SET_METRICS
from harness.scenarios.base import Scenario
from harness.scenarios.hub.text import TEXT_SCENARIOS
from harness.types import Instance

BY_NAME = {scenario.name: scenario for scenario in TEXT_SCENARIOS}
EVERY = pytest.mark.parametrize("scenario", TEXT_SCENARIOS, ids=lambda scenario: scenario.name)
WITHOUT_ANSWER = {"wikitext", "ifeval"}
WITHOUT_COMMIT = {
    "allenai/quac": CONVERTED,
    "ought/raft": CONVERTED,
    "Muennighoff/babi": "main",
    "boolq-no-passage": MIRROR_ONLY,
    "cornell/movie_reviews": MIRROR_ONLY,
}
"""Data sets of which no public code names a commit that holds tables; all others have one."""


def find(name: str, store: Store, instance: str) -> Instance:
    data = BY_NAME[name].load(store)
    return next(one for one in (*data.train, *data.test) if one.id == instance)


@pytest.mark.parametrize(
    ("name", "instance", "text", "golds", "kind"),
    [
        (
            "boolq",
            "boolq-1",
            "The market of Lund closes on Sundays.\nIn summer it opens at five.\n"
            "Question: Is the market of lund open on sundays?",
            ["No"],
            "",
        ),
        ("boolq_closed_book", "boolq_closed_book-1", "Does the river tesk freeze in winter?", ["Yes"], ""),
        (
            "narrative_qa",
            "narrative_qa-s4",
            "A dog guards an empty house for ten years.\nQuestion: What does the dog guard?",
            ["a house", "an empty house"],
            "",
        ),
        (
            "babi_qa",
            "babi_qa-1",
            "The mill is south of the shop.\nQuestion: How do you go from the shop to the mill?",
            ["south"],
            "task_19",
        ),
        ("natural_qa_closedbook", "natural_qa_closedbook-2", "How many bells has arlo?", ["5", "five"], ""),
        (
            "natural_qa_openbook_longans",
            "natural_qa_openbook_longans-0",
            "Passage: The gate was painted by Ida Roe & her son.\n\nQuestion: Who painted the blue gate?",
            ["Ida Roe"],
            "",
        ),
        (
            "summarization_cnndm",
            "summarization_cnndm-t2",
            " ".join(["A gull stole the mayor's hat .", *(f"feather{i}" for i in range(70))]),
            ["Gull steals hat . Mayor laughs . Hat is found ."],
            "",
        ),
        (
            "summarization_xsum",
            "summarization_xsum-0",
            "A bear was seen in Arlo. It ate honey.",
            ["A bear has been seen in Arlo."],
            "",
        ),
        ("imdb", "imdb-0", "A slow start, and a glorious end.", ["Positive"], ""),
        ("movie_reviews", "movie_reviews-1", "i slept through most of it .", ["Negative"], ""),
        (
            "civil_comments",
            "civil_comments-6-female",
            "He and she should both resign.\nQuestion: Is the passage above toxic?",
            ["True"],
            "female",
        ),
        ("raft", "raft-overruling-1", "Sentence: Sentence 1.", ["overruling"], "overruling"),
        (
            "raft",
            "raft-semiconductor_org_types-0",
            "Organization name: Institute 0\nPaper title: Paper 0",
            ["company"],
            "semiconductor_org_types",
        ),
        (
            "legalbench",
            "legalbench-function_of_decision_section-0",
            "Text: The court turns to claim 5.",
            ["No"],
            "function_of_decision_section",
        ),
        (
            "gsm",
            "gsm-t4",
            "Ben walks 2 miles each day. How far in a week?",
            ["A week has 7 days. He walks 7*2=<<7*2=14>>14 miles. The answer is 14."],
            "",
        ),
        ("math", "math-geometry-1", "What is $3^3$?", ["$3\\cdot 9=\\boxed{27}$."], "geometry_level_2"),
        ("wmt_14", "wmt_14-hi-en-0", "The bell rang (hi) 3", ["The bell rang 3"], "hi-en"),
        ("lambada", "lambada-1", '"Row!" she said, and so they took the oars and began to', ["row"], ""),
        ("ifeval", "ifeval-1005", "Answer in capital letters: what is salt?", [], ""),
    ],
)
def test_instance(name: str, instance: str, text: str, golds: list[str], kind: str, invented: Store) -> None:
    found = find(name, invented, instance)
    assert found.input == text
    assert sorted(found.golds) == golds
    assert found.kind == kind


def test_ifeval_carries_what_its_metrics_check(invented: Store) -> None:
    details = find("ifeval", invented, "ifeval-1001").details
    assert details["instruction_id_list"] == ["length_constraints:number_words", "punctuation:no_comma"]
    assert details["kwargs"][0]["num_words"] == 20


@EVERY
def test_ids_are_unique_and_begin_with_the_name(scenario: Scenario, invented: Store) -> None:
    data = scenario.load(invented)
    ids = [one.id for one in (*data.train, *data.test)]
    assert data.test
    assert len(set(ids)) == len(ids)
    assert all(name.startswith(f"{scenario.name}-") for name in ids)


@EVERY
def test_every_instance_has_a_right_answer_where_there_is_one(scenario: Scenario, invented: Store) -> None:
    data = scenario.load(invented)
    for one in (*data.train, *data.test):
        assert bool(one.golds) == (scenario.name not in WITHOUT_ANSWER), one.id
        # Only a ranking has references that are wrong.
        assert scenario.name == "msmarco" or len(one.golds) == len(one.references)


@EVERY
def test_loading_twice_gives_the_same(scenario: Scenario, invented: Store) -> None:
    assert scenario.load(invented) == scenario.load(invented)


@EVERY
def test_what_a_scenario_names_is_there(scenario: Scenario) -> None:
    assert scenario.metrics[0] in METRICS
    assert all(name in METRICS or name in SET_METRICS for name in scenario.metrics)
    assert all(spec.method in ADAPTERS for spec in scenario.adapters)
    assert scenario.tables


@EVERY
def test_kinds_have_their_layouts_and_their_examples(scenario: Scenario, invented: Store) -> None:
    data = scenario.load(invented)
    kinds = {one.kind for one in data.test}
    for spec in scenario.adapters:
        assert not spec.layouts or kinds == set(spec.layouts)
        if spec.examples_by_kind:
            assert kinds <= {one.kind for one in data.train} | {"male"}, "the invented comments have no such example"


@EVERY
def test_tables_are_pinned(scenario: Scenario) -> None:
    for table in (*scenario.tables, *scenario.example_tables):
        if table.dataset in WITHOUT_COMMIT:
            assert table.revision == WITHOUT_COMMIT[table.dataset]
        else:
            assert re.fullmatch("[0-9a-f]{40}", table.revision), table


@EVERY
def test_examples_come_from_their_tables_only(scenario: Scenario, invented: Store) -> None:
    """Without them everything is asked all the same, without examples."""

    class WithoutExamples:
        def rows(self, table: object) -> object:
            assert table not in scenario.example_tables
            return invented.rows(table)  # type: ignore[arg-type]

        def has(self, table: object) -> bool:
            return table not in scenario.example_tables

    data = scenario.load(WithoutExamples())  # type: ignore[arg-type]
    assert data.test == scenario.load(invented).test
    assert not (scenario.example_tables and data.train)
