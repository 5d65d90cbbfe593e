"""Divergence over windows of 512 tokens, half of them scored: against bare scoring, and ``llama-perplexity``'s own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.client import exchange
from bench.measure import Comparison, alternate
from bench.peers import tool
from bench.processes import ROOT, Serving, last_line, our_server, running
from bench.scoring import scoring_body
from bench.setup import BenchError, Inputs
from bench.vocabulary import Vocabulary
from tools.llama_perplexity import base_tokens

LENGTH = 512
SCORE_FROM = LENGTH // 2 + 1
AT_ONCE = 8
"""Windows of a request."""
STORE, BASE = "measured", "base"
OVER_SCORING = 0.80
"""At most a quarter more time."""
AS_FAST = 1.00
STARTED = b"computing over"
"""What ``llama-perplexity --kl-divergence`` says when its model is loaded and its base file's header is read."""


def measure(inputs: Inputs) -> list[Comparison]:
    """Recording, comparing, scoring the same tokens with nothing else, and the same by ``llama-perplexity``.

    Each side has the same windows in every round and remembers nothing of the round before. ``llama-perplexity`` is
    timed from its loaded model to its end, our server over HTTP and JSON.
    """
    assert inputs.model is not None
    model, stores = inputs.model, inputs.scratch / "stores"
    stores.mkdir()
    base = stores / BASE
    text = _save_base(inputs, model, base)
    windows: list[list[int]] = base_tokens(base).tolist()
    tokens = len(windows) * LENGTH
    with our_server(inputs, model, f"--divergence-dir={stores}") as server:

        def rate(number: int, what: str, seconds: float) -> float:
            inputs.say(f"divergence, round {number + 1} of {inputs.rounds}: {what}")
            return tokens / seconds

        def score(number: int) -> float:
            return rate(number, "scoring", _seconds(server, "/v1/completions", _scoring(windows)))

        def record(number: int) -> float:
            return rate(number, "recording", _seconds(server, "/v1/divergence", _asking(windows, "record")))

        def compare(number: int) -> float:
            return rate(number, "comparing", _seconds(server, "/v1/divergence", _asking(windows, "compare")))

        def theirs(number: int) -> float:
            return rate(number, "llama-perplexity", _peer(inputs, model, text, base))

        for warm_up in (record, compare, score):
            warm_up(-1)
        scoring, recording, comparing, peer = map(tuple, alternate(inputs.rounds, [score, record, compare, theirs]))
    common: dict[str, Any] = {"row": "divergence", "unit": "tokens/s"}
    over: dict[str, Any] = {"against": "bare scoring", "theirs": scoring, "bound": OVER_SCORING, **common}
    return [
        Comparison(work="divergence, recording", ours=recording, **over),
        Comparison(work="divergence, comparing", ours=comparing, **over),
        Comparison(
            work="divergence, comparing", against="perplexity", ours=comparing, theirs=peer, bound=AS_FAST, **common
        ),
    ]


def _asking(windows: Sequence[list[int]], mode: str) -> list[dict[str, Any]]:
    asked = {"store": STORE, "mode": mode, "score_from": SCORE_FROM}
    return [
        {**asked, "begin": begin, "windows": windows[begin : begin + AT_ONCE]}
        for begin in range(0, len(windows), AT_ONCE)
    ]


def _scoring(windows: Sequence[list[int]]) -> list[dict[str, Any]]:
    """The same tokens scored, and nothing taken from what was scored before."""
    plain = {"logprob_start_len": SCORE_FROM, "cache_prompt": False}
    return [
        scoring_body(list(windows[begin : begin + AT_ONCE]), 0) | plain for begin in range(0, len(windows), AT_ONCE)
    ]


def _seconds(server: Serving, path: str, bodies: Sequence[dict[str, Any]]) -> float:
    """One request after the other."""
    return exchange(server.url.removesuffix("/v1/completions") + path, bodies, clients=1).seconds


def _save_base(inputs: Inputs, model: Path, base: Path) -> Path:
    """A text of random words, and its base file by ``llama-perplexity``; returns the text's path.

    Raises:
        BenchError: it made none.
    """
    vocabulary = Vocabulary(model, seed=inputs.seed)
    rng = np.random.default_rng(inputs.seed)
    words = ["".join(chr(97 + letter) for letter in word) for word in rng.integers(0, 26, (5000, 4))]
    text = ""
    while len(vocabulary.tokenize(text)) < inputs.prompts * LENGTH:
        text += " ".join(words[i] for i in rng.integers(0, len(words), 2000)) + "\n"
    path = inputs.scratch / "divergence.txt"
    path.write_text(text, encoding="utf-8")
    inputs.say("divergence: llama-perplexity writes its base file")
    with running([*_command(inputs, model, path), "--kl-divergence-base", str(base)], _log(inputs)) as process:
        process.communicate()
    if process.returncode != 0 or len(base_tokens(base)) != inputs.prompts:
        raise BenchError(f"llama-perplexity wrote no base file: {last_line(_log(inputs))}")
    return path


def _peer(inputs: Inputs, model: Path, text: Path, base: Path) -> float:
    """Seconds that ``llama-perplexity`` takes to compare, its model loaded.

    Raises:
        BenchError: it failed.
    """
    options = ["--kl-divergence-base", str(base), "--kl-divergence"]
    process = subprocess.Popen(
        [*_command(inputs, model, text), *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    begun = 0.0
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if STARTED in line:
                begun = time.perf_counter()
    if process.returncode != 0 or not begun:
        raise BenchError("llama-perplexity --kl-divergence did not compare.")
    return time.perf_counter() - begun


def _command(inputs: Inputs, model: Path, text: Path) -> list[str]:
    command = [str(tool(inputs, "llama-perplexity")), "--model", str(model.resolve()), "--file", str(text)]
    return [*command, *inputs.setup.for_llama_cpp(), "--ctx-size", str(LENGTH), "--chunks", str(inputs.prompts)]


def _log(inputs: Inputs) -> Path:
    return inputs.scratch / "divergence-llama-perplexity.log"
