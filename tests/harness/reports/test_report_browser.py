"""The page in a real browser, from disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from made_run import make_run

from harness.reports.files import write_reports
from harness.results import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]
HOSTILE = (
    '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'> "&amp;" \u202eabc'
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
def open_report(browser: Browser, made: Run, tmp_path: Path) -> Iterator[Open]:
    """Open the report of a run; at the end it must have complained of nothing and asked for nothing but itself."""
    contexts: list[Any] = []
    complaints: list[str] = []
    requests: list[str] = []

    def get(run: Run = made, **options: Any) -> Page:
        write_reports(tmp_path, run)
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        page.locator("#flips-count:not(:empty)").wait_for()
        return page

    yield get
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) <= {(tmp_path / "report.html").as_uri()}


def colour(page: Page, selector: str, name: str) -> str:
    return str(page.locator(selector).first.evaluate(f"found => getComputedStyle(found).{name}"))


def lightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_plots_follow_them(scheme: str, open_report: Open) -> None:
    page = open_report(color_scheme=scheme)
    is_light = scheme == "light"
    assert (lightness(colour(page, "body", "backgroundColor")) > 128) == is_light
    assert (lightness(colour(page, ".plot .xtick text", "fill")) < 128) == is_light
    page.get_by_label("Colours").select_option("dark" if is_light else "light")
    assert (lightness(colour(page, "body", "backgroundColor")) > 128) != is_light
    assert (lightness(colour(page, ".plot .xtick text", "fill")) < 128) != is_light


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_never_scrolls_sideways(width: int, open_report: Open) -> None:
    page = open_report(viewport={"width": width, "height": 800})
    for summary in page.locator("details:not(.flip) > summary").all():
        summary.click()
    page.locator(".flip > summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
             .filter(found => found.getBoundingClientRect().right > innerWidth)
             .filter(found => !found.closest(".scroll, pre, .text, .plot, .unseen"))
             .map(found => found.outerHTML.slice(0, 90))"""
    )
    assert wide == []


@pytest.mark.parametrize("width", [360, 1280])
def test_every_plot_is_drawn_within_its_frame(width: int, open_report: Open) -> None:
    page = open_report(viewport={"width": width, "height": 800})
    sizes = page.locator(".plot").evaluate_all(
        """plots => plots.map(plot => {
             const drawn = plot.querySelector(".main-svg").getBoundingClientRect(), own = plot.getBoundingClientRect();
             return [drawn.width, own.width, drawn.height, own.height];
           })"""
    )
    assert len(sizes) == 7
    for drawn_width, own_width, drawn_height, own_height in sizes:
        assert (drawn_width, drawn_height) == pytest.approx((own_width, own_height), abs=1)


def test_filters_and_search(open_report: Open) -> None:
    page = open_report()
    status, entries = page.get_by_role("status"), page.locator(".flip")
    everything = int(status.inner_text().split()[0])
    page.locator("[name=model]").select_option("q2_k")
    of_model = int(status.inner_text().split()[0])
    assert 0 < of_model < everything
    assert all(text.startswith("q2_k") for text in entries.locator(".where").all_inner_texts())
    page.locator("[name=scenario]").select_option("quiz")
    assert 0 < int(status.inner_text().split()[0]) < of_model
    assert all("quiz" in text for text in entries.locator(".where").all_inner_texts())
    page.locator("[name=direction]").select_option("1")
    assert status.inner_text().startswith("0 of ")
    page.locator("[name=direction]").select_option("")
    page.get_by_label("Search").fill("QUIZ-0001")
    assert 0 < entries.count() <= 2
    page.get_by_label("Search").fill("no such text")
    assert entries.count() == 0


def test_more_are_shown_when_asked_for(open_report: Open) -> None:
    page = open_report()
    before = page.locator(".flip").count()
    page.get_by_role("button", name="Show more").click()
    assert page.locator(".flip").count() > before


def test_an_answer_beside_the_other_by_keyboard(open_report: Open) -> None:
    page = open_report()
    page.locator("[name=scenario]").select_option("quiz")
    page.get_by_label("Search").fill("quiz-")
    page.locator(".flip > summary").first.focus()
    page.keyboard.press("Enter")
    flip = page.locator(".flip[open]")
    assert "Answer:" in flip.locator(".text").first.inner_text()
    assert flip.locator(".side h4").all_inner_texts()[2].startswith("f16")
    assert flip.locator(".token").count() == 4
    assert flip.locator(".token.changed").count() == 2
    page.get_by_label("Only what changed").check()
    assert flip.locator(".token.changed").count() == 2
    assert flip.locator(".token.gap").all_inner_texts() == ["… 1 the same …"] * 2
    assert "Answer:" not in flip.inner_text()


def test_one_model_at_a_time_in_the_forest(open_report: Open) -> None:
    page = open_report()
    labels = page.locator('.plot[data-plot="forest"] .ytick text')
    before = labels.count()
    page.locator("select.view").select_option("q2_k")
    assert 0 < labels.count() < before


def test_hostile_texts_are_shown_as_text(open_report: Open) -> None:
    texts = {"prompt": HOSTILE + "x" * 100_000, "gold": HOSTILE, "candidate": HOSTILE, "reference": "\ud7ff שלום"}
    page = open_report(make_run(("f16", "q2_k"), n=20, texts=texts))
    page.locator(".flip > summary").first.click()
    flip = page.locator(".flip[open]")
    assert page.title() == "What quantizing world cost"
    assert HOSTILE in flip.locator(".text").nth(1).evaluate("found => found.textContent")
    page.get_by_role("button", name="Whole prompt").click()
    prompt = str(flip.locator(".text").first.evaluate("found => found.textContent"))
    assert prompt.startswith(HOSTILE)
    assert "characters are left out" in prompt
    assert page.locator("main img, main script").count() == 0


def test_half_a_character_does_not_break_the_page(open_report: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame of pandas cannot hold one, so it is put where the page's data are made."""
    from harness.reports import page as module
    from harness.reports.flips import embed, flips_of

    def with_half(run: Run) -> dict[str, Any]:
        found = flips_of(run)
        found["questions"][0]["prompt"] = "half \udcff of it"
        return found

    monkeypatch.setattr(module, "flips_of", with_half)
    assert "\\udcff" in embed(with_half(make_run(n=20)))
    page = open_report()
    page.get_by_label("Search").fill("half ")
    page.locator(".flip > summary").first.click()
    assert page.locator(".flip .text").first.inner_text().startswith("half ")


def test_on_paper_it_is_light(open_report: Open) -> None:
    page = open_report(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert lightness(colour(page, ".plot .xtick text", "fill")) < 128
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert lightness(colour(page, ".plot .xtick text", "fill")) > 128


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme: str, open_report: Open) -> None:
    """WCAG's contrast of 4.5, between each of the page's colours for words and the papers that they stand on."""
    page = open_report(color_scheme=scheme)
    ratios = page.evaluate(
        """() => {
          const part = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
          const light = name => {
            const digits = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
            const [r, g, b] = [0, 2, 4].map(at => part(parseInt(digits.slice(at, at + 2), 16)));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
          const words = ["--ink", "--muted", "--accent", "--good", "--unsure", "--bad"];
          const pairs = words.flatMap(word => ["--paper", "--page"].map(on => [word, on]));
          return Object.fromEntries(pairs.map(([word, on]) => [word + on, ratio(word, on)]));
        }"""
    )
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
