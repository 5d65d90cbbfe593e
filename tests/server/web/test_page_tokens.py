from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.web.conftest import Playground

TEXT = "Question: What is the capital of Gloustaski?\nAnswer: Drelstan"
HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script><b id="legend">\'"&lt;\u202eesrever\u202c\x00{{7*7}}'


def logprob(shown: str) -> float:
    return float(shown.replace("−", "-"))


@pytest.mark.parametrize("how", ["pointer", "keyboard", "tap"])
def test_the_alternatives_are_those_of_the_server(
    open_page: Callable[..., Playground], bundled_server: ServerUnderTest, how: str
) -> None:
    playground = open_page(bundled_server, has_touch=True)
    playground.score(TEXT, alternatives=4)
    logprobs = playground.server.score(TEXT, logprobs=4).logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert logprobs.top_logprobs is not None
    at = 6
    if how == "pointer":
        playground.tokens.nth(at).hover()
    elif how == "tap":
        playground.tokens.nth(at).tap()
    else:
        playground.tokens.first.focus()
        for _ in range(at):
            playground.page.keyboard.press("ArrowRight")
    *shown, others = playground.alternatives()
    expected = sorted((logprobs.top_logprobs[at] or {}).items(), key=lambda item: -item[1])
    assert [name for name, *_ in shown] == [
        name + (" (this token)" if name == logprobs.tokens[at] else "") for name, _ in expected
    ]
    assert [logprob(row[3]) for row in shown] == pytest.approx([value for _, value in expected], abs=6e-4)
    rest = 1 - sum(math.exp(value) for _, value in expected)
    assert float(others[2].rstrip("%")) / 100 == pytest.approx(rest, abs=6e-4)
    space = playground.inspector.locator(".name .space").bounding_box()
    assert space is not None
    assert space["width"] > 5  # the one before the word is seen
    heading = playground.inspector.locator(".place").inner_text()
    assert heading == f"prompt, token {at + 1}"


def test_the_box_goes_away(playground: Playground) -> None:
    playground.score(TEXT)
    playground.tokens.nth(3).hover()
    assert playground.inspector.is_visible()
    playground.inspector.hover()  # it can be reached
    assert playground.inspector.is_visible()
    playground.page.keyboard.press("Escape")
    assert not playground.inspector.is_visible()
    playground.tokens.nth(3).focus()
    assert playground.inspector.is_visible()
    playground.page.locator("h1").click()
    assert not playground.inspector.is_visible()


def test_the_tokens_are_one_stop_of_the_tab_key(playground: Playground) -> None:
    playground.score(TEXT)
    last = playground.tokens.count() - 1
    focused = playground.page.locator(":focus")
    playground.page.get_by_role("button", name="Copy text").focus()
    playground.page.keyboard.press("Tab")
    for key, at in [("", 0), ("ArrowLeft", 0), ("ArrowRight", 1), ("End", last), ("ArrowRight", last), ("Home", 0)]:
        if key:
            playground.page.keyboard.press(key)
        assert focused.get_attribute("data-index") == str(at)
        assert focused.get_attribute("aria-selected") == "true"
        assert focused.get_attribute("aria-describedby") == "inspector"
    playground.page.keyboard.press("ArrowRight")
    playground.page.keyboard.press("Tab")
    assert focused.inner_text() == "This request as code"
    playground.page.keyboard.press("Shift+Tab")
    assert focused.get_attribute("data-index") == "1"  # where it was left


@pytest.mark.parametrize(("width", "at"), [(1200, 5), (1200, -1), (360, 5)])
def test_the_box_lies_within_the_window_and_beside_its_token(playground: Playground, width: int, at: int) -> None:
    playground.page.set_viewport_size({"width": width, "height": 700})
    playground.score(TEXT * 20, alternatives=20)
    playground.tokens.nth(at).focus()
    box = playground.inspector.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 700
    token = playground.tokens.nth(at).bounding_box()
    assert token is not None
    apart_x = box["x"] >= token["x"] + token["width"] or box["x"] + box["width"] <= token["x"]
    apart_y = box["y"] >= token["y"] + token["height"] or box["y"] + box["height"] <= token["y"]
    assert apart_x or apart_y


def test_whitespace_and_parts_of_characters_are_seen(playground: Playground) -> None:
    playground.score("a  b\n\n\tc €")
    marks = playground.page.locator("#tokens .mark").evaluate_all("found => found.map(mark => mark.dataset.shown)")
    assert "".join(marks).count("↵") == 2
    assert "⇥" in marks
    assert "·" in marks
    assert marks[-3:] == ["e2", "82", "ac"]
    whole = playground.tokens.last
    assert whole.inner_text() == "€"  # what they are together
    assert whole.get_attribute("aria-label") == "bytes ac"
    whole.focus()
    assert "no whole text" in playground.inspector.inner_text()


def test_a_hostile_text_is_nothing_but_text(playground: Playground) -> None:
    dialogs: list[str] = []
    playground.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    before = playground.page.locator("img, script, b").count()
    playground.score(HOSTILE)
    assert playground.page.locator("img, script, b").count() == before
    assert playground.text == HOSTILE.replace("\u202e", "").replace("\u202c", "").replace("\x00", "")
    shown = playground.page.locator("#tokens .mark").evaluate_all("found => found.map(mark => mark.dataset.shown)")
    assert "".join(shown).count("U+0000") == 1
    for token in range(playground.tokens.count()):
        playground.tokens.nth(token).focus()
    playground.page.get_by_text("This request as code").click()
    assert json.dumps(HOSTILE, ensure_ascii=False)[:40] in playground.page.locator("#curl").inner_text()
    assert dialogs == []
