from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.data.hub import Hub
from harness.data.table import Row, Store, Table
from harness.errors import MissingTable, UserError
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.loading import load_data
from harness.types import Instance, Reference

TEST, TRAIN = (Table("someone/quiz", "easy", split, "any") for split in ("test", "train"))


class Shelf:
    """A store with some tables, as a mirror is one: there is nothing else."""

    def __init__(self, tables: dict[Table, list[Row]]) -> None:
        self.tables = tables

    def rows(self, table: Table) -> Iterable[Row]:
        if table not in self.tables:
            raise MissingTable(f"{table} is not there", "get {scenario}")
        return self.tables[table]

    def has(self, table: Table) -> bool:
        return table in self.tables


def read(store: Store) -> Data:
    def instance(number: int, row: Row) -> Instance:
        choices = [Reference(text, i == row["answer"]) for i, text in enumerate(row["choices"])]
        if not any(choice.is_correct for choice in choices):
            raise ValueError("no choice is right.")
        return Instance(f"quiz-{number}", row["question"].strip(), tuple(choices))

    train = store.rows(TRAIN) if store.has(TRAIN) else []
    return Data(
        [instance(i, row) for i, row in enumerate(train)], [instance(i, row) for i, row in enumerate(store.rows(TEST))]
    )


def scenario(load: Callable[[Store], Data] = read) -> Scenario:
    return Scenario(
        name="quiz",
        description="a quiz",
        adapters=(AdapterSpec(method="generation"),),
        metrics=("exact_match",),
        load=load,
        tables=(TEST,),
        example_tables=(TRAIN,),
    )


def row(**changes: Any) -> Row:
    return {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1} | changes


def test_examples_may_be_missing_and_instances_may_not() -> None:
    data = load_data(scenario(), Shelf({TEST: [row(), row()]}))
    assert (len(data.train), [instance.id for instance in data.test]) == (0, ["quiz-0", "quiz-1"])
    with pytest.raises(MissingTable) as caught:
        load_data(scenario(), Shelf({TRAIN: [row()]}))
    assert str(caught.value) == "quiz: someone/quiz (easy, test) is not there; get quiz."


def test_from_the_hub_examples_are_got_too(tmp_path: Path) -> None:
    class Downloads(Hub):
        asked: list[Table] = []  # noqa: RUF012

        def rows(self, table: Table) -> Iterable[Row]:
            self.asked.append(table)
            return [row()]

    hub = Downloads(cache=tmp_path)
    load_data(scenario(), hub)
    assert hub.asked[:2] == [TEST, TRAIN]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"question": "2 + 2?", "choices": ["3", "4"]}, "there is no column 'answer'"),
        (row(question=None), "'NoneType' object has no attribute 'strip'"),
        (row(choices=7), "'int' object is not iterable"),
        (row(answer=9), "no choice is right"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(bad: Row, reason: str) -> None:
    for tables, where in (
        ({TEST: [row(), row(), bad, row()]}, "row 3 of someone/quiz (easy, test)"),
        ({TEST: [row()], TRAIN: [bad]}, "row 1 of someone/quiz (easy, train)"),
    ):
        with pytest.raises(MissingTable) as caught:
            load_data(scenario(), Shelf(tables))
        assert str(caught.value).startswith(f"quiz: {where} cannot be read ({reason}); the scenario needs the columns")


def test_what_fails_behind_the_last_row_names_the_table() -> None:
    def load(store: Store) -> Data:
        return Data([], [Instance("x", [*store.rows(TEST)][-1]["nothing"])])

    with pytest.raises(MissingTable, match=r"^quiz: someone/quiz \(easy, test\) cannot be read \(there is no column"):
        load_data(scenario(load), Shelf({TEST: [row()]}))


def test_rows_can_be_passed_through_twice() -> None:
    def load(store: Store) -> Data:
        rows = store.rows(TEST)
        return Data([], [Instance(f"{i}", one["question"]) for i, one in enumerate([*rows, *rows])])

    assert len(load_data(scenario(load), Shelf({TEST: [row(), row()]})).test) == 4


def test_faults_of_the_user_and_of_the_program_stay_what_they_are() -> None:
    def asked(_store: Store) -> Data:
        raise UserError("no such slice.")

    def broken(_store: Store) -> Data:
        raise ValueError("a bug")

    with pytest.raises(UserError, match=r"^no such slice\.$"):
        load_data(scenario(asked), Shelf({TEST: []}))
    with pytest.raises(ValueError, match="a bug"):
        load_data(scenario(broken), Shelf({TEST: []}))
