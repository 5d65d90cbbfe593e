"""The server's reason to be: the log-probabilities it reports are those of the model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from openai.types import CompletionChoice
    from openai.types.completion_choice import Logprobs

    from tests.conftest import ServerUnderTest, Specials
    from tests.server.conftest import RawLlama

TOLERANCE = 1e-4
NOISE = 0.25
"""How far a log-probability may be off where other prompts are in the cache, and sums are rounded in another order."""
MEAN_NOISE = 0.01
CONTEXT = 256
EXTRA = os.environ.get("HARNESS_TEST_MODELS")
EXTRA_MODELS = sorted(Path(EXTRA).glob("*.gguf")) if EXTRA else []
QUESTION = "Question: What is the capital of Susia?\nAnswer: Oopolis.\n\n"
TEXTS = {
    "a question": "Question: What is the capital of the country of Susia?\nAnswer:",
    "one word": "Answer",
    "no known word": "xqj zzkw 0x7F {[<~>]}",
    "emoji and accents": "Zoë s'étonne 🙂👩‍👧 на мосту 桥",
    "special tokens": "BOSThe rulerEOSBOSof Joo",
    "more than one batch": QUESTION * 9,
}


class Pair(NamedTuple):
    """A server, and llama.cpp driven by hand over the same model with the same options."""

    server: ServerUnderTest
    raw: RawLlama

    def tokens(self, prompt: str | list[int]) -> tuple[list[int], int]:
        """What the model is to see, and how many tokens of it the client is not to see."""
        if isinstance(prompt, list):
            return prompt, 0
        tokens = self.raw.tokenize(prompt)
        doubled = self.raw.adds_bos and tokens[:2] == [tokens[0]] * 2
        return tokens[doubled:], int(self.raw.adds_bos and not doubled)

    def empty_the_cache(self) -> None:
        """Let a prompt that takes all cells drive out all others; the next one drives it out, and begins in front."""
        prompt = [9] * CONTEXT
        fill = {"prompt": prompt, "n_predict": 0, "oai_compat": False, "cache_prompt": False}
        assert self.server.http.post("/completion", json=fill).json()["timings"]["prompt_n"] == CONTEXT


@pytest.fixture(params=[512, 32], ids=lambda size: f"batch {size}")
def batch_size(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=["bundled", "no_bos"])
def pair(
    request: pytest.FixtureRequest,
    batch_size: int,
    serve: Callable[..., ServerUnderTest],
    raw_llama: Callable[..., RawLlama],
) -> Pair:
    """A server whose cache can be emptied, so that its results are exactly those of one prompt alone."""
    model: Path = request.getfixturevalue(request.param)
    return make_pair(model, batch_size, serve, raw_llama)


def make_pair(
    model: Path, batch_size: int, serve: Callable[..., ServerUnderTest], raw_llama: Callable[..., RawLlama]
) -> Pair:
    server = serve(model, f"--ctx-size={CONTEXT}", f"--cache-size={CONTEXT}", f"--batch-size={batch_size}")
    return Pair(server, raw_llama(model, n_batch=batch_size, flash_attention="on"))


def logprobs_of(choice: CompletionChoice) -> Logprobs:
    assert choice.logprobs is not None
    return choice.logprobs


def deviations(
    pair: Pair, prompt: str | list[int], choice: CompletionChoice, noise: float = TOLERANCE
) -> NDArray[np.float64]:
    """How far each log-probability of an echo is from a raw log-softmax: those of the prompt, those of alternatives."""
    tokens, hidden = pair.tokens(prompt)
    rows = pair.raw.logprobs(tokens)
    found = logprobs_of(choice)
    assert found.token_logprobs is not None
    assert found.top_logprobs is not None
    assert found.tokens is not None
    assert len(found.token_logprobs) == len(tokens) - hidden
    names = [pair.raw.name(token) for token in tokens[hidden:]]
    # SentencePiece puts a space before the first word, which the client did not send.
    assert all(name in (shown, f" {shown}") for name, shown in zip(names, found.tokens, strict=True))
    assert found.token_logprobs[0] is None
    differences: list[float] = []
    for i, position in enumerate(range(hidden + 1, len(tokens)), 1):
        row, token = rows[position - 1], tokens[position]
        alternatives = found.top_logprobs[i]
        *best, next_best = np.argsort(-row, kind="stable")[:6].tolist()
        named = [
            (found.tokens[i] if likely == token else pair.raw.name(likely), float(row[likely]))
            for likely in (*best, token)
        ]
        expected = dict(sorted(named, key=lambda entry: entry[1]))  # of two with one name, the likelier stays
        if row[best[-1]] - row[next_best] > noise:
            assert alternatives.keys() == expected.keys()
        differences.append(found.token_logprobs[i] - row[token])
        differences += [alternatives[name] - expected[name] for name in alternatives.keys() & expected.keys()]
    return np.abs(differences)


def check(pair: Pair, prompt: str | list[int]) -> None:
    """Ask twice: what is computed, and what is remembered."""
    pair.empty_the_cache()
    alone = {"cache_salt": str(uuid4())}  # a beginning that another prompt has in common was decoded with that one
    for attempt in ("first", "second"):
        choice = pair.server.score(prompt, logprobs=5, extra_body=alone)
        worst = deviations(pair, prompt, choice).max(initial=0)
        print(f"largest deviation, {attempt} time: {worst:.2e}")
        assert worst < TOLERANCE


@pytest.mark.parametrize("name", TEXTS)
def test_text_prompts(name: str, pair: Pair, specials: Specials) -> None:
    text = TEXTS[name].replace("BOS", specials.bos).replace("EOS", specials.eos)
    check(pair, text)
    assert pair.server.score(text).text == text


@pytest.mark.parametrize("length", [2, 31, 33, 250])
def test_token_id_prompts(length: int, pair: Pair) -> None:
    check(pair, np.random.default_rng(length).integers(0, pair.raw.n_vocab, length).tolist())


@pytest.mark.parametrize(
    ("prompt", "echo"), [("The capital of Joo is", True), ("And who is the ruler of the country", False)]
)
def test_what_follows_the_prompt(prompt: str, echo: bool, pair: Pair) -> None:
    tokens, hidden = pair.tokens(prompt)
    row = pair.raw.logprobs(tokens)[-1]
    best = int(row.argmax())
    pair.empty_the_cache()
    found = logprobs_of(pair.server.score(prompt, max_tokens=1, logprobs=3, echo=echo))
    assert found.tokens is not None
    assert found.token_logprobs is not None
    assert found.top_logprobs is not None
    assert len(found.tokens) == (len(tokens) - hidden) * echo + 1
    assert found.tokens[-1] == pair.raw.name(best)
    assert found.token_logprobs[-1] == pytest.approx(row[best], abs=TOLERANCE)
    assert list(found.top_logprobs[-1].values()) == pytest.approx(np.sort(row)[-1:-4:-1].tolist(), abs=TOLERANCE)


@pytest.mark.parametrize("model", ["bundled", "no_bos"])
def test_long_prompts_beside_others(
    model: str, request: pytest.FixtureRequest, raw_llama: Callable[..., RawLlama]
) -> None:
    raw = raw_llama(request.getfixturevalue(model), flash_attention="on")
    pair = Pair(request.getfixturevalue(f"{model}_server"), raw)
    rng = np.random.default_rng(0)
    prompts = [QUESTION * 40, rng.integers(0, 600, 700).tolist(), QUESTION * 38 + "Question: Who is the ruler of Joo?"]
    for prompt in prompts:
        found = deviations(pair, prompt, pair.server.score(prompt, logprobs=5), NOISE)
        print(f"largest deviation: {found.max():.2e}, mean {found.mean():.2e}")
        assert found.max() < NOISE
        assert found.mean() < MEAN_NOISE


@pytest.mark.skipif(EXTRA is None, reason="HARNESS_TEST_MODELS names no folder of further models")
@pytest.mark.parametrize("path", EXTRA_MODELS, ids=lambda path: path.stem)
def test_further_models(path: Path, serve: Callable[..., ServerUnderTest], raw_llama: Callable[..., RawLlama]) -> None:
    pair = make_pair(path, 32, serve, raw_llama)
    story = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
    for prompt in (story, story[::-1], f" {story}", f"<s>{story}"):
        check(pair, prompt)
        assert pair.server.score(prompt).text == prompt
    check(pair, pair.raw.tokenize(story)[5:])
