from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.table import Row, Store, Table
from harness.errors import MissingTable
from harness.scenarios.base import Scenario
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.scenarios.hub.rows import Unusable, labelled, question, read, read_if_there, references
from harness.scenarios.loading import load_data

BY_NAME = {scenario.name: scenario for scenario in MULTIPLE_CHOICE_SCENARIOS}
TABLE = Table("me/mine", "default", "test", "1")


class Rows:
    """A store in which one table's last row is changed: ``None`` for a value takes the column away."""

    def __init__(self, store: Store, table: Table, change: dict[str, Any]) -> None:
        self._store, self._table, self._change = store, table, change

    def rows(self, table: Table) -> Iterable[Row]:
        rows = list(self._store.rows(table))
        if table == self._table:
            changed = {**rows[-1], **self._change}
            rows[-1] = {name: value for name, value in changed.items() if value is not None}
        return rows

    def has(self, table: Table) -> bool:
        return self._store.has(table)


class Empty:
    """A store without tables."""

    def rows(self, table: Table) -> Iterable[Row]:
        raise MissingTable(f"{table} is not there", "get it")

    def has(self, _table: Table) -> bool:
        return False


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("mmlu", {"question": " \n"}, "its question is empty"),
        ("mmlu", {"answer": 4}, "it has 4 choices, of which none has the index 4"),
        ("mmlu", {"answer": -1}, "none has the index -1"),
        ("mmlu", {"choices": ["one"], "answer": 0}, "it has 1 choices"),
        ("mmlu", {"subject": None}, "no column 'subject'"),
        ("hellaswag", {"label": ""}, "cannot be read"),
        ("openbookqa", {"answerKey": "E"}, "its answer is 'E', and its choices are A, B, C, D"),
        ("arc_easy", {"answerKey": "A"}, "its answer is 'A', and its choices are 1, 2, 3"),
        ("piqa", {"sol2": None}, "no column 'sol2'"),
        ("piqa", {"label": -1}, "none has the index -1"),
        ("winogrande", {"answer": ""}, "its answer is ''"),
        ("winogrande", {"sentence": "Nobody knows."}, "its sentence has no blank (_)"),
        ("truthful_qa", {"best_answer": " "}, "its best_answer is empty"),
        ("truthful_qa", {"incorrect_answers": ["", " "]}, "it has 1 choices"),
        ("med_qa", {"answer_idx": "E"}, "its answer is 'E'"),
        ("lsat_qa", {"label": 5}, "none has the index 5"),
        ("gpqa", {"Question": ""}, "its question is empty"),
        ("mmlu_pro", {"answer": "D"}, "none has the index 3"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(name: str, change: dict[str, Any], problem: str, invented: Store) -> None:
    scenario = BY_NAME[name]
    (table,) = scenario.tables
    with pytest.raises(MissingTable) as caught:
        load_data(scenario, Rows(invented, table, change))
    sentence = str(caught.value)
    last = len(list(invented.rows(table)))
    assert sentence.startswith(f"{name}: row {last} of {table} ")
    assert problem in sentence


def test_a_pair_of_equal_sentences_is_named(invented: Store) -> None:
    table = BY_NAME["blimp"].tables[3]
    broken = Rows(invented, table, {"sentence_bad": "The mill that the miller owns turns."})
    with pytest.raises(MissingTable, match=f"{table.config}.*its two sentences are the same"):
        load_data(BY_NAME["blimp"], broken)


@pytest.mark.parametrize("scenario", [s for s in MULTIPLE_CHOICE_SCENARIOS if s.example_tables], ids=lambda s: s.name)
def test_without_their_table_there_are_no_examples(scenario: Scenario, invented: Store) -> None:
    class WithoutExamples(Rows):
        def has(self, table: Table) -> bool:
            return table not in scenario.example_tables

    data = scenario.load(WithoutExamples(invented, TABLE, {}))
    assert not data.train
    assert data.test == scenario.load(invented).test


def test_without_its_table_a_scenario_cannot_be_asked() -> None:
    with pytest.raises(MissingTable, match="is not there"):
        read(Empty(), TABLE, "x-", lambda _name, _row: [])
    assert read_if_there(Empty(), TABLE, "x-", lambda _name, _row: []) == []


def test_a_row_gives_one_instance_or_several_or_none(invented: Store) -> None:
    def make(name: str, row: Row) -> Any:
        instance = question(name, row["goal"], [row["sol1"], row["sol2"]], row["label"])
        return [instance, instance] if row["label"] else []

    found = read(invented, BY_NAME["piqa"].tables[0], "x", make)
    assert [instance.id for instance in found] == ["x1", "x1"]


@given(st.lists(st.text(max_size=3), min_size=2, max_size=12), st.data())
def test_choices_keep_their_order_and_what_reads_like_the_answer_is_right(
    texts: list[str], data: st.DataObject
) -> None:
    correct = data.draw(st.integers(0, len(texts) - 1))
    made = references(texts, correct)
    assert [reference.text for reference in made] == texts
    assert made[correct].is_correct
    assert all(reference.is_correct == (reference.text == texts[correct]) for reference in made)


@given(st.lists(st.text(max_size=2), min_size=1, max_size=6), st.text(max_size=2))
def test_labels_are_found_or_refused(labels: list[str], label: str) -> None:
    if label in labels:
        assert labels[labelled(labels, label)] == label
    else:
        with pytest.raises(Unusable):
            labelled(labels, label)
