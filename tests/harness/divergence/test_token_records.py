from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from harness.divergence.records import COLUMNS, SCHEMA, no_tokens, token_frame
from harness.divergence.windows import Windows, cut
from harness.serving.divergence import ComparedWindow


@pytest.fixture
def windows() -> Windows:
    return cut(list(range(100, 170)), (1,), 4096, None)


def answer(windows: Windows, first: float) -> ComparedWindow:
    """Numbers of which each is there once."""
    n = windows.n_ctx - windows.score_from
    names = [name for name in ComparedWindow.model_fields if name not in ("same_top", "near_tie")]
    values = {name: [first + 100 * i + j for j in range(n)] for i, name in enumerate(names)}
    flags = {"same_top": [bool(j % 2) for j in range(n)], "near_tie": [not j for j in range(n)]}
    return ComparedWindow.model_validate(values | flags)


def test_every_scored_token_is_a_row_with_what_was_answered(windows: Windows) -> None:
    answers = [answer(windows, 0), answer(windows, 5000)]
    found = token_frame("q4_0", windows, answers)
    assert list(found.columns) == [column.name for column in COLUMNS]
    assert len(found) == windows.n_scored == 2 * (35 - 18)
    assert set(found["model"]) == {"q4_0"}
    for row in found.itertuples():
        assert row.token == windows.tokens[row.window][row.position]
        for name in ComparedWindow.model_fields:
            assert getattr(row, name) == getattr(answers[row.window], name)[row.position - windows.score_from]
    assert not found.duplicated(["window", "position"]).any()


def test_frames_are_as_declared_with_and_without_rows(windows: Windows) -> None:
    for frame in (token_frame("m", windows, [answer(windows, 0)] * 2), no_tokens()):
        table = pa.Table.from_pandas(frame, SCHEMA, preserve_index=False)
        assert table.schema.names == SCHEMA.names
        assert frame["kld"].dtype == np.float64


def test_null_in_an_answer_is_infinity(windows: Windows) -> None:
    found = ComparedWindow.model_validate_json(
        '{"logprob": [null], "reference_logprob": [-1], "kld": [null], "kld_bound": [0], "kld_reverse": [null], '
        '"same_top": [false], "reference_top": [0.5], "near_tie": [false]}'
    )
    assert (found.logprob, found.kld, found.kld_reverse) == ([-math.inf], [math.inf], [math.inf])


def test_the_docs_list_every_column_with_its_meaning() -> None:
    page = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")
    section = page.split("## The columns of `tokens`")[1].split("\n## ")[0]
    found = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    assert found == {column.name: column.meaning for column in COLUMNS}
