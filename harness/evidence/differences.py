"""Where what is written and what follows from the answers are not the same."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_float_dtype

CLOSE = 1e-9
"""Figures that agree so far, relatively, are the same: another processor may round sums otherwise."""
WIDEST = 80
"""Characters of a text that a sentence shows."""
BEFORE = 20
"""So many of them stand before the first that differs."""


class Difference(NamedTuple):
    """One figure or text."""

    file: str
    row: str
    """What tells the row from others, or its number; empty where the whole file is meant."""
    column: str
    """Empty where the whole row is meant."""
    written: str
    again: str
    """What follows from the answers."""

    def __str__(self) -> str:
        """A sentence; of long texts it has the part that differs."""
        where = ", ".join(filter(None, (self.file, self.row, self.column)))
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(self.written, self.again, strict=False))
        first = sum(1 for _ in same)
        written, again = (_around(first, text) for text in (self.written, self.again))
        return f"{where}: {written} is written, and {again} follows."


class Compared(NamedTuple):
    """The outcome of one comparison."""

    differences: list[Difference]
    n_figures: int
    """Cells or lines that were compared."""

    def __add__(self, other: object) -> Compared:
        if not isinstance(other, Compared):
            return NotImplemented
        return Compared(self.differences + other.differences, self.n_figures + other.n_figures)


NOTHING = Compared([], 0)


def compare_frames(file: str, written: pd.DataFrame, again: pd.DataFrame, keys: Sequence[str]) -> Compared:
    """Every cell of two frames whose rows are told apart by ``keys``.

    Only columns of ``again`` are looked at. A frame without rows need not have any. A row that is in one of
    them only is one difference, and so is one that is written twice. (What follows from such a row is there twice as
    well, and is looked at once.)
    """
    if again.empty:
        again = again.reindex(columns=written.columns)
    if written.empty:
        written = written.reindex(columns=again.columns)
    if not len(again.columns):
        return NOTHING
    names = [column for column in again.columns if column not in keys]
    before, after = (
        frame.set_index(pd.MultiIndex.from_frame(frame[list(keys)].astype(str))) for frame in (written, again)
    )
    twice = before.index[before.index.duplicated()].unique()
    before, after = (frame[~frame.index.duplicated()] for frame in (before, after))
    surplus = before.index[~before.index.isin(after.index)]
    missing = after.index[~after.index.isin(before.index)]
    found = [Difference(file, _row(key), "", "a row", "none") for key in surplus]
    found += [Difference(file, _row(key), "", "more than one row", "one") for key in twice]
    found += [Difference(file, _row(key), "", "none", "a row") for key in missing]
    common = after.index[after.index.isin(before.index)]
    left, right = before.loc[common], after.loc[common]
    rows = [_row(key) for key in common]
    for name in names:
        for number in np.flatnonzero(~_same(left[name], right[name])).tolist():
            cells = (_shown(frame[name].iloc[number]) for frame in (left, right))
            found.append(Difference(file, rows[number], name, *cells))
    return Compared(found, len(common) * len(names))


def compare_lines(file: str, written: str, again: str) -> Compared:
    """Every line of two texts."""
    pairs = list(itertools.zip_longest(written.splitlines(), again.splitlines()))
    found = [
        Difference(file, f"line {number}", "", *map(_shown, pair))
        for number, pair in enumerate(pairs, 1)
        if pair[0] != pair[1]
    ]
    if written != again and not found:
        found = [Difference(file, "its line ends", "", "something else", "the same lines")]
    return Compared(found, len(pairs))


def compare_csv(file: str, written: str, again: str) -> Compared:
    """Every cell of two tables in CSV, or every line where they have not the same columns and number of rows."""
    first, second = (list(csv.reader(text.splitlines(keepends=True))) for text in (written, again))
    by_line = compare_lines(file, written, again)
    if list(map(len, first)) != list(map(len, second)) or first[:1] != second[:1]:
        return by_line
    found = [
        Difference(file, f"line {number}", column, _shown(left), _shown(right))
        for number, rows in enumerate(zip(first, second, strict=True), 1)
        for column, left, right in zip(first[0], *rows, strict=True)
        if left != right
    ]
    return Compared(found, by_line.n_figures) if found else by_line


def _same(written: pd.Series, again: pd.Series) -> NDArray[np.bool_]:
    if is_float_dtype(again.dtype):
        first, second = (pd.to_numeric(column, errors="coerce").to_numpy(float) for column in (written, again))
        close: NDArray[np.bool_] = np.isclose(first, second, rtol=CLOSE, atol=0, equal_nan=True)
        return close
    return np.fromiter((_equal(*cells) for cells in zip(written, again, strict=True)), bool, len(again))


def _equal(written: Any, again: Any) -> bool:
    if isinstance(again, (list, np.ndarray)):
        return written is not None and list(written) == list(again)
    if pd.isna(again):
        return bool(pd.isna(written))
    return not pd.isna(written) and bool(written == again)


def _row(key: tuple[str, ...]) -> str:
    return " / ".join(filter(None, key))


def _shown(value: Any) -> str:
    """In one line, and whole."""
    if value is None:
        return "nothing"
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    return repr(plain.item() if isinstance(plain, np.generic) else plain)


def _around(first: int, text: str) -> str:
    """No more of a value than fits a sentence, with the character at ``first`` in it; our own words are kept."""
    if len(text) <= WIDEST or text[0] not in "'\"[":
        return text
    start = max(0, min(first - BEFORE, len(text) - WIDEST))
    end = start + WIDEST
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
