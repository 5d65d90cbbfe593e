"""A client cannot make the server say more than it has said itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

MANY = 1_000_000
LONG = '\\"\n\u4e16' * (MANY // 4)
BODIES: dict[str, tuple[str, Any]] = {
    "model": ("/v1/completions", {"prompt": "a", "model": LONG}),
    "stop": ("/v1/completions", {"prompt": "a", "stop": LONG}),
    "seed": ("/v1/completions", {"prompt": "a", "seed": LONG}),
    "temperature": ("/v1/completions", {"prompt": "a", "temperature": LONG}),
    "logit_bias": ("/v1/completions", {"prompt": "a", "logit_bias": {LONG: 1}}),
    "unknown field": ("/v1/completions", {"max_tokens": -1, LONG: LONG}),
    "token": ("/v1/completions", {"prompt": [10**4000]}),
    "role": ("/v1/chat/completions", {"messages": [{"role": LONG, "content": "a"}]}),
    "tokenize": ("/tokenize", {"prompt": {"a": LONG}}),
    "detokenize": ("/detokenize", {"tokens": [LONG]}),
    "string": ("/v1/completions", LONG),
}


@pytest.mark.parametrize("name", BODIES)
def test_no_answer_is_longer_than_a_paragraph(name: str, bundled_server: ServerUnderTest) -> None:
    path, body = BODIES[name]
    answer = bundled_server.http.post(path, json=body)
    assert 400 <= answer.status_code < 500
    error = answer.json()["error"]
    assert len(error["message"]) <= 1000
    assert len(error["param"] or "") <= 100
    assert len(answer.content) < 7000  # a character may take six


@pytest.mark.parametrize("path", ["/" + "p" * 30_000, "/v1/models/" + "m" * 30_000, "/?" + "q=1&" * 8_000])
def test_nor_for_a_long_path(path: str, bundled_server: ServerUnderTest) -> None:
    answer = bundled_server.http.delete(path)
    assert answer.status_code in (404, 405)
    assert len(answer.content) < 2000
