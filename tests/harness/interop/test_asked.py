"""What the exports share: lines that every reader takes apart alike, names of tasks, and right answers."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.store import open_store
from harness.errors import UserError
from harness.execution.tasks import Asking, plan_tasks
from harness.interop.asked import (
    LeftOut,
    by_perturbation,
    right_words,
    task_words,
    too_long,
    without_left_out,
    write_lines,
)
from harness.perturbations.table import find_perturbations
from harness.scenarios.table import SCENARIOS
from harness.types import Instance, Reference, Request

TWO_RIGHT = Instance("q", "?", (Reference("no", False), Reference("yes", True), Reference("indeed", True)))


@given(st.lists(st.text(), max_size=3))
def test_a_line_is_a_row_for_every_reader(texts: list[str]) -> None:
    rows = [{"text": f"{text}\u2028\u0085\x0b"} for text in texts]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_lines(path, rows)
        # As HELM takes a file apart, and as others do.
        for lines in (path.read_text(encoding="utf-8").splitlines(), path.read_bytes().splitlines()):
            assert [json.loads(line) for line in lines] == rows


def test_perturbations_are_tasks_with_names_of_their_own() -> None:
    asking = Asking(max_instances=2, seed=0, trials=2, perturbations=tuple(find_perturbations(["lowercase"])))
    tasks = plan_tasks(SCENARIOS["world_choice"], open_store(None), asking)
    parts = [(kind, part) for task in tasks for kind, part in by_perturbation(task)]
    names = [task_words(part, kind) for kind, part in parts]
    assert len(set(names)) == len(names)
    assert {"world_choice_joint", "world_choice_joint_trial2_lowercase", "world_choice_separate"} <= set(names)
    assert all({one.perturbation for one in part.instances} == {kind} for kind, part in parts)


def test_right_answers_are_letters_where_letters_are_asked_for() -> None:
    assert TWO_RIGHT.right == (1, 2)
    assert right_words(TWO_RIGHT, Request((), ())) == ["yes", "indeed"]
    assert right_words(TWO_RIGHT, Request((), (), labels=("A", "B", "C"))) == ["B", "C"]


def test_what_cannot_be_asked_is_told_apart() -> None:
    odd = LeftOut("odd", "nobody asks so")
    assert without_left_out(["a", odd, "b"], "Theirs") == (["a", "b"], ["Left out: odd: nobody asks so."])
    with pytest.raises(UserError, match=r"Theirs can ask none of these tasks.*Left out: odd: nobody asks so\."):
        without_left_out([odd], "Theirs")
    assert too_long([], 10, "so what") == []
