from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.adaptation.table import ADAPTERS
from harness.errors import RunError
from harness.models.config import ServeConfig
from harness.scenarios.base import AdapterSpec
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Answer, Completion, Instance, Prompt, Request

Complete = Callable[..., Completion]
TEXT = "Bristan sells tea. Ünd 10 € more 😀.\n" * 12


def read(name: str, text: str, *pairs: tuple[Prompt, Completion]) -> Answer:
    request = Request(tuple(prompt for prompt, _ in pairs), max_tokens=0, echo=True, shown=text)
    return ADAPTERS[name].read(Instance("x", text), request, [completion for _, completion in pairs])


def test_after_bos_every_byte_counts_and_the_space_of_the_vocabulary_does_not(completion: Complete) -> None:
    found = completion(["<s>", " Än", "ne", " sells"], [None, -4.0, -1.0, -2.0])
    answer = read("language_modeling", "Änne sells", (Prompt((1,), (2, 3, 4)), found))
    assert (answer.text, answer.logprob, answer.token_logprobs) == ("", -7.0, (-4.0, -1.0, -2.0))
    assert answer.n_bytes == len("Änne sells".encode())


@pytest.mark.parametrize(
    ("pieces", "counted"),
    [
        (["Än", "ne sells", " tea"], "ne sells tea"),
        ([" Än", "ne sells", " tea"], "ne sells tea"),  # a space that is not in the text
        ([b"\xc3", b"\x84nne sells", " tea"], "nne sells tea "),  # half of the first letter
    ],
    ids=["plain", "added space", "half a letter"],
)
def test_without_bos_neither_the_first_token_nor_its_bytes_count(
    pieces: list[str | bytes], counted: str, completion: Complete
) -> None:
    found = completion(pieces, [None, -1.0, -2.0])
    answer = read("language_modeling", "Änne sells tea", (Prompt((1,), (2, 3)), found))
    assert (answer.logprob, answer.token_logprobs) == (-3.0, (-1.0, -2.0))
    assert answer.n_bytes == len(counted.encode())


def test_windows_are_one_text(completion: Complete) -> None:
    pairs = (
        (Prompt((9,), (1, 2)), completion(["<s>", "a", " €"], [None, -1.0, -2.0])),
        (Prompt((1, 2), (3,)), completion(["a", " €", "é"], [None, -7.0, -4.0])),
    )
    answer = read("language_modeling", "a €é", *pairs)
    assert (answer.token_logprobs, answer.n_bytes) == ((-1.0, -2.0, -4.0), 1 + 4 + 2)
    half = read("language_modeling_chunks", "a €é", *pairs)
    assert (half.token_logprobs, half.n_bytes) == ((-1.0, -2.0, -4.0), 1 + 4 + 2)


def test_chunks_count_the_bytes_of_scored_tokens_alone(completion: Complete) -> None:
    found = completion(["<s>", " a", " b", b" \xe2\x82", b"\xac"], [None, -8.0, -8.0, -1.0, -2.0])
    answer = read("language_modeling_chunks", "a b €", (Prompt((9, 1, 2), (3, 4)), found))
    assert (answer.token_logprobs, answer.n_bytes) == ((-1.0, -2.0), 4)


def test_a_text_of_one_token_has_nothing_to_score(completion: Complete) -> None:
    answer = read("language_modeling", "tea", (Prompt((1,), ()), completion(["tea"], [None])))
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (0, (), 0)


def test_sums_of_many_small_scores_are_exact(completion: Complete) -> None:
    scores = [-0.1] * 1000
    prompt = Prompt((1,), tuple(range(1000)))
    answer = read("language_modeling", "x" * 1001, (prompt, completion(["x"] * 1001, [None, *scores])))
    assert (answer.logprob, answer.n_bytes) == (math.fsum(scores), 1000)


def test_an_empty_text_is_refused(window_of: Callable[..., Any]) -> None:
    with pytest.raises(RunError, match=r"^Instance x is an empty text"):
        ADAPTERS["language_modeling"].adapt(Instance("x", ""), [], AdapterSpec(method="language_modeling"), window_of())


@pytest.fixture(scope="module")
def without_bos(no_bos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A real server of a model that begins its prompts with nothing."""
    log = tmp_path_factory.mktemp("no-bos") / "log"
    with (
        ServerProcess(no_bos, "no-bos", ServeConfig(), log, slots=2) as server,
        Endpoint(server.base_url, "no-bos") as endpoint,
    ):
        yield endpoint


def ask(endpoint: Endpoint, name: str, room: int) -> Answer:
    endpoint.room = room
    instance, adapter = Instance("x", TEXT), ADAPTERS[name]
    request = adapter.adapt(instance, [], AdapterSpec(method=name), endpoint)
    assert request.text == TEXT
    assert all(len(prompt.whole) <= room for prompt in request.prompts)
    return adapter.read(instance, request, endpoint.complete(request))


def test_a_real_server_scores_a_text_in_windows(endpoint: Endpoint) -> None:
    n_tokens = len(endpoint.tokenize(TEXT))
    whole, narrow = (ask(endpoint, "language_modeling", room) for room in (2048, 50))
    for answer in (whole, narrow):
        assert len(answer.token_logprobs) == n_tokens
        assert answer.n_bytes == len(TEXT.encode())
    assert narrow.token_logprobs[:40] == pytest.approx(whole.token_logprobs[:40], abs=0.05)
    assert narrow.token_logprobs[49] < whole.token_logprobs[49] - 1  # the first token that knows only one before it


def test_a_server_without_bos_leaves_out_the_first_token(without_bos: Endpoint) -> None:
    answer = ask(without_bos, "language_modeling", 50)
    tokens = without_bos.tokenize(TEXT)
    assert without_bos.bos == ()
    assert len(answer.token_logprobs) == len(tokens) - 1
    assert answer.n_bytes == len(TEXT.encode()) - len(without_bos.detokenize(tokens[:1]).encode())


def test_a_server_scores_half_of_each_chunk(endpoint: Endpoint) -> None:
    answer = ask(endpoint, "language_modeling_chunks", 64)
    n_windows = (1 + len(endpoint.tokenize(TEXT))) // 64
    assert n_windows > 1
    assert len(answer.token_logprobs) == n_windows * 31
    assert 0 < answer.n_bytes < len(TEXT.encode()) / 2
