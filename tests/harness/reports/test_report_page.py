from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.offline
import pytest
from made_run import TASKS, make_run

from harness.reports.page import html_page
from harness.results import Run

PLOTLY = plotly.offline.get_plotlyjs()


class Outline(HTMLParser):
    """Tags, headings and identifiers of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def page(made: Run) -> str:
    return html_page(made)


def test_everything_is_in_one_file_that_asks_for_nothing(page: str) -> None:
    own = page.replace(PLOTLY, "")
    assert not re.findall(r"https?://|url\(|@import|fetch\(|XMLHttpRequest|\bimport\(", own)
    outline = Outline(own)
    assert [link["href"] for link in outline.all("link")] == ["data:,"]
    assert not outline.all("img", "iframe", "object", "embed", "base", "audio", "video", "source")
    assert all("src" not in script for script in outline.all("script"))
    (policy,) = [found["content"] for found in outline.all("meta") if found.get("http-equiv")]
    assert (policy or "").startswith("default-src 'none'; script-src 'sha256-")


def test_without_plotly_it_is_small(page: str) -> None:
    assert page.count(PLOTLY) == 1
    assert len(page.replace(PLOTLY, "").encode()) < 500_000


def test_it_can_be_walked_through_by_headings(page: str) -> None:
    outline = Outline(page.replace(PLOTLY, ""))
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(set(names)) == len(names)
    labels = {attributes["aria-labelledby"] for _, attributes in outline.tags if "aria-labelledby" in attributes}
    assert labels <= set(names)


def test_every_plot_has_words_and_a_table(page: str) -> None:
    plots = [found for found in Outline(page.replace(PLOTLY, "")).all("div") if found.get("class") == "plot"]
    assert len(plots) == 7
    assert all(len(plot["aria-label"] or "") > 60 for plot in plots)
    assert page.count("The figures as a table") == 7


def test_divergence_by_confidence_is_there(page: str) -> None:
    assert "Divergence by how sure f16 was" in page
    assert "<td>99% to 100%</td>" in page


def test_the_recommendation_stands_first(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    page = html_page(as_run(degradation, ["A note."])).replace(PLOTLY, "")
    places = [page.index(text) for text in ("Take q8_0.", "Verdicts</h2>", "All models</h2>", "A note.", "harness run")]
    assert places == sorted(places)
    assert page.count('class="pick"') == 1


MANY_TASKS = tuple((f"t{number}", "generation", "exact_match") for number in range(100))
LACKING: dict[str, dict[str, Any]] = {
    "others": {"models": ("f16",)},
    "more than one question": {"n": 1},
    "divergence": {"tokens": False},
    "speeds": {"efficiency": False},
    "right and wrong": {"tasks": TASKS[3:]},
    "anything": {"tasks": (), "tokens": False, "efficiency": False},
    "brevity in models": {"models": ("f16", *(f"m{number}" for number in range(30))), "tasks": TASKS[:1]},
    "brevity in scenarios": {"tasks": MANY_TASKS, "n": 2},
}


@pytest.mark.parametrize("how", list(LACKING))
def test_what_a_run_may_lack_is_left_out(how: str) -> None:
    page = html_page(make_run(**({"models": ("f16", "q8_0"), "n": 5} | LACKING[how])))
    assert "What was run" in page
    assert ">nan<" not in page.replace(PLOTLY, "").lower()


def test_divergence_alone_says_nothing_of_questions() -> None:
    own = html_page(make_run(("f16", "q8_0"), tasks=())).replace(PLOTLY, "")
    assert "against f16, on the same text." in own
    assert "PPL ratio" in own
    for words in ("Answers that changed</h2>", "no verdict<", "(the margin)", "Verdicts</h2>"):
        assert words not in own


def test_a_text_that_looks_like_html_is_text(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    hostile = "\"><script>alert(1)</script><b title='x"
    run = as_run(degradation.replace({"scenario": {"world_facts": hostile}}), [hostile], command=hostile)
    run.models[1]["file"] = hostile
    own = html_page(run).replace(PLOTLY, "")
    assert "<script>alert" not in own
    assert "alert(1)" in own
