from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.web.conftest import Playground

HARD = 'It\'s "50%" \\ `id` $HOME $(id)\n\ttab; naïve 🙂 {x} #!/bin/sh\nEOF\n'


def run_curl(playground: Playground) -> dict[str, object]:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    command = playground.page.locator("#curl").text_content()
    assert command is not None
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60)
    answer: dict[str, object] = json.loads(done.stdout)["choices"][0]
    return answer


def run_python(playground: Playground, **environment: str) -> str:
    program = playground.page.locator("#python").text_content()
    assert program is not None
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        timeout=120,
        env=os.environ | {"NO_PROXY": "*", "PYTHONIOENCODING": "utf-8"} | environment,
    )
    return done.stdout.decode()


@pytest.mark.parametrize("text", ["The ruler of", HARD])
def test_a_scored_text_scores_the_same_as_code(playground: Playground, text: str) -> None:
    playground.score(text, alternatives=2)
    by_curl = run_curl(playground)
    assert by_curl["text"] == playground.text == text
    logprobs = by_curl["logprobs"]
    assert isinstance(logprobs, dict)
    lines = run_python(playground).splitlines()
    assert lines == [
        f"{token!r} {value}" for token, value in zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True)
    ]
    playground.tokens.last.focus()
    shown = playground.inspector.locator(".value strong").first.inner_text()
    assert float(shown.replace("−", "-")) == pytest.approx(logprobs["token_logprobs"][-1], abs=6e-4)


@pytest.mark.parametrize("echo", [False, True])
def test_a_completion_by_chance_comes_again_as_code(
    open_page: Callable[..., Playground], steady_server: ServerUnderTest, echo: bool
) -> None:
    playground = open_page(steady_server)
    playground.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    playground.fill(prompt=HARD, max_tokens=30, stop_strings="\\n\\n\\n\n'\"'")
    playground.page.get_by_label("Score the prompt too").set_checked(echo)
    playground.run()
    playground.page.get_by_role("button", name="Copy text").click()
    playground.page.get_by_text("Copied.").wait_for()
    shown = playground.page.evaluate("() => navigator.clipboard.readText()")
    assert shown.startswith(HARD) == echo
    assert run_curl(playground)["text"] == shown
    assert run_python(playground) == f"{shown}\n"


@pytest.mark.parametrize("name", ["curl", "Python"])
def test_code_is_copied_as_it_is_shown(playground: Playground, name: str) -> None:
    playground.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    playground.score(HARD)
    playground.page.get_by_text("This request as code").click()
    playground.page.locator(f"[data-copies={name.lower()}]").click()
    playground.page.get_by_text("Copied.").wait_for()
    copied = playground.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == playground.page.locator(f"#{name.lower()}").text_content()


def test_text_is_copied_as_the_server_sent_it(playground: Playground) -> None:
    playground.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    playground.score(HARD)
    playground.page.get_by_role("button", name="Copy text").click()
    playground.page.get_by_text("Copied.").wait_for()
    assert playground.page.evaluate("() => navigator.clipboard.readText()") == HARD


def test_without_a_clipboard_the_code_is_selected(playground: Playground) -> None:
    playground.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    playground.score("The ruler")
    playground.page.get_by_text("This request as code").click()
    playground.page.locator("[data-copies=curl]").click()
    playground.page.get_by_text("Selected: copy it with the keyboard.").wait_for()
    selected = playground.page.evaluate("() => getSelection().toString()")
    assert selected.strip() == playground.page.locator("#curl").text_content()
