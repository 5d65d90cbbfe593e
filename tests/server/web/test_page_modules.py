"""What the page's modules promise, whatever they are given; they run in the browser."""

from __future__ import annotations

import ast
import itertools
import json
import math
import subprocess
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.text import text_and_offsets, token_name

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.conftest import ServerUnderTest

quick = settings(max_examples=60, deadline=None)

texts = st.text(max_size=40)
logprobs = st.floats(-50, 0) | st.just(-9999.0)


@pytest.fixture(scope="module")
def page(browser: Browser, bundled_server: ServerUnderTest) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(bundled_server.url.removesuffix("v1"))
    yield page
    page.close()


def call(page: Page, module: str, script: str, argument: Any) -> Any:
    """Evaluate ``script`` with the names of a module and with ``given``."""
    return page.evaluate(
        f"async given => {{ const m = await import('/playground/{module}'); return {script}; }}", argument
    )


@quick
@given(data=st.lists(texts.filter(lambda text: "\n" not in text and "\r" not in text), max_size=6), at=st.data())
def test_events_do_not_depend_on_how_bytes_arrive(page: Page, data: list[str], at: st.DataObject) -> None:
    newline = at.draw(st.sampled_from(["\n", "\r\n"]))
    stream = "".join(f": keep-alive{newline * 2}data: {datum}{newline * 2}" for datum in data).encode()
    cuts = sorted(at.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [list(stream[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    script = """(async () => {
        const body = new ReadableStream({start(stream) {
            for (const piece of given) stream.enqueue(new Uint8Array(piece));
            stream.close();
        }});
        const found = [];
        for await (const event of m.events(body)) found.push(event);
        return found;
    })()"""
    assert call(page, "api.js", script, pieces) == data


@quick
@given(pieces=st.lists(st.tuples(st.binary(min_size=1, max_size=5), logprobs), min_size=1, max_size=12), at=st.data())
def test_an_answer_does_not_depend_on_its_chunks(
    page: Page, pieces: list[tuple[bytes, float]], at: st.DataObject
) -> None:
    text, offsets = text_and_offsets([piece for piece, _ in pieces])
    values = [value for _, value in pieces]
    names = [token_name(piece) for piece, _ in pieces]
    cuts = sorted({0, len(pieces), *at.draw(st.lists(st.integers(0, len(pieces)), max_size=4))})
    chunks = [
        {
            "text": text[offsets[begin] : offsets[end] if end < len(pieces) else len(text)],
            "finish_reason": None if end < len(pieces) else "length",
            "logprobs": {
                "tokens": names[begin:end],
                "token_logprobs": values[begin:end],
                "top_logprobs": [{name: v} for name, v in zip(names[begin:end], values[begin:end], strict=True)],
                "text_offset": offsets[begin:end],
            },
        }
        for begin, end in itertools.pairwise(cuts)
    ]
    script = """(() => {
        const answer = new m.Answer("", 0);
        given.forEach((chunk, i) => answer.add(chunk, 1000 * (i + 1)));
        return {...answer, measures: answer.measures};
    })()"""
    answer = call(page, "answer.js", script, chunks)
    assert answer["text"] == text
    assert answer["finishReason"] == "length"
    assert [token["index"] for token in answer["tokens"]] == list(range(len(pieces)))
    assert [token["name"] for token in answer["tokens"]] == names
    assert all(token["generated"] for token in answer["tokens"])
    completed = "".join(token["completes"] for token in answer["tokens"] if token["name"].startswith("bytes:"))
    assert not set(completed) - set(text)
    measures = answer["measures"]
    total = sum(-math.inf if value == -9999 else value for value in values)
    assert measures["meanLogprob"] == pytest.approx(total / len(values))
    assert measures["firstToken"] == 1000
    if text:
        assert measures["bitsPerCharacter"] == pytest.approx(-total / math.log(2) / len(text))
    after_first = len(pieces) - cuts[1]
    rate = after_first / (len(chunks) - 1) if after_first else None
    assert measures["tokensPerSecond"] == (pytest.approx(rate) if rate else None)


requests = st.fixed_dictionaries(
    {"model": texts, "prompt": texts, "max_tokens": st.integers(0, 9)},
    optional={
        "temperature": st.floats(0, 2),
        "seed": st.integers(-(2**53) + 1, 2**53 - 1),
        "stop": st.lists(texts, min_size=1, max_size=3),
        "echo": st.booleans(),
    },
)


@quick
@given(request=requests)
def test_a_shell_reads_the_request_out_of_the_curl_command(page: Page, request: dict[str, Any]) -> None:
    command = call(page, "snippets.js", "m.curl(given, 'http://[::1]:80/v1', false)", request)
    show = "curl() { printf '%s\\0' \"$@\"; }\n"  # the command's arguments and not its work
    words = subprocess.run(["sh", "-c", show + command], capture_output=True, check=True).stdout.split(b"\0")
    assert [word.decode() for word in words[:4]] == [
        "http://[::1]:80/v1/completions", "-H", "Content-Type: application/json", "-d"
    ]  # fmt: skip
    assert json.loads(words[4]) == request


@quick
@given(request=requests)
def test_python_reads_the_request_out_of_the_program(page: Page, request: dict[str, Any]) -> None:
    program = ast.parse(call(page, "snippets.js", "m.python(given, 'http://h/v1', false)", request))
    (create,) = (
        node for node in ast.walk(program) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("create")
    )
    assert {str(field.arg): ast.literal_eval(field.value) for field in create.keywords} == request


def test_a_key_is_never_written_into_code(page: Page) -> None:
    request = {"model": "m", "prompt": "p", "max_tokens": 1}
    assert "Bearer $OPENAI_API_KEY" in call(page, "snippets.js", "m.curl(given, 'http://h/v1', true)", request)
    assert 'os.environ["OPENAI_API_KEY"]' in call(page, "snippets.js", "m.python(given, 'http://h/v1', true)", request)


@quick
@given(name=texts)
def test_glyphs_keep_the_text_and_none_of_its_direction_marks(page: Page, name: str) -> None:
    script = "m.glyphs(given, {everySpace: true}).map(node => node.textContent).join('')"
    shown = call(page, "glyphs.js", script, name)
    assert shown == "".join(c for c in name if c in shown)
    lost = {character for character in name if character not in shown}
    assert all(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs", "Cn") for character in lost)
    assert not set(shown) & set(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F]))


@quick
@given(value=st.floats(-800, 0) | st.floats(-0.002, 0))
def test_a_probability_is_never_shown_as_certain_that_is_not(page: Page, value: float) -> None:
    shown = call(page, "numbers.js", "m.probability(given)", value)
    percent = float(shown.strip("<>%"))
    if shown[0] not in "<>":
        assert percent == pytest.approx(100 * math.exp(value), abs=0.051, rel=0.5)
    assert (percent == 0) == (math.exp(value) == 0)
    assert (percent == 100) == (math.exp(value) == 1)


@pytest.mark.parametrize(
    ("call_", "shown"),
    [
        ("logprob(-1.23456)", "−1.235"),
        ("logprob(0)", "0.000"),
        ("logprob(-0.0000002)", "−2e−7"),
        ("logprob(-Infinity)", "−∞"),
        ("logprob(null)", "–"),
        ("figure(12.3456)", "12.35"),
        ("figure(1234.5)", "1,235"),
        ("figure(12345678)", "1.23e7"),
        ("figure(Infinity)", "∞"),
        ("duration(34.4)", "34 ms"),
        ("duration(1240)", "1.24 s"),
        ("counted(1, 'token')", "1 token"),
        ("counted(2000, 'token')", "2,000 tokens"),
    ],
)
def test_numbers_as_they_are_written(page: Page, call_: str, shown: str) -> None:
    assert call(page, "numbers.js", f"m.{call_}", None) == shown
