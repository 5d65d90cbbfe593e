"""The tokenizer's routes, asked as vLLM's, HELM's, llama.cpp's and lm-eval's clients do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest, Specials

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text("aé🙂 \n<s>/", max_size=40)
CONTEXT = {"world-f16": 2048, "no-bos": 1024}


def ask(server: ServerUnderTest, path: str, **body: Any) -> dict[str, Any]:
    answer = server.http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusal(server: ServerUnderTest, path: str, **body: Any) -> dict[str, Any]:
    answer = server.http.post(path, json=body)
    assert answer.status_code == 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    return error


@MANY
@given(TEXTS)
@example("")
@example(" ")
@example("\0")
@example("e\u0301 👩‍👩‍👧 \u3000\x85")
@example("The </s> and <s> of it")
def test_a_text_comes_back(server: ServerUnderTest, text: str) -> None:
    for body in ({"prompt": text, "add_special_tokens": False}, {"text": text}, {"content": text}):
        tokens = ask(server, "/tokenize", **body)["tokens"]
        back = ask(server, "/detokenize", tokens=tokens)
        assert back["prompt"] == back["content"] == text
        assert ask(server, "/decode", tokens=tokens)["text"] == text


@MANY
@given(TEXTS.filter(bool))
def test_a_prompt_has_the_tokens_that_a_completion_sees(server: ServerUnderTest, text: str) -> None:
    found = ask(server, "/tokenize", prompt=text, return_token_strs=True)
    tokens = found["tokens"]
    assert found["count"] == len(tokens) == len(found["token_strs"])
    as_text, as_ids = (server.score(prompt) for prompt in (text, tokens))
    assert as_text.logprobs is not None
    assert as_ids.logprobs is not None
    assert as_ids.logprobs.tokens == found["token_strs"]
    hidden = len(tokens) - len(as_text.logprobs.tokens or [])
    assert found["token_strs"][hidden:] == as_text.logprobs.tokens
    assert hidden == (server.id == "world-f16" and not text.startswith("<s>"))


def test_a_document_begins_as_the_metadata_says(
    bundled_server: ServerUnderTest, no_bos_server: ServerUnderTest, specials: Specials
) -> None:
    (bos,) = ask(bundled_server, "/tokenize", text=specials.bos)["tokens"]
    plain = ask(bundled_server, "/tokenize", text="a")["tokens"]
    for body in ({"prompt": "a"}, {"prompt": f"{specials.bos}a"}, {"content": "a", "add_special": True}):
        assert ask(bundled_server, "/tokenize", **body)["tokens"] == [bos, *plain]  # once, however it comes
        assert ask(no_bos_server, "/tokenize", prompt="a")["tokens"] == plain
    assert ask(bundled_server, "/tokenize", prompt="")["tokens"] == [bos]
    assert ask(bundled_server, "/detokenize", tokens=[bos, *plain])["prompt"] == f"{specials.bos}a"


def test_helm_gets_its_time_and_its_truncation(server: ServerUnderTest) -> None:
    long = "one two three four five"
    whole = ask(server, "/tokenize", text=long, truncation=False, max_length=3)
    assert 0 < whole["request_time"] < 60
    assert whole["max_model_len"] == CONTEXT[server.id]
    cut = ask(server, "/tokenize", text=long, truncation=True, max_length=3)
    assert (cut["tokens"], cut["count"]) == (whole["tokens"][:3], 3)
    decoded = ask(server, "/decode", tokens=cut["tokens"], clean_up_tokenization_spaces=False)
    assert long.startswith(decoded["text"])
    assert 0 < decoded["request_time"] < 60


def test_llama_cpp_s_pieces(server: ServerUnderTest, specials: Specials) -> None:
    found = ask(server, "/tokenize", content=f"a🙂{specials.eos}", with_pieces=True)["tokens"]
    assert [token["id"] for token in found] == ask(server, "/tokenize", content=f"a🙂{specials.eos}")["tokens"]
    pieces = [token["piece"] for token in found]
    assert (pieces[0], pieces[-1]) == ("a", specials.eos)
    assert b"".join(bytes(p) if isinstance(p, list) else p.encode() for p in pieces[1:-1]) == "🙂".encode()
    assert any(isinstance(piece, list) for piece in pieces)  # of no whole UTF-8
    as_text = ask(server, "/tokenize", content=specials.eos, parse_special=False)
    assert as_text["count"] > 1
    assert ask(server, "/detokenize", tokens=as_text["tokens"])["content"] == specials.eos


def test_bytes_that_are_no_text_are_marked(server: ServerUnderTest) -> None:
    tokens = ask(server, "/tokenize", text="🙂")["tokens"]
    assert len(tokens) > 1
    assert ask(server, "/detokenize", tokens=tokens[:1])["prompt"] == "\ufffd"
    names = ask(server, "/tokenize", text="🙂", return_token_strs=True)["token_strs"]
    assert names[0].startswith("bytes:\\xf0")


def test_tokenizer_info_is_what_lm_eval_needs(server: ServerUnderTest, specials: Specials) -> None:
    info = server.http.get("/tokenizer_info").json()
    assert (info["eos_token"], info["bos_token"], info["pad_token"]) == (specials.eos, specials.bos, None)
    assert (info["vocab_size"], info["model_max_length"]) == (1024, CONTEXT[server.id])
    assert info["add_bos_token"] == (server.id == "world-f16")
    assert info["chat_template"] is None
    # It takes the first token of this for the end of a text.
    assert ask(server, "/tokenize", prompt=info["eos_token"], add_special_tokens=False)["count"] == 1


def test_version(bundled_server: ServerUnderTest) -> None:
    found = bundled_server.http.get("/version").json()
    assert found["version"][0].isdigit()
    assert found["engine"].startswith("llama-cpp-python-")


@pytest.mark.parametrize("path", ["/tokenizer_info", "/version"])
def test_what_is_asked_for_is_under_v1_too(bundled_server: ServerUnderTest, path: str) -> None:
    assert bundled_server.http.get(f"/v1{path}").json() == bundled_server.http.get(path).json()
    assert ask(bundled_server, "/v1/tokenize", prompt="a")["count"] == 2
    assert ask(bundled_server, "/v1/detokenize", tokens=[5]) | {"request_time": 0} == ask(
        bundled_server, "/v1/decode", tokens=[5]
    ) | {"request_time": 0}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "has none"),
        ({"add_special_tokens": True}, "has none"),
        ({"prompt": None, "text": None}, "has none"),
        ({"prompt": "a", "text": "b"}, "has 'prompt' and 'text'"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, "has 'prompt' and 'messages'"),
        ({"prompt": ["a"]}, "'prompt' must be a string here"),
        ({"prompt": [1, 2]}, "'prompt' must be a string here"),
        ({"text": 7}, "'text'"),
        ({"content": ["a"]}, "'content'"),
        ({"text": "a", "truncation": 1}, "'truncation'"),
        ({"text": "a", "max_length": -1}, "'max_length'"),
        ({"prompt": "a", "add_special_tokens": "yes"}, "'add_special_tokens'"),
        ({"prompt": "a", "truncate_prompt_tokens": 5}, "'truncate_prompt_tokens' is not supported"),
        ({"messages": [{"role": "user", "content": "a"}]}, "has no chat template"),
    ],
)
def test_what_cannot_be_tokenized_is_refused(bundled_server: ServerUnderTest, body: dict[str, Any], said: str) -> None:
    assert said in refusal(bundled_server, "/tokenize", **body)["message"]


def test_half_a_surrogate_pair_is_refused(bundled_server: ServerUnderTest) -> None:
    headers = {"content-type": "application/json"}
    for field in ("prompt", "text", "content"):
        answer = bundled_server.http.post("/tokenize", content=b'{"%s": "\\ud800"}' % field.encode(), headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == field


@pytest.mark.parametrize("path", ["/detokenize", "/decode"])
@pytest.mark.parametrize("tokens", [[1024], [5, 10**12], [-1], ["a"], [True], [1.5], "a", None, [[5]]])
def test_ids_of_no_token_are_refused(server: ServerUnderTest, path: str, tokens: Any) -> None:
    assert refusal(server, path, tokens=tokens)["param"] == "tokens"


def test_too_many_ids_are_refused(bundled_server: ServerUnderTest) -> None:
    assert refusal(bundled_server, "/detokenize", tokens=[5] * 1_000_001)["param"] == "tokens"
    assert ask(bundled_server, "/detokenize", tokens=[])["prompt"] == ""


def test_another_model_has_other_tokens(bundled_server: ServerUnderTest) -> None:
    for path, body in {"/tokenize": {"prompt": "a"}, "/detokenize": {"tokens": [5]}}.items():
        assert ask(bundled_server, path, model="world-f16", **body)
        answer: httpx.Response = bundled_server.http.post(path, json={"model": "gpt-4"} | body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def spaces_vocabulary(n: int) -> dict[str, Any]:
    """Metadata of a SentencePiece vocabulary of ``n`` tokens: specials, bytes, and a few words."""
    words = ["▁", *"abcdehlorwt", "he", "ll", "hell", "hello", "▁hello", "▁w", "▁a", "▁the", "▁▁"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    tokens += [f"unused{i}" for i in range(n - len(tokens))]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * 259 + [-float(i) for i in range(n - 259)],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * (n - 259),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


@pytest.fixture(scope="session")
def spaces_server(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> ServerUnderTest:
    """A model whose tokenizer puts a space before a text."""
    path = tmp_path_factory.mktemp("spaces") / "spaces.gguf"
    return serve(make_llama(path, metadata=spaces_vocabulary(1024)))


@MANY
@given(
    st.text("ab hello é🙂", max_size=20) | st.lists(st.sampled_from(["<s>", "</s>", " ", "a", "hello "])).map("".join)
)
@example("hello")
@example(" hello  the")
@example("</s> hello</s></s>a")
def test_added_spaces_do_not_come_back(spaces_server: ServerUnderTest, text: str) -> None:
    for body in ({"prompt": text, "add_special_tokens": False}, {"text": text, "truncation": True, "max_length": 99}):
        tokens = ask(spaces_server, "/tokenize", **body)["tokens"]
        assert ask(spaces_server, "/detokenize", tokens=tokens)["prompt"] == text


@pytest.mark.parametrize("choice", ["hello", "a", "hello hello", "é", " hello", "b a"])
def test_helm_counts_a_choice_as_it_is_after_its_context(spaces_server: ServerUnderTest, choice: str) -> None:
    context, whole = (
        ask(spaces_server, "/tokenize", prompt=text, add_special_tokens=False)["tokens"]
        for text in ("hello:", f"hello: {choice}")
    )
    assert ask(spaces_server, "/tokenize", text=f" {choice}")["tokens"] == whole[len(context) :]


def test_helm_is_told_no_choice_of_no_tokens(spaces_server: ServerUnderTest) -> None:
    # It would take the last 0 tokens of a prompt for all of them.
    assert ask(spaces_server, "/tokenize", text=" ")["count"] > 0


def test_the_added_space_is_there(spaces_server: ServerUnderTest) -> None:
    names = ask(spaces_server, "/tokenize", prompt="hello</s>a", return_token_strs=True)["token_strs"]
    assert names == [" hello", "</s>", " a"]
