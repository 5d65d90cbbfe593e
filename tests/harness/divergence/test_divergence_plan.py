from __future__ import annotations

import dataclasses

import pytest

from harness.divergence.plan import EXACT_BYTES, Plan, Reading, make_plan
from harness.divergence.text import Text

TEXT = Text("book.txt", "f" * 64, "")


def reading(*, n_tokens: int = 20_000, first: int = 0, bos: bool = True, n_vocabulary: int = 4096) -> Reading:
    return Reading([first, *range(1, n_tokens)], (1,) if bos else (), n_vocabulary)


def plan(*others: Reading, own: Reading | None = None, context: int = 2048, most: int | None = None) -> Plan:
    readings = {"f16": own or reading()} | {f"q{i}": other for i, other in enumerate(others)}
    return make_plan(TEXT, readings, context=context, most=most)


def test_models_that_read_the_text_otherwise_are_left_out_by_name() -> None:
    found = plan(reading(), reading(first=7), reading(bos=False), reading(n_vocabulary=4097))
    assert (found.compared, found.left_out) == (("q0",), ("q1", "q2", "q3"))
    assert found.n_asked == 2 * 39
    left_out = [
        f"{label} reads the text as other tokens than the reference and is left out" for label in found.left_out
    ]
    assert found.notes == [f"Divergence: {'; '.join(left_out)}."]


def test_a_plain_plan_needs_no_words() -> None:
    assert plan(reading()).notes == []


def test_the_record_says_over_what() -> None:
    assert plan(most=20).record == {
        "text": "book.txt",
        "sha256": "f" * 64,
        "n_ctx": 512,
        "score_from": 257,
        "windows": 20,
        "tokens": 20 * 255,
        "store": "exact",
    }


@pytest.mark.parametrize(
    ("most", "context", "n_tokens", "says"),
    [
        (39, 2048, 20_000, None),
        (13, 2048, 20_000, "measured over the first 13 windows of 512 tokens, 33% of book.txt"),
        (None, 128, 20_000, "windows have 128 tokens and not 512, because the text or a model's context is short"),
        (None, 2048, 4_000, "too few windows for intervals (7 of 10)"),
    ],
)
def test_what_a_reader_must_know_is_told(most: int | None, context: int, n_tokens: int, says: str | None) -> None:
    found = plan(own=reading(n_tokens=n_tokens), context=context, most=most)
    assert found.notes == ([f"Divergence: {says}."] if says else [])


def test_a_file_that_was_not_read_whole_is_told() -> None:
    half = dataclasses.replace(TEXT, share=0.5)
    found = make_plan(half, {"f16": reading()}, context=2048, most=None)
    assert found.notes == ["Divergence: measured over the first 39 windows of 512 tokens, 50% of book.txt."]


def test_a_store_is_exact_while_it_stays_below_two_gibibytes() -> None:
    n_scored = 39 * 255
    border = EXACT_BYTES // (2 * n_scored)
    assert plan(own=reading(n_vocabulary=border)).store_format == "exact"
    assert plan(own=reading(n_vocabulary=border + 1)).store_format == "compact"
