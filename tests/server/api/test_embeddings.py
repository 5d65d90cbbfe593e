"""Embeddings, measured against states that llama.cpp gives token by token, pooled here."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import llama_cpp
import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from random_bert import CONTEXT, WIDTH, write_random_bert

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

TEXTS = ["hello world", "a", "the world. the world.", "hello", "abc b"]
ONE_TOKEN = [5]
TOLERANCE = 1e-4
"""3e-7 were seen: texts that are decoded together hardly move each other."""


EXACT = "--flash-attention=off"
"""Flash attention rounds to F16 in other places for one text alone than for several."""


class Served(NamedTuple):
    """A server that embeds, and how."""

    server: ServerUnderTest
    model: Path
    pooling: str


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_bert(tmp_path_factory.mktemp("bert") / "bert.gguf")


@pytest.fixture(scope="module")
def bert_server(serve: Callable[..., ServerUnderTest], bert: Path) -> ServerUnderTest:
    """A model that says how to pool, and cannot generate."""
    return serve(bert)


@pytest.fixture(scope="module", params=["cls by the file", "mean by the file", "mean", "cls", "last", "bert, mean"])
def served(
    request: pytest.FixtureRequest,
    serve: Callable[..., ServerUnderTest],
    make_llama: Callable[..., Path],
    bundled: Path,
    bert: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Served:
    """Each way of pooling, said by the file or by the operator, with attention to all tokens and to the past."""
    how = request.param
    if how == "cls by the file":
        return Served(serve(bert, EXACT), bert, "cls")
    if how == "mean by the file":
        path = make_llama(tmp_path_factory.mktemp("pooled") / "mean.gguf", metadata={"llama.pooling_type": 1})
        return Served(serve(path, EXACT), path, "mean")
    if how == "bert, mean":
        return Served(serve(bert, "--pooling=mean", EXACT), bert, "mean")
    return Served(serve(bundled, f"--pooling={how}", EXACT), bundled, how)


@pytest.fixture(scope="module")
def expected(served: Served) -> Iterator[Callable[[str], NDArray[np.float64]]]:
    """The vector of a text: the states of its tokens, one text alone in a context, pooled and scaled here."""
    raw = llama_cpp.Llama(
        str(served.model), embedding=True, n_ctx=512, n_threads=1, n_threads_batch=1, pooling_type=0, verbose=False
    )

    def get(text: str) -> NDArray[np.float64]:
        states = np.array(raw.embed([text])[0])
        vector = {"mean": states.mean(axis=0), "cls": states[0], "last": states[-1]}[served.pooling]
        return vector / np.linalg.norm(vector)

    yield get
    raw.close()


def vectors(server: ServerUnderTest, texts: Any, **fields: Any) -> NDArray[np.float64]:
    found = server.openai.embeddings.create(model=server.id, input=texts, encoding_format="float", **fields)
    assert [one.index for one in found.data] == list(range(len(found.data)))
    return np.array([one.embedding for one in found.data])


def refusal(server: ServerUnderTest, **body: Any) -> dict[str, Any]:
    answer = server.http.post("/v1/embeddings", json=body)
    assert answer.status_code == 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    return error


def test_vectors_are_the_models(served: Served, expected: Callable[[str], NDArray[np.float64]]) -> None:
    found = vectors(served.server, TEXTS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    for vector, text in zip(found, TEXTS, strict=True):
        assert np.abs(vector - expected(text)).max() < TOLERANCE
        assert np.abs(vectors(served.server, text)[0] - vector).max() < TOLERANCE


def test_more_texts_than_fit_into_a_batch(served: Served) -> None:
    texts = [TEXTS[i % len(TEXTS)] for i in range(150)]
    found = vectors(served.server, texts)
    assert len(found) == 150
    for i, text in enumerate(TEXTS):
        same = found[i :: len(TEXTS)]
        assert np.abs(same - vectors(served.server, text)).max() < TOLERANCE
    if served.pooling != "cls" or served.model.stem == "bert":  # else all begin with BOS, which sees nothing else
        assert np.abs(found[0] - found[1]).max() > 100 * TOLERANCE


def test_token_ids_are_the_same_as_text(served: Served) -> None:
    server = served.server
    special = {"content": "hello world", "add_special": True}
    ids = server.http.post("/tokenize", json=special).json()["tokens"]
    if served.model.stem == "bert":
        ids = [*ids, 3]  # [SEP], which ends a text and begins none
    assert np.abs(vectors(server, [ids, ids]) - vectors(server, "hello world")).max() < TOLERANCE
    assert np.abs(vectors(server, ids) - vectors(server, "hello world")).max() < TOLERANCE


def test_base64_holds_the_same_numbers(served: Served) -> None:
    body = {"input": TEXTS, "encoding_format": "base64"}
    answer = served.server.http.post("/v1/embeddings", json=body).json()
    decoded = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in answer["data"]]
    assert np.abs(np.array(decoded) - vectors(served.server, TEXTS)).max() < 1e-6
    by_default = served.server.openai.embeddings.create(
        model=served.server.id, input=TEXTS
    )  # the client asks in base64
    assert np.abs(np.array([one.embedding for one in by_default.data]) - decoded).max() < 1e-6


def test_the_answer_is_openais(bert_server: ServerUnderTest) -> None:
    answer = bert_server.http.post("/v1/embeddings", json={"input": ["a", "hello world"], "user": "me", "model": None})
    found = answer.json()
    assert found.keys() == {"object", "data", "model", "usage"}
    assert (found["object"], found["model"]) == ("list", "bert")
    assert found["data"][1].keys() == {"object", "index", "embedding"}
    assert found["usage"] == {"prompt_tokens": 7, "total_tokens": 7}  # [CLS] and [SEP] around each
    assert len(vectors(bert_server, "a", dimensions=WIDTH)[0]) == WIDTH


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [ONE_TOKEN, []]}, "input"),
        ({"input": [5, "a"]}, "input"),
        ({"input": ["a", [5]]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": [10**12]}, "input"),
        ({"input": [ONE_TOKEN, [999]]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "dimensions": WIDTH // 2}, "dimensions"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "truncate_prompt_tokens": 3}, "truncate_prompt_tokens"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_embedded_is_refused(bert_server: ServerUnderTest, body: dict[str, Any], param: str) -> None:
    assert refusal(bert_server, **body)["param"] == param
    assert bert_server.process.poll() is None


def test_texts_beyond_the_context_are_refused(bert_server: ServerUnderTest) -> None:
    fits = [5] * CONTEXT
    assert len(vectors(bert_server, [fits, ONE_TOKEN, fits])) == 3
    for longer in ([5] * (CONTEXT + 1), [ONE_TOKEN, [5] * (CONTEXT + 1)], "hello " * CONTEXT):
        error = refusal(bert_server, input=longer)
        assert (error["code"], error["param"]) == ("context_length_exceeded", "input")
        assert f"maximum context length is {CONTEXT} tokens" in error["message"]


def test_a_batch_bounds_a_text(serve: Callable[..., ServerUnderTest], bundled: Path) -> None:
    server = serve(bundled, "--pooling=mean", "--batch-size=32")
    assert len(vectors(server, [[5] * 32, [6] * 20, [7] * 12, [8]])) == 4
    assert "maximum context length is 32 tokens" in refusal(server, input=[5] * 33)["message"]


def test_other_models_are_not_found(bert_server: ServerUnderTest) -> None:
    with pytest.raises(openai.NotFoundError):
        bert_server.openai.embeddings.create(model="gpt-4", input="a")


def test_a_model_that_does_not_pool_says_what_would(bundled_server: ServerUnderTest) -> None:
    error = refusal(bundled_server, input="a")
    assert "--pooling mean, cls or last" in error["message"]
    assert error["code"] == "unsupported_parameter"


def test_pooling_of_ranks_is_none(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    server = serve(make_llama(tmp_path / "rank.gguf", metadata={"llama.pooling_type": 4}))
    assert "--pooling" in refusal(server, input="a")["message"]
    assert server.complete("a", max_tokens=1).choices


def test_a_model_that_only_embeds_completes_nothing(bert_server: ServerUnderTest) -> None:
    for body in ({"prompt": "hello"}, {"prompt": "hello", "echo": True, "max_tokens": 0, "logprobs": 1}):
        answer = bert_server.post(body)
        assert answer.status_code == 400
        assert "completes nothing" in answer.json()["error"]["message"]
    assert bert_server.post({"prompt": "hello", "stream": True}).status_code == 400
    assert bert_server.http.get("/health").status_code == 200


def test_no_numbers_are_no_vector(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    server = serve(make_llama(tmp_path / "nan.gguf", broken_token=7), "--pooling=last")
    answer = server.http.post("/v1/embeddings", json={"input": [[5, 7]]})
    assert answer.status_code == 500
    assert "not numbers" in answer.json()["error"]["message"]
    assert np.isfinite(vectors(server, [[5, 6]])).all()


def test_completions_and_embeddings_at_once(serve: Callable[..., ServerUnderTest], bundled: Path) -> None:
    server = serve(bundled, "--pooling=mean")
    alone = vectors(server, TEXTS)
    said = server.complete("The", max_tokens=20).choices[0].text
    with ThreadPoolExecutor(6) as pool:
        embedding = [pool.submit(vectors, server, TEXTS) for _ in range(12)]
        completing = [pool.submit(server.complete, "The", max_tokens=20) for _ in range(12)]
        assert all(np.abs(each.result() - alone).max() < TOLERANCE for each in embedding)
        assert {each.result().choices[0].text for each in completing} == {said}
