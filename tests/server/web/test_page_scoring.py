from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.web.conftest import Playground

TEXT = "Question: What is the capital of Gloustaski?\nAnswer: Drelstan\n\n\tnaïve — café 🙂 & 12 €"


def number(shown: str) -> float:
    return float(shown.replace("−", "-").replace(",", ""))


def test_each_token_has_the_colour_of_its_log_probability(playground: Playground) -> None:
    playground.score(TEXT)
    logprobs = playground.server.score(TEXT, logprobs=5).logprobs
    assert logprobs is not None
    assert logprobs.token_logprobs is not None
    floors = [math.log(p) for p in (0.9, 0.5, 0.2, 0.05, 0.01)]
    expected = [
        "unscored" if value is None else f"level-{sum(value < floor for floor in floors)}"
        for value in logprobs.token_logprobs
    ]
    assert len(set(expected)) > 3
    assert playground.levels() == expected
    assert playground.status.startswith(f"Scored: {len(expected)} tokens in ")
    counts = [int(count.split()[0]) for count in playground.page.locator("#legend .count").all_inner_texts()]
    assert counts == [expected.count(f"level-{i}") for i in range(6)]


def test_the_text_can_be_selected_as_it_is(playground: Playground) -> None:
    playground.score(TEXT)
    assert playground.text == TEXT


def test_the_figures_follow_from_the_log_probabilities(playground: Playground) -> None:
    playground.score(TEXT)
    logprobs = playground.server.score(TEXT).logprobs
    assert logprobs is not None
    assert logprobs.token_logprobs is not None
    assert logprobs.text_offset is not None
    values = [value for value in logprobs.token_logprobs if value is not None]
    mean = sum(values) / len(values)
    bits = -sum(values) / math.log(2) / (len(TEXT) - logprobs.text_offset[1])
    shown = playground.measures
    assert list(shown) == [
        "Tokens", "Mean log-probability", "Perplexity", "Bits per character", "Time", "Tokens per second"
    ]  # fmt: skip
    assert number(shown["Tokens"]) == len(values) + 1
    assert number(shown["Mean log-probability"]) == pytest.approx(mean, abs=6e-4)
    assert number(shown["Perplexity"]) == pytest.approx(math.exp(-mean), rel=1e-3)
    assert number(shown["Bits per character"]) == pytest.approx(bits, rel=1e-3)
    assert number(shown["Tokens per second"]) > 0


def test_a_token_that_cannot_be_told_has_no_log_probability(playground: Playground) -> None:
    playground.score("x")
    assert playground.levels() == ["unscored"]
    assert playground.measures["Perplexity"] == "–"
    playground.tokens.first.hover()
    assert "nothing comes before the first token" in playground.inspector.inner_text()


def test_the_second_text_replaces_the_first(playground: Playground) -> None:
    playground.score(TEXT)
    playground.score("The ruler")
    assert playground.text == "The ruler"
    counts = [int(count.split()[0]) for count in playground.page.locator("#legend .count").all_inner_texts()]
    assert sum(counts) == playground.tokens.count() - 1


def test_the_servers_refusal_is_shown_as_its_sentence(
    open_page: Callable[..., Playground], no_bos_server: ServerUnderTest
) -> None:
    playground = open_page(no_bos_server)
    playground.score("a b " * 2000)
    alert = playground.page.get_by_role("alert").inner_text()
    assert alert.startswith("This model's maximum context length is 1024 tokens, but the prompt has ")
    assert playground.status == "Failed."
    assert not playground.page.locator("#measures").is_visible()
    # The browser itself says that an answer was none; nothing else is wrong.
    assert [complaint[:45] for complaint in playground.complaints] == ["Failed to load resource: the server responded"]
    playground.complaints.clear()
    playground.score("a b")
    assert not playground.page.get_by_role("alert").is_visible()


def test_a_text_is_needed(playground: Playground) -> None:
    playground.page.get_by_text("Score", exact=True).click()
    playground.page.get_by_role("button", name="Run").click()
    assert playground.status == "Nothing has run yet."
    assert playground.page.locator("#prompt:user-invalid").count() == 1


def test_a_server_that_is_gone_is_no_riddle(open_page: Callable[..., Playground], own_server: ServerUnderTest) -> None:
    playground = open_page(own_server)
    playground.score("before")
    own_server.stop()
    playground.score("after")
    assert playground.page.get_by_role("alert").inner_text() == "The server cannot be reached; is it still running?"
    playground.complaints.clear()
