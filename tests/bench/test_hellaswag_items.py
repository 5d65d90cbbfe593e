from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.hellaswag import Item, Question, as_lines, clean, is_correct, load_items, tokenized
from bench.setup import BenchError

texts = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "validation.parquet"
    endings = ["sits.", "[step] stands  up.", "runs.", "flies."]
    rows = [{"activity_label": f"Roof {n}", "ctx": "A man. he", "endings": endings, "label": str(n)} for n in range(4)]
    pd.DataFrame(rows).to_parquet(path)
    return path


def by_words(text: str) -> list[int]:
    return [1, *(2 + hash(word) % 10_000 for word in text.split())]


def test_items_come_in_order_and_clean(file: Path) -> None:
    items = load_items(file, 3)
    assert [item.gold for item in items] == [0, 1, 2]
    assert items[1] == Item("Roof 1: A man. he", ("sits.", "stands up.", "runs.", "flies."), 1)


def test_more_items_than_there_are(file: Path) -> None:
    with pytest.raises(BenchError, match="it has 4 items, not 5; choose fewer by --items"):
        load_items(file, 5)


def test_another_file(tmp_path: Path) -> None:
    path = tmp_path / "validation.parquet"
    path.write_text("no Parquet")
    with pytest.raises(BenchError, match="no Parquet file with the columns activity_label, ctx"):
        load_items(path, 1)


def test_titles_of_wikihow_are_set_off() -> None:
    assert clean("How to sit [title] Find a chair. [step] Any chair [substeps] will do.") == (
        "How to sit. Find a chair. Any chair will do."
    )


@given(texts)
def test_clean_text_is_one_line(text: str) -> None:
    assert len(clean(text).splitlines()) <= 1
    assert "  " not in clean(text)


@given(st.lists(st.builds(Item, texts.map(clean), st.tuples(*[texts.map(clean)] * 4), st.integers(0, 3))))
def test_an_item_is_six_lines(items: list[Item]) -> None:
    lines = as_lines(items).split("\n")[:-1]
    back = [Item(lines[n], tuple(lines[n + 2 : n + 6]), int(lines[n + 1])) for n in range(0, len(lines), 6)]
    assert back == items


def test_prompts_share_the_context_and_what_endings_have_in_common() -> None:
    item = Item("the man", ("sits on it", "sits down", "sits", "sits down there"), 2)
    question = tokenized(item, by_words)
    assert question.prompts[1] == by_words("the man sits down")
    assert question.shared == 4
    assert question.gold == 2


def answer(scores: list[list[float | None]]) -> dict[str, Any]:
    choices = [{"index": index, "logprobs": {"token_logprobs": found}} for index, found in enumerate(scores)]
    random.Random(0).shuffle(choices)
    return {"choices": choices}


def test_the_best_mean_over_what_the_ending_adds_wins() -> None:
    # By sums the third would win, and by means over the whole prompt the first.
    scores: list[list[float | None]] = [
        [None, -1, -5, -5, -5],
        [None, -1, -2, -2, -2, -2],
        [None, -1, -3],
        [None, -1, -4],
    ]
    prompts = [[0] * len(found) for found in scores]
    assert [is_correct(answer(scores), Question(prompts, 2, gold)) for gold in range(4)] == [False, True, False, False]


def test_unscored_beginnings_do_not_matter() -> None:
    scores: list[list[float | None]] = [[None, None, -2], [None, None, -1], [None, None, -3], [None, None, -4]]
    assert is_correct(answer(scores), Question([[0] * 3] * 4, 2, 1))


def test_a_missing_choice_is_an_error() -> None:
    with pytest.raises(BenchError, match="4 prompts came back as 3 choices"):
        is_correct(answer([[None, -1]] * 3), Question([[0, 0]] * 4, 1, 0))
