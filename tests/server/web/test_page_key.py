from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import ServerUnderTest
    from tests.server.web.conftest import Playground

KEY = "sk-a$'\"key"
REFUSED = "Failed to load resource: the server responded with a status of 401"


@pytest.fixture
def guarded(open_page: Callable[..., Playground], serve: Callable[..., ServerUnderTest], bundled: Path) -> Playground:
    return open_page(serve(bundled, f"--api-key={KEY}"))


def give(playground: Playground, key: str) -> None:
    playground.page.get_by_label("API key", exact=True).fill(key)
    playground.page.get_by_role("button", name="Use this key").click()


def only_refusals(playground: Playground) -> int:
    """How often the browser noted a 401, after which it is to note no more."""
    assert all(complaint.startswith(REFUSED) for complaint in playground.complaints)
    count = len(playground.complaints)
    playground.complaints.clear()
    return count


def test_the_page_asks_for_a_key_when_the_server_does(guarded: Playground) -> None:
    dialog = guarded.page.get_by_role("dialog")
    dialog.wait_for()
    assert "API key" in dialog.locator("#key-refusal").inner_text()
    give(guarded, "wrong")
    dialog.get_by_text("none of this server's").wait_for()
    assert guarded.page.get_by_label("API key", exact=True).input_value() == ""
    give(guarded, KEY)
    guarded.page.get_by_text("world-f16 · context of").wait_for()
    assert not dialog.is_visible()
    guarded.score("The ruler")
    assert guarded.text == "The ruler"
    guarded.page.reload()
    guarded.page.get_by_text("world-f16 · context of").wait_for()  # the tab remembers
    assert only_refusals(guarded) == 2


def test_the_key_stays_out_of_the_code_and_the_address(guarded: Playground) -> None:
    give(guarded, KEY)
    guarded.page.get_by_text("world-f16 · context of").wait_for()
    guarded.score("The ruler")
    code = guarded.page.locator("#code").text_content()
    assert code is not None
    assert KEY not in code
    assert "$OPENAI_API_KEY" in code
    assert KEY not in guarded.page.content()
    assert not [url for url in guarded.requested if "key=" in url]
    another = guarded.page.context.new_page()
    another.goto(guarded.page.url)
    another.get_by_role("dialog").wait_for()  # another tab does not know it
    only_refusals(guarded)


def test_without_a_key_the_page_says_what_is_missing(guarded: Playground) -> None:
    guarded.page.get_by_role("button", name="Cancel").click()
    guarded.page.locator("#model", has_text="This server asks for an API key").wait_for()
    guarded.page.get_by_role("button", name="Run").click()
    guarded.page.get_by_role("dialog").wait_for()  # the next try asks again
    give(guarded, KEY)
    guarded.wait()
    assert guarded.tokens.count() > 0
    only_refusals(guarded)


def test_a_model_that_still_loads_is_waited_for(playground: Playground) -> None:
    sentence = "The model is loading; try again in a moment."
    asked = 0

    def answer(route: object) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:  # what the server says of itself while it loads
            error = {"message": sentence, "type": "server_error", "param": None, "code": "unavailable"}
            route.fulfill(status=503, headers={"retry-after": "1"}, json={"error": error})  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    playground.page.route("**/v1/models", answer)
    playground.page.reload()
    playground.page.get_by_text(sentence).wait_for()
    playground.page.get_by_text("world-f16 · context of").wait_for()
    assert asked == 2
    playground.complaints.clear()
