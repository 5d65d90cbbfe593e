"""Score prompts by nothing but ``llama_decode``: the floor that a server's scoring is compared with.

``python -m bench.bare_loop`` reads a :class:`Task` from standard input as JSON and prints ``{"seconds", "tokens"}``. It
calls llama.cpp through ctypes with our server's parameters, flags the rows that score the prompt, and reads no logit.
Loading, a first batch to warm up, and laying out the batches are not in the time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gguf
from llama_cpp import llama_cpp as c

from bench.processes import ROOT
from bench.setup import BenchError, Setup
from bench.vocabulary import silence_llama_cpp

_SEQUENCES = 4
"""Two would do: a batch may hold the end of a prompt and the beginning of the next one."""


@dataclass(frozen=True)
class Task:
    """What to decode."""

    model: str
    setup: Setup
    prompts: list[list[int]]
    rows: int
    """Most rows of logits that a batch asks for."""


class Token(NamedTuple):
    """One token of a batch."""

    id: int
    position: int
    prompt: int
    """The number of its prompt."""
    scores: bool
    """Whether the logits after it are wanted: they score the next token of its prompt."""


def run_bare_loop(model: Path, setup: Setup, prompts: list[list[int]], *, rows: int | None = None) -> float:
    """Decode prompts in a process of their own.

    Returns:
        Tokens per second.

    Raises:
        BenchError: it failed.
    """
    task = Task(str(model.resolve()), setup, prompts, rows or setup.batch)
    run = subprocess.run(
        [sys.executable, "-m", "bench.bare_loop"],
        input=json.dumps(dataclasses.asdict(task)),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if run.returncode != 0:
        raise BenchError(f"the bare loop failed with status {run.returncode}: {run.stderr[-500:]}")
    result = json.loads(run.stdout)
    return float(result["tokens"] / result["seconds"])


def batches(prompts: Sequence[Sequence[int]], *, tokens: int, rows: int) -> Iterator[list[Token]]:
    """Cut prompts, one after another, into batches of at most so many tokens and rows of logits."""
    batch: list[Token] = []
    wanted = 0
    for number, prompt in enumerate(prompts):
        for position, token in enumerate(prompt):
            scores = position + 1 < len(prompt)
            if len(batch) == tokens or wanted + scores > rows:
                yield batch
                batch, wanted = [], 0
            batch.append(Token(token, position, number, scores))
            wanted += scores
    if batch:
        yield batch


def _context(task: Task) -> Any:
    params = c.llama_model_default_params()
    model = c.llama_model_load_from_file(os.fsencode(task.model), params)
    if not model:
        sys.exit(f"llama.cpp cannot load {task.model}.")
    setup = task.setup
    options = c.llama_context_default_params()
    options.n_ctx = setup.cells
    options.n_batch = options.n_ubatch = setup.batch
    options.n_outputs_max = max(task.rows, _SEQUENCES)
    options.n_seq_max = _SEQUENCES
    options.kv_unified = True
    options.n_threads = options.n_threads_batch = setup.threads
    options.type_k = options.type_v = gguf.GGMLQuantizationType[setup.cache_type.upper()]
    options.flash_attn_type = {"off": 0, "on": 1}[setup.flash_attention]
    options.no_perf = True
    context = c.llama_init_from_model(model, options)
    if not context:
        sys.exit("llama.cpp cannot make this context.")
    return context


def _lay_out(tokens: Sequence[Token]) -> Any:
    batch: Any = c.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index], batch.pos[index] = token.id, token.position
        batch.n_seq_id[index], batch.seq_id[index][0] = 1, token.prompt % _SEQUENCES
        batch.logits[index] = token.scores
    return batch


def main() -> None:
    """Do the task on standard input."""
    raw = json.load(sys.stdin)
    task = Task(**raw | {"setup": Setup(**raw["setup"])})
    silence_llama_cpp()
    context = _context(task)
    memory = c.llama_get_memory(context)
    planned = list(batches(task.prompts, tokens=task.setup.batch, rows=task.rows))
    laid_out = [_lay_out(batch) for batch in planned]
    # A prompt is forgotten when its last token is decoded: the cache stays as small as scoring allows.
    ended = [[token.prompt % _SEQUENCES for token in batch if not token.scores] for batch in planned]
    c.llama_decode(context, laid_out[0])
    c.llama_synchronize(context)
    c.llama_memory_clear(memory, False)
    begin = time.perf_counter()
    for batch, sequences in zip(laid_out, ended, strict=True):
        status = c.llama_decode(context, batch)
        if status != 0:
            sys.exit(f"llama_decode failed with status {status}.")
        for sequence in sequences:
            c.llama_memory_seq_rm(memory, sequence, -1, -1)
    c.llama_synchronize(context)
    print(json.dumps({"seconds": time.perf_counter() - begin, "tokens": sum(map(len, task.prompts))}))


if __name__ == "__main__":
    main()
