"""Peak memory of the server while it scores prompts of 4,096 tokens at a large vocabulary."""

from __future__ import annotations

import re
from pathlib import Path

from bench.client import exchange
from bench.measure import Comparison
from bench.processes import our_server
from bench.scoring import require_scores, scoring_body
from bench.setup import BenchError, Inputs, kv_cache_bytes
from bench.vocabulary import Vocabulary

PROMPTS = 3
CLIENTS = 2
MIB = 1 << 20
BOUND_MIB = 1024


def measure(inputs: Inputs) -> list[Comparison]:
    """What the process took at most, against its model and KV cache."""
    assert inputs.wide_model is not None
    model = inputs.wide_model
    length = inputs.setup.context
    inputs.say(f"memory: {PROMPTS} prompts of {length:,} tokens")
    prompts = Vocabulary(model, seed=inputs.seed).random_prompts(PROMPTS, length)
    with our_server(inputs, model) as server:
        done = exchange(server.url, [scoring_body(prompt, 5) for prompt in prompts], clients=CLIENTS)
        peak = peak_bytes(Path(f"/proc/{server.pid}/status"))
    require_scores(done, length)
    cache = kv_cache_bytes(model, inputs.setup)
    return [
        Comparison(
            row="memory",
            work="peak memory",
            against="model + cache",
            unit="MiB",
            ours=(peak / MIB,),
            theirs=((model.stat().st_size + cache) / MIB,),
            bound=BOUND_MIB,
            excess=True,
            notes=(f"the KV cache is {cache / MIB:.0f} MiB of that",),
        )
    ]


def peak_bytes(status: Path) -> int:
    """The most memory that a process had at any time (VmHWM), from its ``/proc/PID/status``.

    Raises:
        BenchError: the system does not say.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if status.exists() else None
    if found is None:
        raise BenchError("this system does not tell a process's peak memory; leave out the row 'memory'.")
    return int(found[1]) * 1024
