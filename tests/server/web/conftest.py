"""The page in a real browser, in front of a real server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from tests.conftest import ServerUnderTest

ENDED = re.compile(r"^(Scored|Done|Stopped|Failed)\b")


class Playground:
    """The page, with the things that tests do on it."""

    def __init__(self, page: Page, server: ServerUnderTest) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        """What the browser had to say: errors of scripts, and everything that the security policy refused."""
        self.requested: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requested.append(request.url))
        page.goto(server.url.removesuffix("v1"))

    def score(self, text: str, alternatives: int = 5) -> None:
        self.page.get_by_text("Score", exact=True).click()
        self.page.get_by_label("Text to score").fill(text)
        self.page.get_by_label("Alternatives").fill(str(alternatives))
        self.run()

    def fill(self, **fields: str | int | float) -> None:
        """Fill in fields by their labels; ``max_tokens`` is "Max tokens"."""
        for name, value in fields.items():
            self.page.get_by_label(name.replace("_", " ").capitalize(), exact=True).fill(str(value))

    def run(self) -> None:
        """Press the button and wait for the end of the answer."""
        self.page.get_by_role("button", name="Run").click()
        self.wait()

    def wait(self) -> None:
        from playwright.sync_api import expect

        expect(self.page.get_by_role("status")).to_have_text(ENDED)

    @property
    def status(self) -> str:
        return self.page.get_by_role("status").inner_text()

    @property
    def tokens(self) -> Locator:
        return self.page.get_by_role("option")

    @property
    def inspector(self) -> Locator:
        return self.page.get_by_role("tooltip")

    @property
    def text(self) -> str:
        """What selecting and copying the tokens gives."""
        return self.page.get_by_role("listbox").evaluate("list => list.textContent")

    @property
    def measures(self) -> dict[str, str]:
        return dict(
            zip(
                self.page.get_by_role("term").all_inner_texts(),
                self.page.get_by_role("definition").all_inner_texts(),
                strict=True,
            )
        )

    def levels(self) -> list[str]:
        """The class of each token that gives it its colour."""
        return self.tokens.evaluate_all("found => found.map(token => token.classList[1])")

    def alternatives(self) -> list[list[str]]:
        """Rows of the box beside a token: name, bar, probability, log-probability."""
        return self.inspector.locator("tr").evaluate_all(
            """rows => rows.map(row => [...row.cells].map(cell => [
                ...[...cell.querySelectorAll('.mark:not(.space)')].map(mark => mark.dataset.shown),
                cell.textContent].join('')))"""
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window. Not for the whole run: while it is there, no test can run an event loop of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def own_server(server_type: type[ServerUnderTest], bundled: Path, tmp_path: Path) -> Iterator[ServerUnderTest]:
    """A server of the bundled model that a test may end."""
    server = server_type(bundled, tmp_path / "log")
    yield server
    server.stop()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Playground]]:
    """Open the page of a server, in a browser without a past; it must have had nothing to complain of at the end."""
    opened: list[Playground] = []

    def get(server: ServerUnderTest, **options: Any) -> Playground:
        context = browser.new_context(**options)
        context.set_default_timeout(20_000)
        playground = Playground(context.new_page(), server)
        opened.append(playground)
        return playground

    yield get
    for playground in opened:
        playground.page.context.close()
    assert [complaint for playground in opened for complaint in playground.complaints] == []


@pytest.fixture
def playground(open_page: Callable[..., Playground], bundled_server: ServerUnderTest) -> Playground:
    """The page of the bundled model's server."""
    return open_page(bundled_server)
