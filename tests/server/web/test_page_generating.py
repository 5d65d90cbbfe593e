from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.web.conftest import Playground

PROMPT = "Question: What is the capital of"


@pytest.fixture
def steady(open_page: Callable[..., Playground], steady_server: ServerUnderTest) -> Playground:
    """The page of a server whose results come again exactly; its model says all kinds of bytes."""
    return open_page(steady_server)


@pytest.fixture
def endless(server_type: type[ServerUnderTest], no_bos: Path, tmp_path: Path) -> Iterator[ServerUnderTest]:
    """A server that takes its time over 30,000 tokens, one completion after another."""
    server = server_type(no_bos, tmp_path / "log", "--ctx-size=32768", "--slots=1")
    yield server
    server.stop()


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_shows_what_the_whole_answer_has(steady: Playground, echo: bool) -> None:
    steady.fill(prompt=PROMPT, temperature=1, top_p=0.9, max_tokens=40, seed=5, alternatives=3)
    steady.page.get_by_label("Score the prompt too").set_checked(echo)
    steady.run()
    (choice,) = steady.server.complete(
        PROMPT, temperature=1, top_p=0.9, max_tokens=40, seed=5, logprobs=3, echo=echo
    ).choices
    assert choice.logprobs is not None
    assert choice.logprobs.token_logprobs is not None
    assert choice.logprobs.text_offset is not None
    values = choice.logprobs.token_logprobs
    floors = [math.log(p) for p in (0.9, 0.5, 0.2, 0.05, 0.01)]
    assert steady.levels() == [
        "unscored" if value is None else f"level-{sum(value < floor for floor in floors)}" for value in values
    ]
    assert steady.measures["Finish reason"] == choice.finish_reason == "length"
    scored = [value for value in values if value is not None]
    mean = float(steady.measures["Mean log-probability"].replace("−", "-"))
    assert mean == pytest.approx(sum(scored) / len(scored), abs=6e-4)
    seams = steady.page.locator(".seam")
    assert seams.count() == echo  # where the prompt ends
    if echo:
        first = sum(offset < len(PROMPT) for offset in choice.logprobs.text_offset)
        assert seams.get_attribute("data-index") == str(first)


def test_the_fields_are_the_request(playground: Playground) -> None:
    playground.fill(prompt="a\nb", temperature=0.5, top_p=0.75, max_tokens=3, seed=-7, alternatives=0)
    playground.fill(stop_strings="\\n\\n\nQ: \n\\\\n")
    with playground.page.expect_request("**/v1/completions") as asked:
        playground.run()
    assert asked.value.post_data_json == {
        "model": playground.server.id,
        "prompt": "a\nb",
        "temperature": 0.5,
        "top_p": 0.75,
        "max_tokens": 3,
        "seed": -7,
        "stop": ["\n\n", "Q: ", "\\n"],
        "logprobs": 0,
        "stream": True,
    }


def test_what_is_left_empty_is_left_to_the_server(playground: Playground) -> None:
    playground.fill(temperature="", top_p="", max_tokens="")
    with playground.page.expect_request("**/v1/completions") as asked:
        playground.run()
    body: dict[str, Any] = asked.value.post_data_json
    assert 0 <= body.pop("seed") < 2**32  # chance plays a part, and the code is to give the same answer
    assert body == {"model": playground.server.id, "prompt": "", "logprobs": 5, "stream": True}
    assert playground.tokens.count() == 16
    playground.fill(temperature=0)
    with playground.page.expect_request("**/v1/completions") as asked:
        playground.run()
    assert "seed" not in asked.value.post_data_json


def test_a_stop_string_is_named(playground: Playground) -> None:
    playground.fill(prompt=PROMPT, temperature=0, max_tokens=50, stop_strings="?\\n")
    playground.run()
    assert playground.measures["Finish reason"] == 'stop at "?\\n"'
    assert "?" not in playground.text


def test_times_and_rates_are_shown(playground: Playground) -> None:
    playground.fill(prompt=PROMPT, temperature=0, max_tokens=60)
    playground.run()
    shown = playground.measures
    number, unit = shown["First token"].split()
    assert float(number) > 0
    assert unit in ("ms", "s")
    assert float(shown["Tokens per second"].replace(",", "")) > 0
    assert playground.status.startswith("Done: 60 tokens in ")


def test_stop_ends_the_work_on_the_server_too(open_page: Callable[..., Playground], endless: ServerUnderTest) -> None:
    playground = open_page(endless)
    playground.fill(prompt=PROMPT, temperature=0, max_tokens=30_000, alternatives=20)
    playground.page.get_by_role("button", name="Run").focus()
    playground.page.keyboard.press("Enter")
    playground.tokens.first.wait_for()
    focused = playground.page.locator(":focus")
    assert focused.inner_text() == "Stop"  # the focus went from button to button
    playground.page.keyboard.press("Enter")
    playground.wait()
    shown = playground.tokens.count()
    assert 0 < shown < 30_000
    assert playground.status.startswith(f"Stopped: {shown:,} token")
    assert playground.measures["Finish reason"] == "stopped by you"
    assert focused.inner_text() == "Run"
    # There is one slot: had the server gone on, this would wait for all of the 30,000.
    playground.fill(max_tokens=5)
    playground.run()
    assert playground.tokens.count() == 5


def test_a_server_that_dies_is_told(open_page: Callable[..., Playground], endless: ServerUnderTest) -> None:
    playground = open_page(endless)
    playground.fill(prompt=PROMPT, temperature=0, max_tokens=30_000, alternatives=20)
    playground.page.get_by_role("button", name="Run").click()
    playground.tokens.first.wait_for()
    endless.stop(signal.SIGKILL)
    playground.wait()
    assert playground.status.startswith("Failed: ")
    assert playground.page.get_by_role("alert").inner_text() == "The answer broke off; is the server still running?"
    assert playground.tokens.count() > 0  # what had come stays
    playground.complaints.clear()


def test_a_failure_in_the_middle_is_shown_as_its_sentence(
    open_page: Callable[..., Playground],
    serve: Callable[..., ServerUnderTest],
    no_bos_server: ServerUnderTest,
    make_llama: Callable[..., Path],
    bundled: Path,
    tmp_path: Path,
) -> None:
    logprobs = no_bos_server.complete(PROMPT, max_tokens=300, logprobs=0).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    vocabulary = gguf.GGUFReader(bundled).fields["tokenizer.ggml.tokens"].contents()
    # The same model, but a token that it is going to say has no embedding: nothing can follow it.
    at, broken = next(
        (at, vocabulary.index(name))
        for at, name in enumerate(logprobs.tokens)
        if at > 50 and name.isascii() and name.isalpha() and name in vocabulary and name not in logprobs.tokens[:at]
    )
    playground = open_page(serve(make_llama(tmp_path / "broken.gguf", broken_token=broken)))
    playground.fill(prompt=PROMPT, temperature=0, max_tokens=at + 20)
    playground.run()
    assert playground.page.get_by_role("alert").inner_text().startswith("The request could not be computed: ")
    assert playground.status.startswith("Failed: ")
    assert 0 < playground.tokens.count() <= at + 1  # what had come stays


def test_two_thousand_tokens_are_shown(playground: Playground) -> None:
    text = "The ruler of Gloustaski. " * 300
    playground.score(text[: 7 * 600], alternatives=20)
    assert playground.tokens.count() > 1000
    playground.tokens.last.focus()
    assert len(playground.alternatives()) >= 21
