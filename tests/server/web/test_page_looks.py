from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.web.conftest import Playground

TEXT = "The country of Gloustaski lies by the sea.\nQuestion: What is the capital of Gloustaski?\nAnswer: Drelstan\n€"
COLOURS = """elements => elements.map(element => {
    const behind = at => {
        const colour = getComputedStyle(at).backgroundColor;
        return colour === 'rgba(0, 0, 0, 0)' ? behind(at.parentElement) : colour;
    };
    return [element.textContent, getComputedStyle(element).color, behind(element)];
})"""


def luminance(colour: str) -> float:
    """Relative luminance of an opaque ``rgb(...)``, as WCAG defines it."""
    channels = [int(channel) / 255 for channel in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups()]  # type: ignore[union-attr]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(
    open_page: Callable[..., Playground], bundled_server: ServerUnderTest, scheme: str
) -> None:
    playground = open_page(bundled_server, color_scheme=scheme)
    playground.score(TEXT)
    playground.page.get_by_text("This request as code").click()
    playground.tokens.nth(3).focus()
    playground.page.evaluate("() => document.getElementById('key-dialog').showModal()")
    shown = playground.page.locator(
        ".token, #legend li, #legend span, label, .modes span, .hint, dt, dd, h1, h1 span, h2, p, figcaption, summary, "
        "button, code, kbd, #inspector th, #inspector td, #inspector strong"
    )
    found = shown.evaluate_all(COLOURS)
    assert len(found) > 80
    low = {text: (ink, paper) for text, ink, paper in found if text.strip() and contrast(ink, paper) < 4.5}
    assert low == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_order_of_the_levels_is_seen_without_colour(
    open_page: Callable[..., Playground], bundled_server: ServerUnderTest, scheme: str
) -> None:
    playground = open_page(bundled_server, color_scheme=scheme)
    papers = [paper for _, _, paper in playground.page.locator("#legend li").evaluate_all(COLOURS)]
    brightness = [luminance(paper) for paper in papers]
    assert len(papers) == 6
    assert brightness == sorted(brightness, reverse=scheme == "light")
    assert len(set(papers)) == 6


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_nothing_is_wider_than_the_window(playground: Playground, width: int) -> None:
    playground.page.set_viewport_size({"width": width, "height": 800})
    playground.score(TEXT + "x" * 300)
    playground.page.get_by_text("This request as code").click()
    assert playground.page.evaluate("() => document.documentElement.scrollWidth") <= width
    form = playground.page.locator("#form").bounding_box()
    answer = playground.page.locator("#answer").bounding_box()
    assert form is not None
    assert answer is not None
    side_by_side = answer["x"] >= form["x"] + form["width"]
    assert side_by_side == (width >= 992)


def test_on_a_phone_the_answer_comes_into_sight(playground: Playground) -> None:
    playground.page.set_viewport_size({"width": 390, "height": 700})
    playground.page.get_by_role("button", name="Run").focus()
    playground.page.keyboard.press("Enter")
    playground.wait()
    box = playground.page.get_by_role("status").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 60


def test_every_field_has_a_name_and_every_part_a_role(playground: Playground) -> None:
    page = playground.page
    for role, names in {
        "radio": ["Complete", "Score"],
        "textbox": ["Prompt", "Stop strings"],
        "spinbutton": ["Temperature", "Top p", "Max tokens", "Seed", "Alternatives"],
        "checkbox": ["Score the prompt too"],
        "button": ["Run"],
        "heading": ["quant-harness playground", "Answer"],
    }.items():
        for name in names:
            assert page.get_by_role(role, name=name, exact=True).count() == 1, name  # type: ignore[arg-type]
    assert page.locator("html").get_attribute("lang") == "en"
    named = "els => els.every(e => e.labels.length || e.ariaLabel || e.getAttribute('aria-labelledby'))"
    assert page.locator("input, textarea").evaluate_all(named)


def test_the_keyboard_goes_through_the_form_in_its_order(playground: Playground) -> None:
    page = playground.page
    focused = []
    for _ in range(9):
        page.keyboard.press("Tab")
        focused.append(page.locator(":focus").get_attribute("id") or page.locator(":focus").get_attribute("value"))
    assert focused == [
        "complete", "prompt", "temperature", "top-p", "max-tokens", "seed", "stop", "alternatives", "echo"
    ]  # fmt: skip
    page.keyboard.press("Shift+Tab")
    page.get_by_label("Prompt", exact=True).focus()
    page.get_by_text("Score", exact=True).click()
    page.get_by_label("Text to score").fill("The ruler")
    page.keyboard.press("Control+Enter")
    playground.wait()
    assert playground.text == "The ruler"


def test_the_page_asks_nobody_but_its_server(playground: Playground) -> None:
    playground.score(TEXT)
    origin = playground.server.url.removesuffix("v1")
    assert len(playground.requested) > 15
    assert [url for url in playground.requested if not url.startswith(origin)] == []


def test_the_page_names_the_model(open_page: Callable[..., Playground], no_bos_server: ServerUnderTest) -> None:
    playground = open_page(no_bos_server)
    playground.page.get_by_text("no-bos · context of 1,024 tokens").wait_for()
    assert playground.page.title() == "no-bos · Playground"
