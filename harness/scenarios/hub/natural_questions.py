"""natural_qa: questions that people put to a search engine, with and without the paragraph that answers them."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable
from typing import NamedTuple

from harness.data.table import Row, Store, Table
from harness.layout import QUESTION, Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import BIAS, OVERLAP, open_question, passage_question, with_question_mark
from harness.scenarios.hub.rows import read
from harness.types import Instance

_TABLE = Table(
    "google-research-datasets/natural_questions", "dev", "validation", "e8103d566bef4154c2c12b17c6095ec5275840cc"
)
_TAG = re.compile(r"<[^>]*>")


class Annotation(NamedTuple):
    """A short answer, and the paragraph, table or list in which an annotator found it."""

    short: str
    long: str


def _text(page: bytes, begin: int, end: int) -> str:
    """What a part of a page says, without HTML. Offsets are in bytes."""
    part = page[begin:end].replace(b"\xc2\xa0", b" ").decode()
    return _TAG.sub("", html.unescape(part))


def short_answers(row: Row) -> list[Annotation]:
    """All short answers of all annotators, in their order, each with where it was found."""
    page = row["document"]["html"].encode()
    answers = zip(row["annotations"]["long_answer"], row["annotations"]["short_answers"], strict=True)
    return [
        Annotation(short, _text(page, long["start_byte"], long["end_byte"]))
        for long, shorts in answers
        for begin, end in zip(shorts["start_byte"], shorts["end_byte"], strict=True)
        if (short := _text(page, begin, end)).strip()
    ]


def _load(scenario: str, *, with_passage: bool) -> Callable[[Store], Data]:
    """Rows with a short answer, by turns an example and a test, as HELM takes them."""

    def make(name: str, row: Row) -> list[Instance]:
        found = short_answers(row)
        if not found:
            return []
        # Whose passage is shown, and whose answer if this is an example, is drawn by the row's id alone.
        drawn = random.Random(f"natural_qa/{row['id']}").choice(found)
        question = with_question_mark(row["question"]["text"].capitalize())
        text = passage_question(f"Passage: {drawn.long}", question, "\n\n") if with_passage else question
        return [open_question(name, text, [drawn.short, *(one.short for one in found)])]

    def load(store: Store) -> Data:
        found = read(store, _TABLE, f"{scenario}-", make)
        return Data(found[::2], found[1::2])

    return load


def _scenario(mode: str, description: str, layout: Layout, *, with_passage: bool) -> Scenario:
    name = f"natural_qa_{mode}"
    return Scenario(
        name=name,
        description=f"{description}: those of 7,830 that have a short answer, half of them as examples",
        adapters=(AdapterSpec(method="generation", layout=layout, max_tokens=300),),
        metrics=(*OVERLAP, *BIAS),
        load=_load(name, with_passage=with_passage),
        tables=(_TABLE,),
        n_instances=None,
    )


NATURAL_QUESTIONS = (
    _scenario("closedbook", "questions to a search engine", QUESTION, with_passage=False),
    _scenario(
        "openbook_longans",
        "questions to a search engine with the paragraph that answers them",
        Layout(input_prefix=""),
        with_passage=True,
    ),
)
