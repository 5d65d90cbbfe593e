"""The same text, model and windows through ``llama-perplexity`` and through the harness.

Runs where three environment variables say what to compare: ``HARNESS_TEST_LLAMA_PERPLEXITY`` (the program),
``HARNESS_TEST_MODELS`` (a folder with stories260K) and ``HARNESS_DATASET_DIR`` (a mirror with WikiText-2).
"""

from __future__ import annotations

import math
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.adaptation.table import ADAPTERS
from harness.metrics.bits_per_byte import BITS_PER_BYTE
from harness.models.config import ServeConfig
from harness.scenarios.base import AdapterSpec
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Completion, Instance, Request

PROGRAM, MODELS, MIRROR = (
    os.environ.get(f"HARNESS_{name}") for name in ("TEST_LLAMA_PERPLEXITY", "TEST_MODELS", "DATASET_DIR")
)
TABLE = "Salesforce/wikitext/wikitext-2-raw-v1/test.parquet"
WHOLE = os.environ.get("HARNESS_TEST_WHOLE_TEXT")
"""Set for the whole text, which takes minutes; else its first 150,000 characters are compared."""
TOLERANCE = 1e-3
METHOD = "language_modeling_chunks"

pytestmark = pytest.mark.skipif(not (PROGRAM and MODELS and MIRROR), reason="needs llama-perplexity, models and data")


@pytest.fixture(scope="module")
def text() -> str:
    assert MIRROR
    lines = pq.read_table(Path(MIRROR) / TABLE)["text"].to_pylist()
    return "".join(line or " \n" for line in lines)[: None if WHOLE else 150_000]


def perplexity(model: Path, text: str, size: int, folder: Path) -> tuple[int, float]:
    """The last figure that llama-perplexity prints: after so many windows, the perplexity up to there.

    On a busy machine it may end before it has printed the last lines, the final estimate among them.
    """
    assert PROGRAM
    path = folder / "text"
    path.write_text(text, encoding="utf-8")
    command = [PROGRAM, "--model", str(model), "--file", str(path), "--ctx-size", str(size), "--threads", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    number, value = re.findall(r"\[(\d+)\](\d+\.\d{4}),", ended.stdout + ended.stderr)[-1]
    return int(number), float(value)


def ask(model: Path, text: str, size: int, folder: Path) -> tuple[Request, list[Completion]]:
    """The windows, and what a server says of each."""
    with (
        ServerProcess(model, "m", ServeConfig(), folder / "log", slots=4) as server,
        Endpoint(server.base_url, "m") as endpoint,
    ):
        endpoint.self_test()
        endpoint.room = size
        request = ADAPTERS[METHOD].adapt(Instance("text", text), [], AdapterSpec(method=METHOD), endpoint)
        return request, endpoint.complete(request)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("size", [128, 512])
@pytest.mark.parametrize("name", ["stories260K-F16", "stories260K-F32"])
def test_bits_per_byte_are_those_of_llama_perplexity(name: str, size: int, text: str, tmp_path: Path) -> None:
    assert MODELS
    model = Path(MODELS) / f"{name}.gguf"
    request, completions = ask(model, text, size, tmp_path)
    n_windows, theirs = perplexity(model, text, size, tmp_path)
    assert 0.9 * len(request.prompts) < n_windows <= len(request.prompts)
    same = replace(request, prompts=request.prompts[:n_windows])
    answer = ADAPTERS[METHOD].read(Instance("text", text), same, completions[:n_windows])
    n_tokens = len(answer.token_logprobs)
    assert n_tokens == n_windows * (size - size // 2 - 1)
    ours = BITS_PER_BYTE.judge(Instance("text", text), answer)
    expected = math.log2(theirs) * n_tokens / answer.n_bytes
    print(f"{name}, {n_windows} windows of {size}: {ours:.6f} bits per byte, {expected:.6f} by llama-perplexity")
    assert ours == pytest.approx(expected, rel=TOLERANCE)
