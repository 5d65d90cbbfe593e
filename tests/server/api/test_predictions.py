"""``prediction``: answers come sooner where it is right, and are the same wherever it comes from."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from answers import ask, ask_streaming
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.scenarios.world.corpus import passages
from harness.scenarios.world.facts import build_world

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

Answer = dict[str, Any]
N = 200
LENGTH = 24


def beginnings(count: int) -> list[str]:
    """Texts of the bundled model's world, cut off somewhere."""
    rng = random.Random(5)
    return [" ".join(text.split()[: rng.randint(8, 30)]) for text in passages(build_world(), rng, count)]


PROMPTS = beginnings(N)


def complete(server: ServerUnderTest, prompt: str, prediction: object = None, **fields: Any) -> Answer:
    """A greedy completion by itself, with nothing left of others in the cache."""
    alone = {"prompt": prompt, "max_tokens": LENGTH, "temperature": 0, "cache_prompt": False}
    wanted = {"logprobs": 2, "return_token_ids": True}
    if prediction is not None:
        fields["prediction"] = {"type": "content", "content": prediction}
    return ask(server, alone | wanted | fields)


def ids(answer: Answer) -> list[int]:
    """All tokens that were generated."""
    found: list[int] = answer["choices"][0]["generated_token_ids"]
    return found


def common(said: list[int], predicted: list[int]) -> int:
    """How many tokens two lists have in common at their beginning."""
    pairs = zip(said, predicted, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(said), len(predicted)))


def details(answer: Answer) -> tuple[int, int]:
    """Tokens of the prediction that were right, and those that were not."""
    found = answer["usage"]["completion_tokens_details"]
    return found["accepted_prediction_tokens"], found["rejected_prediction_tokens"]


@pytest.fixture(scope="module")
def predictions(bundled_server: ServerUnderTest) -> list[list[int]]:
    """What the bundled model itself says."""
    return [ids(complete(bundled_server, prompt)) for prompt in PROMPTS]


@pytest.fixture(scope="module")
def q8(serve: Callable[..., ServerUnderTest], quantized: Callable[[str], Path]) -> ServerUnderTest:
    """A quantization whose tokens can be decoded together without moving a bit."""
    return serve(quantized("Q8_0"))


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K_M", "Q2_K"])
def test_answers_are_those_without_a_prediction(
    serve: Callable[..., ServerUnderTest],
    quantized: Callable[[str], Path],
    predictions: list[list[int]],
    kind: str,
) -> None:
    server = serve(quantized(kind))
    accepted = []
    for i, prompt in enumerate(PROMPTS):
        plain = complete(server, prompt)
        prediction = ids(plain) if i % 4 == 0 else predictions[i]  # some that are all right, whatever the model
        predicted = complete(server, prompt, prediction)
        assert predicted["choices"] == plain["choices"]
        right = common(ids(plain), prediction)
        assert details(predicted) == (right, len(prediction) - right)
        accepted.append(right / len(prediction))
    assert 0 <= min(accepted) < max(accepted) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_draft_gives_the_same(q8: ServerUnderTest, data: st.DataObject) -> None:
    prompt = data.draw(st.sampled_from(PROMPTS[:5]))
    plain = complete(q8, prompt)
    right = ids(plain)
    noise = st.lists(st.integers(0, 1023), max_size=40)
    draft = data.draw(
        st.one_of(
            st.just(right),
            noise,
            st.integers(0, len(right)).map(lambda n: right[:n]),
            noise.map(lambda more: right + more),
            st.tuples(st.integers(0, len(right) - 1), st.integers(0, 1023)).map(
                lambda change: [*right[: change[0]], change[1], *right[change[0] + 1 :]]
            ),
        )
    )
    assert complete(q8, prompt, draft)["choices"] == plain["choices"]


ENDINGS: dict[str, dict[str, Any]] = {
    "stop string": {"stop": [" of"]},
    "stop string across tokens": {"stop": ["the c"]},
    "one token": {"max_tokens": 1},
    "few tokens": {"max_tokens": 5},
    "a token banned": {"logit_bias": {"300": False, "5": 3}},
    "no end": {"ignore_eos": True, "max_tokens": 70},
    "no early end": {"min_tokens": 20, "stop": ["."]},
    "penalties": {"frequency_penalty": 0.5, "repeat_penalty": 1.2},
    "drawn": {"temperature": 0.8, "seed": 3, "top_p": 0.9},
}


@pytest.mark.parametrize("fields", ENDINGS.values(), ids=ENDINGS.keys())
def test_what_else_is_asked_is_heeded(q8: ServerUnderTest, fields: dict[str, Any]) -> None:
    for prompt in PROMPTS[:8]:
        plain = complete(q8, prompt, **fields)
        longer = ids(complete(q8, prompt, **fields | {"stop": [], "max_tokens": 80, "ignore_eos": True}))
        for prediction in (ids(plain), longer, ids(complete(q8, prompt))):
            assert complete(q8, prompt, prediction, **fields)["choices"] == plain["choices"]


def test_the_prediction_may_be_the_text(q8: ServerUnderTest) -> None:
    plain = complete(q8, PROMPTS[0])
    text = plain["choices"][0]["text"]
    for content in (text, [{"type": "text", "text": text[:9]}, {"type": "text", "text": text[9:]}]):
        predicted = complete(q8, PROMPTS[0], content)
        assert predicted["choices"] == plain["choices"]
        assert details(predicted)[0] > LENGTH // 2


def test_a_stream_adds_up_to_the_same(q8: ServerUnderTest) -> None:
    plain = complete(q8, PROMPTS[0])
    fields = {"prompt": PROMPTS[0], "max_tokens": LENGTH, "temperature": 0, "cache_prompt": False}
    fields |= {"prediction": {"type": "content", "content": ids(plain)}, "stream_options": {"include_usage": True}}
    (*parts, last), ended = ask_streaming(q8, fields)
    assert ended
    assert "".join(part["choices"][0]["text"] for part in parts) == plain["choices"][0]["text"]
    assert details(last) == (len(ids(plain)), 0)


def test_a_chat_takes_one(
    serve: Callable[..., ServerUnderTest], quantized: Callable[[str], Path], tmp_path: Path
) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    server = serve(quantized("Q8_0"), f"--chat-template={template}")
    body = {"messages": [{"role": "user", "content": PROMPTS[1]}], "max_tokens": LENGTH, "temperature": 0}
    plain = ask(server, body, "/v1/chat/completions")
    said = plain["choices"][0]["message"]["content"]
    predicted = ask(server, body | {"prediction": {"type": "content", "content": said}}, "/v1/chat/completions")
    assert predicted["choices"] == plain["choices"]
    assert details(predicted)[0] > LENGTH // 2
    assert "completion_tokens_details" not in plain["usage"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"n": 2}, "one completion"),
        ({"prompt": ["a", "b"]}, "one completion"),
        ({"prediction": {"type": "content", "content": [1 << 20]}}, "token id 1048576"),
        ({"prediction": {"type": "guess", "content": "a"}}, "prediction"),
        ({"prediction": "a"}, "prediction"),
    ],
)
def test_what_cannot_be_is_refused(q8: ServerUnderTest, fields: dict[str, Any], said: str) -> None:
    body = {"prompt": "a", "prediction": {"type": "content", "content": "a"}} | fields
    answer = q8.post(body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
