"""Rows of a user's own file: JSONL, CSV, TSV or Parquet, each with the place where it stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.data.parquet import read_rows
from harness.data.table import Row
from harness.errors import UserError

READABLE = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


class PlacedRow(NamedTuple):
    """A row, and where to look for it."""

    number: int
    """Counts rows from 1; in JSONL it is the number of the line."""
    place: str
    """Such as ``line 3 of quiz.jsonl``."""
    values: Row


def file_rows(path: Path) -> list[PlacedRow]:
    """All rows of a file, told apart by its suffix.

    Raises:
        UserError: it cannot be read, or has no rows; the sentence names the file and the line.
    """
    kind = path.suffix.lower()
    if kind not in READABLE:
        raise UserError(f"{path} is none of {', '.join(READABLE)}; write the data in one of these.")
    if not path.is_file():
        raise UserError(f"{path} is not there; the path is taken relative to the YAML file that names it.")
    if kind == ".parquet":
        rows = list(placed(read_rows([path]), path.name))
    else:
        text = _text(path)
        rows = list(_json_rows(path, text) if kind in (".jsonl", ".ndjson") else _csv_rows(path, text))
    if not rows:
        raise UserError(f"{path} has no rows; add some.")
    return rows


def placed(rows: Iterable[Row], name: str) -> Iterator[PlacedRow]:
    """Rows of a table, counted from 1."""
    return (PlacedRow(number, f"row {number} of {name}", row) for number, row in enumerate(rows, 1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _json_rows(path: Path, text: str) -> Iterator[PlacedRow]:
    # Not splitlines, which also breaks at characters that JSON allows within a text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"line {number} of {path.name}"
        try:
            row: Any = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            said = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise UserError(f"{path}, line {number}, is no JSON: {said}; write one object a line.") from error
        if not isinstance(row, dict):
            raise UserError(f"{path}, line {number}, is no JSON object but {line[:40]!r}; write one object a line.")
        yield PlacedRow(number, place, row)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _csv_rows(path: Path, text: str) -> Iterator[PlacedRow]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    header: list[str] = []
    number = 0
    try:
        for cells in reader:
            if not cells:
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                _check_header(path, header)
                continue
            number += 1
            if len(cells) != len(header):
                raise UserError(
                    f"{path}, row {number} (line {reader.line_num}), has {len(cells)} fields and the header "
                    f"{len(header)}; put texts with commas between quotes."
                )
            yield PlacedRow(number, f"row {number} of {path.name}", dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}, is no CSV: {error}.") from error


def _check_header(path: Path, header: list[str]) -> None:
    if "" in header or len(set(header)) < len(header):
        raise UserError(
            f"{path} has no header: its first line must name each column once, and reads {', '.join(header)[:80]!r}."
        )
