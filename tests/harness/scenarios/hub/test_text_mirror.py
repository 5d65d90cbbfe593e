"""Every row of the offline mirror's tables, where there is one."""

from __future__ import annotations

import hashlib

import pytest

from harness.data.table import Store
from harness.scenarios.base import Data
from harness.scenarios.hub.text import TEXT_SCENARIOS

BY_NAME = {scenario.name: scenario for scenario in TEXT_SCENARIOS}
COUNTS = {
    "boolq_closed_book": (327, 2943),
    "movie_reviews": (100, 900),
    "gsm": (7473, 1319),
    "wikitext": (0, 60),
    "lambada": (0, 5153),
}
"""Examples and tests; together the rows that the mirror's description states, and WikiText's 60 articles."""


def load(name: str, mirror: Store) -> Data:
    return BY_NAME[name].load(mirror)


@pytest.mark.parametrize("name", COUNTS)
def test_all_rows_load(name: str, mirror: Store) -> None:
    data = load(name, mirror)
    assert (len(data.train), len(data.test)) == COUNTS[name]
    assert len({one.id for one in (*data.train, *data.test)}) == sum(COUNTS[name])


def test_wikitext_is_the_published_file(mirror: Store) -> None:
    text = "".join(one.input for one in load("wikitext", mirror).test).encode()
    assert len(text) == 1_290_590
    assert hashlib.sha256(text).hexdigest() == "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08"


def test_every_sum_ends_in_its_number(mirror: Store) -> None:
    data = load("gsm", mirror)
    assert all(" The answer is " in one.gold and one.gold.endswith(".") for one in (*data.train, *data.test))


def test_majorities_are_as_described(mirror: Store) -> None:
    boolq, reviews = load("boolq_closed_book", mirror), load("movie_reviews", mirror)
    assert sum(one.gold == "Yes" for one in (*boolq.train, *boolq.test)) == 2033
    assert sum(one.gold == "Positive" for one in (*reviews.train, *reviews.test)) == 500
