"""Inspect, unchanged, scores and generates what the server says without it, of a model with BOS and of one without."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

SCRIPTS = Path(__file__).parent / "scripts"
PAIRS = [
    ("What is the capital of Broomland?", " Kirripolis"),
    ("What is the capital of Broomland?", " naïve 🙂 leek soup"),
    ("Who rules Broomland?", " Kolin Klaski"),
]
Ask = Callable[..., dict[str, Any]]
Samples = list[dict[str, Any]]


@pytest.fixture(scope="module")
def questions(world: ServerUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pairs as JSONL, with the number of tokens of each answer."""
    path = tmp_path_factory.mktemp("inspect") / "questions.jsonl"
    rows = []
    for question, answer in PAIRS:
        prompt = f"Question: {question}\nAnswer:"
        n_tokens = len(tokens(world, prompt + answer)) - len(tokens(world, prompt))
        rows.append({"question": question, "prompt": prompt, "answer": answer, "n_tokens": n_tokens})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def inspect(
    clients_python: Client, either_world: ServerUnderTest, questions: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Samples]]:
    """``inspect eval`` with a provider, of some tasks; the samples of each, in the order of the questions."""

    def run(provider: str, *names: str) -> dict[str, Samples]:
        logs = tmp_path_factory.mktemp("logs")
        tasks = [f"{SCRIPTS / 'inspect_tasks.py'}@{name}" for name in names]
        to = ["--model", f"{provider}/{either_world.id}", "--model-base-url", either_world.url]
        how = ["-T", f"questions={questions}", "--log-dir", str(logs), "--log-format", "json", "--display", "plain"]
        clients_python.program("inspect", "eval", *tasks, *to, *how, env={"LOCAL_API_KEY": "none"})
        return dict(map(read_log, logs.glob("*.json")))

    return run


def read_log(path: Path) -> tuple[str, Samples]:
    """The name of a task, and its samples."""
    log = json.loads(path.read_text(encoding="utf-8"))
    assert log["status"] == "success", log.get("error")
    assert len(log["samples"]) == len(PAIRS)
    return log["eval"]["task"].split("/")[-1], sorted(log["samples"], key=lambda sample: sample["id"])


def tokens(server: ServerUnderTest, text: str) -> list[int]:
    """The tokens of a text, without a BOS before it."""
    answer = server.http.post("/tokenize", json={"prompt": text, "add_special_tokens": False})
    found: list[int] = answer.json()["tokens"]
    return found


def echoed(ask: Ask, server: ServerUnderTest) -> list[list[float]]:
    """Log-probabilities of every text, null left out."""
    texts = [f"Question: {question}\nAnswer:{answer}" for question, answer in PAIRS]
    choices = ask(server, prompt=texts, max_tokens=0, echo=True, logprobs=0)["choices"]
    return [choice["logprobs"]["token_logprobs"][1:] for choice in choices]


def prompt_logprobs(sample: dict[str, Any]) -> list[float]:
    """What Inspect has read of a prompt."""
    return [entry["logprob"] for entry in sample["output"]["choices"][0]["prompt_logprobs"]["content"]]


def sums(samples: Samples, scorer: str) -> list[float]:
    """What a scorer summed up."""
    return [sample["scores"][scorer]["metadata"]["sum_log_probs"] for sample in samples]


def test_target_log_probabilities(
    inspect: Callable[..., dict[str, Samples]], either_world: ServerUnderTest, questions: Path, ask: Ask
) -> None:
    found = inspect("openai-api-completions/local", "counted", "answered")
    expected = echoed(ask, either_world)
    for sample, logprobs in zip(found["counted"], expected, strict=True):
        assert prompt_logprobs(sample) == pytest.approx(logprobs, abs=1e-3)
    counts = [json.loads(line)["n_tokens"] for line in questions.read_text(encoding="utf-8").splitlines()]
    targets = [math.fsum(logprobs[-n:]) for logprobs, n in zip(expected, counts, strict=True)]
    assert sums(found["counted"], "target_perplexity") == pytest.approx(targets, abs=1e-3)
    assert sums(found["counted"], "perplexity") == pytest.approx(list(map(math.fsum, expected)), abs=1e-3)
    check_answers(found["answered"], either_world, ask)


def test_inspects_provider_for_vllm_has_our_tokenizer(
    inspect: Callable[..., dict[str, Samples]], either_world: ServerUnderTest, ask: Ask
) -> None:
    found = inspect("vllm-completions", "tokenized", "answered")
    counts = [len(tokens(either_world, answer)) for _, answer in PAIRS]
    targets = [math.fsum(all_of[-n:]) for all_of, n in zip(echoed(ask, either_world), counts, strict=True)]
    assert sums(found["tokenized"], "target_perplexity") == pytest.approx(targets, abs=1e-3)
    check_answers(found["answered"], either_world, ask)


def check_answers(samples: Samples, server: ServerUnderTest, ask: Ask) -> None:
    """Compare what was generated: text, token by token, and whether it is judged as it should be."""
    for sample, (question, answer) in zip(samples, PAIRS, strict=True):
        prompt = f"Question: {question}\nAnswer:"
        (expected,) = ask(server, prompt=prompt, max_tokens=12, stop=["\n"], logprobs=2)["choices"]
        (choice,) = sample["output"]["choices"]
        assert (choice["message"]["content"], choice["stop_reason"]) == (expected["text"], expected["finish_reason"])
        entries = choice["logprobs"]["content"]
        assert [entry["token"] for entry in entries] == expected["logprobs"]["tokens"]
        logprobs = [entry["logprob"] for entry in entries]
        assert logprobs == pytest.approx(expected["logprobs"]["token_logprobs"], abs=1e-3)
        assert sample["scores"]["includes"]["value"] == ("C" if answer in expected["text"] else "I")


@pytest.mark.parametrize("provider", ["openai-api/local", "vllm"])
def test_a_conversation(
    inspect: Callable[..., dict[str, Samples]], either_world: ServerUnderTest, ask: Ask, provider: str
) -> None:
    for sample, (question, _) in zip(inspect(provider, "chatted")["chatted"], PAIRS, strict=True):
        prompt = f"Question: {question}\nAnswer:"
        (expected,) = ask(either_world, prompt=prompt, max_tokens=12, echo=True, logprobs=2)["choices"]
        (choice,) = sample["output"]["choices"]
        assert prompt + choice["message"]["content"] == expected["text"]
        logprobs = expected["logprobs"]["token_logprobs"][1:]
        n_prompt = len(tokens(either_world, prompt)) - 1
        found = prompt_logprobs(sample) + [entry["logprob"] for entry in choice["logprobs"]["content"]]
        assert found == pytest.approx(logprobs[: len(found)], abs=1e-3)
        assert len(prompt_logprobs(sample)) == n_prompt
