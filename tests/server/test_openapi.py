"""The server against its own OpenAPI document: thousands of generated requests, well-formed and not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
CASES = {"GET": 20, "POST": 125}
"""For each route and for each of the two modes: 2,000 cases in all."""
ROUTES = {
    "GET": {
        "/health",
        "/metrics",
        "/props",
        "/slots",
        "/tokenizer_info",
        "/v1/models",
        "/v1/models/{model_id}",
        "/version",
    },
    "POST": {
        *("/v1/completions", "/completion", "/v1/chat/completions", "/v1/embeddings", "/v1/divergence"),
        "/apply-template",
        *("/tokenize", "/detokenize", "/decode", "/reset_prefix_cache"),
    },
}


@pytest.fixture(scope="module")
def small_server(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> ServerUnderTest:
    """A server that can do everything, and does it fast."""
    path = make_llama(tmp_path_factory.mktemp("models") / "small.gguf", chat_template=TEMPLATE)
    stores = f"--divergence-dir={tmp_path_factory.mktemp('stores')}"
    return serve(path, "--ctx-size=64", "--slots=4", "--pooling=mean", "--allow-grammars", stores)


@pytest.fixture(scope="module")
def document(small_server: ServerUnderTest) -> dict[str, Any]:
    found: dict[str, Any] = small_server.http.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def connection() -> Iterator[requests.Session]:
    """No proxies."""
    with requests.Session() as found:
        found.trust_env = False
        yield found


def test_it_describes_every_route(document: dict[str, Any]) -> None:
    found = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert found == {(method, path) for method, paths in ROUTES.items() for path in paths}


def test_every_refusal_is_described_as_openais(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            assert {"4XX", "5XX"} <= operation["responses"].keys()
            assert "422" not in operation["responses"]
    error = document["components"]["schemas"]["ErrorObject"]
    assert error["properties"].keys() == {"message", "type", "param", "code"}


def assert_openais(answer: schemathesis.Response) -> None:
    """A refusal says what is wrong."""
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert body["error"]["code"] is None or isinstance(body["error"]["code"], str)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_request_gets_what_the_document_says(
    small_server: ServerUnderTest, document: dict[str, Any], connection: requests.Session, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    base_url = small_server.url.removesuffix("/v1")
    seen: Counter[tuple[str, int]] = Counter()

    def check_route(method: str, path: str) -> None:
        @settings(
            max_examples=CASES[method],
            phases=[Phase.generate],
            deadline=None,
            database=None,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(schema[path][method].as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            answer = case.call(base_url=base_url, session=connection)
            seen[path, answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)
            assert answer.headers["x-request-id"]
            if answer.status_code >= 400:
                assert_openais(answer)

        check()

    for method, paths in ROUTES.items():
        for path in sorted(paths):
            # A request without a body cannot be malformed.
            if mode is GenerationMode.POSITIVE or "requestBody" in document["paths"][path][method.lower()]:
                check_route(method, path)
    assert sum(seen.values()) >= 1000
    assert seen["/v1/completions", 400]
    assert mode is GenerationMode.NEGATIVE or seen["/v1/completions", 200]
    assert small_server.complete("still there", max_tokens=1).choices
