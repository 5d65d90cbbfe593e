from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.differences import Compared, compare_frames, compare_lines

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
    (longest,) = compare_lines("f", "x" * 999, "y").differences
    assert len(longest.written) == 80
    (ends,) = compare_lines("f", "a", "a\n").differences
    assert ends.row == "its line ends"


def test_comparisons_add_up() -> None:
    assert compare_lines("f", "a", "b") + compare_lines("f", "a", "a") == (compare_lines("f", "a", "b").differences, 2)
