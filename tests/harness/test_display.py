from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.display import BarDisplay, Display, LineDisplay, make_display


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=100, markup=False, emoji=False), written


def do_a_run(display: Display) -> None:
    display.say("quantizing to q4_k_m")
    with display.running(1200):
        display.say("q4_k_m: world_facts")
        for _ in range(1200):
            display.tick()
        display.finished("q4_k_m: world_facts, exact_match 0.500 over 1200")


def test_logs_get_a_line_for_each_thing_done_and_no_colours() -> None:
    out, written = console(terminal=False)
    display = make_display(out)
    assert isinstance(display, LineDisplay)
    do_a_run(display)
    assert written.getvalue().splitlines() == [
        "quantizing to q4_k_m",
        "asking 1,200 instances and windows of text in all",
        "q4_k_m: world_facts",
        "q4_k_m: world_facts, exact_match 0.500 over 1200",
    ]


def test_lines_of_a_log_are_not_broken() -> None:
    out, written = console(terminal=False)
    make_display(out).say("word " * 60)
    assert written.getvalue().count("\n") == 1


def test_a_terminal_gets_a_bar_and_keeps_what_is_finished() -> None:
    out, written = console(terminal=True)
    display = make_display(out)
    assert isinstance(display, BarDisplay)
    do_a_run(display)
    shown = written.getvalue()
    assert shown.startswith("quantizing to q4_k_m\n")
    assert "1200/1200" in shown
    assert "q4_k_m: world_facts, exact_match 0.500 over 1200\n" in shown
    assert "\x1b[?25h" in shown.split("\x1b[?25l")[-1]  # the cursor is back


def test_the_bar_goes_when_the_run_fails() -> None:
    out, written = console(terminal=True)
    display = make_display(out)

    def fail() -> None:
        with display.running(10):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert "\x1b[?25h" in written.getvalue().split("\x1b[?25l")[-1]


@pytest.mark.parametrize("terminal", [False, True])
def test_brackets_in_a_name_are_no_markup(terminal: bool) -> None:
    out, written = console(terminal=terminal)
    display = make_display(out)
    display.say("[red]a[/red] one")
    with display.running(1):
        display.say("[red]b[/blue] two")
        display.tick()
        display.finished("[/] three :smile:")
    for words in ("[red]a[/red] one", "[red]b[/blue] two", "[/] three :smile:"):
        assert words in written.getvalue()
