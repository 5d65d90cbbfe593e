"""Loads damaged files, each in a process of its own: ``python gguf_fuzz.py MODEL FOLDER FIRST LAST``.

Prints one line of JSON a seed: what was done to the file, how that ended, and what was said last: of a file that
works, the tokens of :data:`TEXT`. This process never calls llama.cpp, so
that its children begin with a llama.cpp that has done nothing yet.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from gguf_mutations import damage

from server.engine.context import Batch, Context
from server.engine.llama import LlamaError, Model
from server.gguf_check import BadGguf, check_gguf

SECONDS = 30
"""A file that takes a process longer hangs it."""
MEMORY = 8 << 30
"""A file that asks for more memory is a bomb."""
TEXT = "The king of Velmora lives in 12 caf\u00e9s."
TEXTS = ["", "a", "Hello world\n\n", " \u00e9\u4e16\u754c \U0001f600\x00 ", "</s><s> x", "12345 " * 40]


def use(path: Path) -> list[int]:
    """Everything that a server does with a model; returns the tokens of a text."""
    model = Model(path, gpu_layers=0)
    assert model.n_ctx_train > 0
    for text in TEXTS:
        tokens = model.tokenize(text)
        assert all(0 <= token < model.n_vocab for token in tokens), tokens
    for token in range(model.n_vocab):
        model.piece(token)
        model.ends_generation(token)
    assert model.bos is None or model.bos < model.n_vocab
    assert model.eos is None or model.eos < model.n_vocab
    assert model.adds_spaces in (True, False)
    context = Context(
        model,
        cells=256,
        sequences=4,
        batch_size=32,
        rows=32,
        threads=1,
        cache_type_k="f16",
        cache_type_v="f16",
        flash_attention="off",
    )
    tokens = np.arange(8, dtype=np.int32) % model.n_vocab
    for sequence in (0, 1):
        batch = Batch(
            tokens, np.arange(8, dtype=np.int32), np.full(8, sequence, np.int32), np.array([0] * 7 + [1], np.int8)
        )
        assert context.decode(batch).shape == (1, model.n_vocab)
    if model.can_share_prefix:
        context.copy(0, 2, 4)
        context.truncate(1, 4)
    context.clear()
    context.close()
    found = model.tokenize(TEXT)
    model.close()
    return found


def child(path: Path, report: int) -> None:
    """Use the file, and write down how that ended; this process ends here."""
    os.dup2(report, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    status = 0
    try:
        os.write(report, f"{use(path)}\n".encode())
    except LlamaError as error:
        os.write(report, f"{error}\n".encode(errors="replace"))
        status = 3
    except BaseException:
        os.write(report, traceback.format_exc().encode(errors="replace"))
        status = 4
    os._exit(status)


def outcome(path: Path, log: Path) -> dict[str, Any]:
    """How using the file ends: refused, failed (with a sentence), loaded, raised or died."""
    try:
        check_gguf(path)
    except BadGguf as error:
        return {"end": "refused", "said": str(error)}
    with log.open("w+b") as report:
        pid = os.fork()
        if pid == 0:
            child(path, report.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        report.seek(0)
        said = report.read().decode(errors="replace").splitlines() or [""]
    end = {0: "loaded", 3: "failed", 4: "raised"}.get(code, f"died {code}")
    return {"end": end, "said": said[-1], "log": [] if end in ("loaded", "failed") else said[-30:]}


def main() -> None:
    """Damage, use and report for every seed."""
    model, folder, first, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    whole = model.read_bytes()
    path = folder / "damaged.gguf"
    for seed in range(first, last):
        done = damage(seed, whole, path)
        print(json.dumps({"seed": seed, "damage": done} | outcome(path, folder / "child.log")), flush=True)


if __name__ == "__main__":
    main()
