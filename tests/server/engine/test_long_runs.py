from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server.engine.long_runs import MAX_RUN, refuse_long_runs
from server.protocol.errors import InvalidRequest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

ALLOWED = {
    "words": "a " * MAX_RUN,
    "a run just short of the limit": "." * (MAX_RUN - 1),
    "many such runs": ("a" * (MAX_RUN - 1) + " " * (MAX_RUN - 1)) * 20,
    "lines": f"{'é' * 1000}\n" * 100,
}
REFUSED = {
    "letters": "a" * MAX_RUN,
    "in the middle": f"a b {'中' * MAX_RUN} c",
    "spaces": f"a{' ' * MAX_RUN}",
    "line breaks": "\r\n" * (MAX_RUN // 2),
    "mixed spaces": "\u3000\t" * (MAX_RUN // 2),
    "what is a space to Python alone": ".\x1c" * (MAX_RUN // 2),
    "what is no letter to Python": "a\u0300" * (MAX_RUN // 2),
}


SPACES = [" ", "  ", "\n", " \n", "\n\n", "\t\t", "\u3000 \u3000", "\r\n\x0b\f", " " * 2 * MAX_RUN]


@pytest.mark.parametrize("name", ALLOWED)
def test_texts_with_spaces_are_let_through(name: str) -> None:
    refuse_long_runs(ALLOWED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_long_runs_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="12,000 characters"):
        refuse_long_runs(REFUSED[name])


def test_looking_takes_time_in_proportion() -> None:
    text = ALLOWED["many such runs"]
    begin = time.process_time()
    refuse_long_runs(text)
    assert time.process_time() - begin < 1  # 0.01 s; looking from every character would take half a minute


@pytest.fixture(scope="module")
def regex_server(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> ServerUnderTest:
    """A model whose texts llama.cpp splits by a regex: 30,000 full stops in a row would end the process."""
    path = tmp_path_factory.mktemp("regex") / "regex.gguf"
    return serve(make_llama(path, metadata={"tokenizer.ggml.pre": "tekken"}))


@pytest.mark.parametrize("path", ["/tokenize", "/v1/completions"])
def test_no_text_ends_the_server(regex_server: ServerUnderTest, path: str) -> None:
    for name in ("letters", "spaces", "what is a space to Python alone"):
        # Truncated on request, it is not refused for its size before it is tokenized.
        fields = {"truncate_prompt_tokens": 5} if path == "/v1/completions" else {}
        answer = regex_server.http.post(path, json={"prompt": REFUSED[name] * 10} | fields)
        assert answer.status_code == 400
        assert "this model's tokenizer cannot read" in answer.json()["error"]["message"]
    for text in ALLOWED.values():
        assert regex_server.http.post("/tokenize", json={"prompt": text}).status_code == 200
    assert regex_server.process.poll() is None


def test_two_spaces_do_not_end_the_server(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    server = serve(make_llama(tmp_path / "words.gguf", metadata={"tokenizer.ggml.pre": "whitespace"}))
    tokens = [server.http.post("/tokenize", json={"text": f"a{space}b"}).json()["tokens"] for space in SPACES]
    assert tokens == [tokens[0]] * len(SPACES)
    assert server.http.post("/tokenize", json={"text": "a" * 10 * MAX_RUN}).status_code == 400


def test_common_vocabularies_take_any_text(no_bos_server: ServerUnderTest) -> None:
    for text in REFUSED.values():
        assert no_bos_server.http.post("/tokenize", json={"prompt": text * 10}).status_code == 200
    assert no_bos_server.process.poll() is None
