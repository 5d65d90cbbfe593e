from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.differences import Compared, compare_csv, compare_frames, compare_lines

ROWS = st.lists(st.tuples(st.integers(0, 999), st.floats(allow_infinity=True) | st.none(), st.text()), max_size=8)


def frame(rows: list[tuple[int, float | None, str]]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=["id", "value", "text"]).drop_duplicates("id")
    return found.astype({"value": float})


def compare(written: pd.DataFrame, again: pd.DataFrame) -> Compared:
    return compare_frames("f", written, again, ["id"])


@given(ROWS)
def test_a_frame_does_not_differ_from_itself_in_whatever_order(rows: list[tuple[int, float | None, str]]) -> None:
    found = compare(frame(rows), frame(rows).iloc[::-1])
    assert found == ([], 2 * len(frame(rows)))


@pytest.mark.parametrize(
    ("column", "cell"), [("value", 1.0 + 1e-6), ("value", math.nan), ("value", math.inf), ("text", "b"), ("text", None)]
)
def test_a_cell_that_differs_is_named(column: str, cell: object) -> None:
    rows = frame([(1, 1.0, "a"), (2, 1.0, "a")])
    changed = rows.copy()
    changed.loc[1, column] = cell
    (difference,) = compare(changed, rows).differences
    assert (difference.file, difference.row, difference.column) == ("f", "2", column)


def test_figures_within_the_rounding_of_a_processor_are_the_same() -> None:
    rows = frame([(1, 1.0, "a")])
    assert compare(rows.assign(value=1.0 + 1e-12), rows).differences == []


def test_lists_and_missing_words_are_compared_too() -> None:
    lists = pd.DataFrame({"id": [1, 2], "all": [np.array([1, 2]), []], "correct": pd.array([None, True], "boolean")})
    assert compare(lists, lists).differences == []
    other = lists.assign(all=[[1, 3], []], correct=pd.array([False, None], "boolean"))
    assert [str(one) for one in compare(lists, other).differences] == [
        "f, 1, all: [1, 2] is written, and [1, 3] follows.",
        "f, 1, correct: <NA> is written, and False follows.",
        "f, 2, correct: True is written, and <NA> follows.",
    ]


def test_rows_in_one_frame_only_and_rows_there_twice() -> None:
    rows = frame([(1, 1.0, "a"), (2, 1.0, "a")])
    found = compare(pd.concat([rows, rows.iloc[:1]]), rows.assign(id=[1, 3]))
    assert [str(one) for one in found.differences] == [
        "f, 2: a row is written, and none follows.",
        "f, 1: more than one row is written, and one follows.",
        "f, 3: none is written, and a row follows.",
    ]


def test_what_follows_from_a_row_that_is_there_twice_is_looked_at_once() -> None:
    rows = frame([(1, 1.0, "a"), (2, 1.0, "a")])
    twice = pd.concat([rows, rows.iloc[:1], rows.iloc[:1]])
    assert [str(one) for one in compare(twice, twice).differences] == [
        "f, 1: more than one row is written, and one follows."
    ]
    assert compare(rows, twice).differences == []


def test_frames_without_rows_need_no_columns() -> None:
    rows = frame([(1, 1.0, "a")])
    assert compare(pd.DataFrame(), pd.DataFrame()) == ([], 0)
    assert len(compare(pd.DataFrame(), rows).differences) == len(compare(rows, pd.DataFrame()).differences) == 1


def test_lines() -> None:
    assert compare_lines("f", "a\nb\n", "a\nb\n") == ([], 2)
    (difference,) = compare_lines("f", "a\n", "a\nb\n").differences
    assert str(difference) == "f, line 2: nothing is written, and 'b' follows."
    (ends,) = compare_lines("f", "a", "a\n").differences
    assert ends.row == "its line ends"


@pytest.mark.parametrize("at", [0, 1, 40, 500, 997, 998])
def test_of_long_texts_the_part_that_differs_is_shown_and_nothing_is_lost(at: int) -> None:
    line = "x" * 999
    (one,) = compare_lines("f", line, f"{line[:at]}!{line[at + 1 :]}").differences
    assert (one.written, len(one.again), one.again[at + 1]) == (repr(line), 1001, "!")
    said = str(one)
    assert "!" in said
    assert len(said) < 250
    assert said.count("...") == (4 if 20 < at < 900 else 2)


def test_a_text_that_goes_on_is_shown_where_it_ends() -> None:
    (one,) = compare_lines("f", "x" * 200, "x" * 200 + "y").differences
    assert str(one).endswith("y' follows.")


TABLE = 'a,b\n1,"x, y"\n2,z\n'


def test_cells_of_csv_are_named_by_line_and_column() -> None:
    assert compare_csv("f", TABLE, TABLE) == ([], 3)
    (one,) = compare_csv("f", TABLE.replace("x, y", "x, w"), TABLE).differences
    assert str(one) == "f, line 2, b: 'x, w' is written, and 'x, y' follows."


@pytest.mark.parametrize(
    ("written", "row"),
    [
        (TABLE.replace("a,b", "a,c"), "line 1"),
        (f"{TABLE}3,z\n", "line 4"),
        (TABLE.replace("2,z", "2,z,"), "line 3"),
        (TABLE.replace("2,z", '2,"z"'), "line 3"),
        ("", "line 1"),
        (TABLE.replace("\n", "\r\n"), "its line ends"),
    ],
)
def test_tables_of_another_shape_or_spelling_are_compared_by_line(written: str, row: str) -> None:
    first = compare_csv("f", written, TABLE).differences[0]
    assert (first.row, first.column) == (row, "")


def test_comparisons_add_up() -> None:
    assert compare_lines("f", "a", "b") + compare_lines("f", "a", "a") == (compare_lines("f", "a", "b").differences, 2)
