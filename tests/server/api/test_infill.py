"""``suffix``: a completion between two texts, by the tokens with which a model was taught to fill in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from answers import ask, ask_streaming, assert_close, error_of, summed

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.conftest import RawLlama

BEFORE, AFTER, MIDDLE, BOS = 190, 191, 192, 0
METADATA = {
    f"tokenizer.ggml.fim_{name}_token_id": token for name, token in (("pre", BEFORE), ("suf", AFTER), ("mid", MIDDLE))
}


@pytest.fixture(scope="module", params=[False, True], ids=["no BOS", "BOS"])
def adds_bos(request: pytest.FixtureRequest) -> bool:
    found: bool = request.param
    return found


@pytest.fixture(scope="module")
def infill_server(
    adds_bos: bool,
    serve: Callable[..., ServerUnderTest],
    make_llama: Callable[..., Path],
    server_type: type[ServerUnderTest],
    tmp_path_factory: pytest.TempPathFactory,
) -> ServerUnderTest:
    """A model that has the three tokens."""
    metadata = METADATA | {"tokenizer.ggml.add_bos_token": adds_bos}
    path = make_llama(tmp_path_factory.mktemp("models") / "infill.gguf", metadata=metadata)
    return serve(path, *server_type.STEADY)


FIELDS: dict[str, Any] = {"max_tokens": 8, "seed": 4, "logprobs": 1, "return_token_ids": True}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("prompt", "suffix"), [("The ruler", " of Joo."), ("", "is"), ("a 🙂", "🙂"), ([5, 6, 7], " b")]
)
def test_the_model_sees_what_is_before_and_what_is_after(
    infill_server: ServerUnderTest,
    adds_bos: bool,
    raw_llama: Callable[..., RawLlama],
    no_bos: Path,
    prompt: Any,
    suffix: str,
    stream: bool,
) -> None:
    tokenize = raw_llama(no_bos).tokenize
    bos = [BOS] if adds_bos and isinstance(prompt, str) else []
    before = tokenize(prompt) if isinstance(prompt, str) else prompt
    ids = [*bos, BEFORE, *before, AFTER, *tokenize(suffix), MIDDLE]
    expected = ask(infill_server, FIELDS | {"prompt": ids})["choices"][0]
    body = FIELDS | {"prompt": prompt, "suffix": suffix}
    found = summed(ask_streaming(infill_server, body)[0])[0] if stream else ask(infill_server, body)["choices"][0]
    assert found["prompt_token_ids"] == ids[len(bos) :]
    assert found["token_ids"] == expected["token_ids"]
    assert found["text"] == expected["text"]
    for array in ("tokens", "token_logprobs", "top_logprobs"):
        assert_close(found["logprobs"][array], expected["logprobs"][array])


def test_it_begins_with_no_bos_if_none_is_wanted(infill_server: ServerUnderTest, adds_bos: bool) -> None:
    body = FIELDS | {"prompt": "The", "suffix": "is"}
    without = ask(infill_server, body | {"add_special_tokens": False})
    assert without["tokens_evaluated"] == without["usage"]["prompt_tokens"]
    assert ask(infill_server, body)["tokens_evaluated"] == without["tokens_evaluated"] + adds_bos


def test_an_empty_suffix_is_none(infill_server: ServerUnderTest) -> None:
    plain, empty = (ask(infill_server, FIELDS | {"prompt": "The"} | more) for more in ({}, {"suffix": ""}))
    assert plain["choices"][0]["token_ids"] == empty["choices"][0]["token_ids"]
    assert plain["usage"]["prompt_tokens"] == empty["usage"]["prompt_tokens"]


def test_openais_client_fills_in(infill_server: ServerUnderTest) -> None:
    plain, filled = (infill_server.complete("The", **more).choices[0].text for more in ({}, {"suffix": " is"}))
    assert plain != filled


@pytest.mark.parametrize(
    ("fields", "param"), [({"echo": True}, "suffix"), ({"truncate_prompt_tokens": 5}, "truncate_prompt_tokens")]
)
def test_what_a_suffix_cannot_be_used_with(infill_server: ServerUnderTest, fields: dict[str, Any], param: str) -> None:
    assert error_of(infill_server.post({"prompt": "a", "suffix": "b"} | fields))["param"] == param


def test_a_suffix_counts_towards_the_context(infill_server: ServerUnderTest) -> None:
    answer = infill_server.post({"prompt": "a " * 600, "suffix": "b " * 600})
    assert error_of(answer)["code"] == "context_length_exceeded"


def test_other_models_refuse_a_suffix(server: ServerUnderTest) -> None:
    error = error_of(server.post({"prompt": "a", "suffix": "b"}))
    assert error["param"] == "suffix"
    assert "taught to fill in" in error["message"]
