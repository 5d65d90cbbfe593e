"""llama.cpp's own tools: run one, and read what it prints."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import statistics
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.processes import Serving, await_health, running
from bench.setup import BenchError, Inputs

REPEATS = 3
"""How often ``llama-batched-bench`` measures each number of sequences in one run."""

_ITEM = re.compile(r"^(\d+)\s+(\d+(?:\.\d+)?)%\s")
"""A line of ``llama-perplexity --hellaswag``: how many items so far, and how many per cent of them right."""


class HellaswagRun(NamedTuple):
    """What ``llama-perplexity --hellaswag`` did."""

    items_per_second: float
    correct: int


def tool(inputs: Inputs, name: str) -> Path:
    """Path of a tool.

    Raises:
        BenchError: it is not there.
    """
    if inputs.tools is None or not (inputs.tools / name).is_file():
        raise BenchError(f"there is no {name} in --llama-tools; docs/benchmarks.md says how to build it.")
    return (inputs.tools / name).resolve()


def tools_version(inputs: Inputs) -> str:
    """What ``llama-server`` says it is."""
    run = subprocess.run([tool(inputs, "llama-server"), "--version"], capture_output=True, text=True)
    return next((line for line in (run.stderr + run.stdout).splitlines() if line.startswith("version")), "unknown")


def batched_bench(inputs: Inputs, model: Path, *, prompt: int, generate: int) -> dict[int, float]:
    """Generated tokens per second (S_TG) of ``llama-batched-bench`` for every number of clients."""
    sequences = ",".join(",".join(map(str, inputs.clients)) for _ in range(REPEATS))
    command = [
        tool(inputs, "llama-batched-bench"),
        *("--model", model.resolve(), *inputs.setup.for_llama_cpp(), *inputs.setup.cache_for_llama_cpp()),
        *("-npp", prompt, "-ntg", generate, "-npl", sequences, "--output-format", "jsonl"),
    ]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    found = parse_batched_bench(run.stdout.splitlines())
    if run.returncode != 0 or sorted(found) != sorted(set(inputs.clients)):
        raise BenchError(f"llama-batched-bench did not measure all numbers of clients: {run.stderr[-500:]}")
    return found


def parse_batched_bench(lines: Iterable[str]) -> dict[int, float]:
    """The median of S_TG in tokens per second for each number of sequences, from ``--output-format jsonl``."""
    speeds: dict[int, list[float]] = {}
    for line in lines:
        if line.startswith("{"):
            measured = json.loads(line)
            speeds.setdefault(measured["pl"], []).append(measured["speed_tg"])
    return {sequences: statistics.median(found) for sequences, found in speeds.items()}


def hellaswag(inputs: Inputs, model: Path, file: Path, items: int, log: Path) -> HellaswagRun:
    """Score all items of a file by ``llama-perplexity``.

    It keeps its default of one item at a time: four at a time were no faster, and sixteen slower by a sixth.

    Args:
        inputs: of this run of the benchmark.
        model: GGUF file.
        file: six lines an item, see :func:`bench.hellaswag.as_lines`.
        items: how many there are.
        log: for its standard error.
    """
    command = [
        tool(inputs, "llama-perplexity"),
        *("--model", model.resolve(), *inputs.setup.for_llama_cpp()),
        *("--file", file.resolve(), "--hellaswag", "--hellaswag-tasks", items),
    ]
    with running(list(map(str, command)), log) as process:
        assert process.stdout is not None
        # A line is read as it comes: its time is that of the item.
        lines = [(time.perf_counter(), line.decode(errors="replace")) for line in process.stdout]
    return parse_hellaswag(lines, items)


def parse_hellaswag(lines: Sequence[tuple[float, str]], items: int) -> HellaswagRun:
    """Read the lines of ``llama-perplexity --hellaswag``, each with the time at which it came in seconds.

    The clock runs from the table's head, which is printed when the model is loaded and all texts are tokenized, to the
    last item.

    Raises:
        BenchError: not all items are there.
    """
    begin = next((at for at, line in lines if line.startswith("task\tacc_norm")), None)
    results = [(at, found) for at, line in lines if (found := _ITEM.match(line))]
    if begin is None or not results or int(results[-1][1][1]) != items:
        said = " ".join(line.strip() for _, line in lines[-3:])
        raise BenchError(f"llama-perplexity did not score all {items} items: {said or 'it printed nothing.'}")
    end, last = results[-1]
    return HellaswagRun(items / (end - begin), round(float(last[2]) / 100 * items))


@contextlib.contextmanager
def llama_server(inputs: Inputs, model: Path, *, slots: int) -> Iterator[Serving]:
    """``llama-server`` with so many slots until the end of the block.

    Raises:
        BenchError: it did not start.
    """
    with socket.socket() as listener:  # it takes no port 0, so this is its best chance of a free one
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = inputs.scratch / f"llama-server with {slots} slots.log"
    command = [
        tool(inputs, "llama-server"),
        *("--model", model.resolve(), *inputs.setup.for_llama_cpp(), *inputs.setup.cache_for_llama_cpp()),
        *("--parallel", slots, "--host", "127.0.0.1", "--port", port, "--cache-ram", 0, "--no-webui", "--log-disable"),
    ]
    with running(list(map(str, command)), log) as process:
        await_health(process, f"http://127.0.0.1:{port}", log)
        yield Serving(f"http://127.0.0.1:{port}/completion", process.pid)
