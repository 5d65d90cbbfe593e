"""What scenarios of a user's own are tested with: a folder with a YAML file and its data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

YAML = """data: quiz.jsonl
input: question
choices: choices
answer: answer
adapter: multiple_choice_joint
metrics: exact_match
"""
ROWS = [
    {"question": "2 + 2?", "choices": ["three", "four"], "answer": "four", "subject": "sums"},
    {"question": "¿1 + 1?", "choices": ["two", "one", "ten"], "answer": "A", "subject": "sums"},
    {"question": "3 - 3?", "choices": ["none", "six"], "answer": 0, "subject": "differences"},
]


@pytest.fixture
def quiz(tmp_path: Path) -> Callable[..., Path]:
    """Writes ``quiz.yaml`` and ``quiz.jsonl``; ``changes`` to the YAML's lines by key, None to leave one out."""

    def write(rows: list[Any] | str | None = None, yaml: str | None = None, **changes: str | None) -> Path:
        lines = dict(line.split(": ", 1) for line in YAML.splitlines()) | changes
        text = "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None)
        path = tmp_path / "quiz.yaml"
        path.write_text(text if yaml is None else yaml, encoding="utf-8")
        data = rows if isinstance(rows, str) else "".join(f"{json.dumps(row)}\n" for row in (rows or ROWS))
        (tmp_path / "quiz.jsonl").write_text(data, encoding="utf-8")
        return path

    return write
