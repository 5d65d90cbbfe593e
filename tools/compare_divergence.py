"""The same text, models and windows through ``llama-perplexity --kl-divergence`` and through our server.

``python -m tools.compare_divergence --llama-perplexity TOOL --model F16.gguf --quantization Q4_0.gguf --text FILE``
prints every figure of that tool beside ours: against the tool's own base file, where both read the same numbers, and
against our exact store. The tool also reads a base file that our server wrote. Exit code 1: a bar was missed.

The tool's file rounds to 1/65,535 of 16 nats, and whatever lies more than 16 nats below a row's likeliest token counts
as lying just there. A text with such tokens seems likelier to the reference than it is, so for figures of the
reference's perplexity the exact store is held to the perplexity that the tool prints while it writes that file.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from harness.child_process import command, environment
from harness.degradation.llama_perplexity import llama_statistics
from tools.llama_perplexity import ToolFailed, base_tokens, compare, save_base

THEIR_STORE, OUR_STORE, WRITTEN_STORE = "theirs", "ours", "written"
EXACT = "ours, exact"
WINDOWS_A_REQUEST = 8
KLD_ABSOLUTE, KLD_RELATIVE, POINTS, RATIO = 1e-4, 0.01, 0.0005, 1e-4
"""Bars of KLD (either holds), of shares and probabilities (0.05 points), and of ratios of perplexity."""
HALF_DIGIT = 0.5e-6
"""What the tool's printing rounds away."""


def main() -> int:
    """Run the comparison; returns the exit code."""
    options = _options()
    try:
        with tempfile.TemporaryDirectory() as folder:
            columns = _measure(options, Path(folder))
    except (ToolFailed, httpx.HTTPError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if _print_table(columns) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.compare_divergence", description=__doc__.partition("\n")[0])
    parser.add_argument("--llama-perplexity", type=Path, required=True, help="the program")
    parser.add_argument("--model", type=Path, required=True, help="the reference, a GGUF file")
    parser.add_argument("--quantization", type=Path, required=True, help="what is compared with it")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("-c", "--ctx-size", type=int, default=512, help="tokens of a window")
    parser.add_argument("-t", "--threads", type=int, default=1)
    return parser.parse_args()


def _measure(options: argparse.Namespace, stores: Path) -> dict[str, dict[str, float]]:
    """Every figure, by who found it."""
    tool, text, base = options.llama_perplexity, options.text, stores / THEIR_STORE
    settings = (text, options.ctx_size, options.threads)
    perplexity = save_base(tool, options.model, *settings, base)
    columns = {"tool": compare(tool, options.quantization, *settings, base)}
    columns["tool, unrounded"] = _with_perplexity(columns["tool"], perplexity)
    with _serving(options.model, stores, options) as client:
        windows = _windows(client, base, text)
        _ask(client, {"mode": "record", "store": OUR_STORE}, windows)
        written = {"format": "llama", "total_windows": len(windows)}
        _ask(client, {"mode": "record", "store": WRITTEN_STORE}, windows, first=written)
    with _serving(options.quantization, stores, options) as client:
        for name, store in (("ours, its file", THEIR_STORE), (EXACT, OUR_STORE)):
            columns[name] = _figures(_ask(client, {"mode": "compare", "store": store}, windows))
    columns["tool, our file"] = compare(tool, options.quantization, *settings, stores / WRITTEN_STORE)
    return columns


def _with_perplexity(figures: dict[str, float], reference: float) -> dict[str, float]:
    """The tool's figures with the reference's own perplexity in place of that of its file."""
    ratio = figures["ppl"] / reference
    return {**figures, "ppl_reference": reference, "ppl_ratio": ratio, "log_ppl_ratio": math.log(ratio)}


@contextlib.contextmanager
def _serving(model: Path, stores: Path, options: argparse.Namespace) -> Iterator[httpx.Client]:
    """Our server, until the end of the block."""
    arguments = [*command("server"), str(model), "--port=0", "--exit-with-stdin", f"--divergence-dir={stores}"]
    arguments += [f"--threads={options.threads}", f"--ctx-size={options.ctx_size}"]
    with subprocess.Popen(
        arguments, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        banner = process.stdout.readline().split()
        if not banner:
            raise ToolFailed(f"our server did not start with {model.name}.")
        with httpx.Client(base_url=banner[-1], timeout=None, trust_env=False) as client:
            yield client
        process.stdin.close()


def _windows(client: httpx.Client, base: Path, text: Path) -> list[list[int]]:
    """The tool's windows as the model sees them.

    Raises:
        ToolFailed: our tokenizer reads the text otherwise.
    """
    tokens = base_tokens(base)
    content = text.read_text(encoding="utf-8").removesuffix("\n")
    with_bos: list[int] = _post(client, "/tokenize", {"prompt": content})["tokens"]
    without: list[int] = _post(client, "/tokenize", {"prompt": content, "add_special_tokens": False})["tokens"]
    if not np.array_equal(tokens.ravel(), with_bos[: tokens.size]):
        raise ToolFailed("our server makes other tokens of the text than llama-perplexity.")
    if len(with_bos) > len(without):
        tokens[:, 0] = with_bos[0]
    windows: list[list[int]] = tokens.tolist()
    return windows


def _ask(
    client: httpx.Client, request: dict[str, Any], windows: list[list[int]], first: dict[str, Any] | None = None
) -> list[dict[str, list[float]]]:
    """All windows, some at a time; ``first`` stands in the first request only."""
    found: list[dict[str, list[float]]] = []
    score_from = len(windows[0]) // 2 + 1
    for begin in range(0, len(windows), WINDOWS_A_REQUEST):
        part = windows[begin : begin + WINDOWS_A_REQUEST]
        body = {**request, "windows": part, "begin": begin, "score_from": score_from}
        answer = _post(client, "/divergence", {**body, **((first or {}) if begin == 0 else {})})
        if request["mode"] == "compare":
            found += answer["windows"]
    return found


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    found: dict[str, Any] = answer.json()
    if answer.is_error:
        raise ToolFailed(f"our server refused: {found['error']['message']}")
    return found


def _figures(windows: list[dict[str, list[float]]]) -> dict[str, float]:
    tokens = pd.concat([pd.DataFrame(window) for window in windows], ignore_index=True)
    return {name: figure.value for name, figure in llama_statistics(tokens).items()}


def _print_table(columns: dict[str, dict[str, float]]) -> bool:
    """All figures; whether every bar holds."""
    theirs, unrounded = columns.pop("tool"), columns.pop("tool, unrounded")
    held = True
    print(f"{'':15}{'llama-perplexity':>18}" + "".join(f"{name:>16}{'off by':>12}" for name in columns))
    for figure, value in theirs.items():
        line = f"{figure:15}{value:18.6f}"
        for name, figures in columns.items():
            wanted = unrounded[figure] if name == EXACT else value
            missed = not _holds(figure, figures[figure], wanted)
            held &= not missed
            mark = "!" if missed else "*" if wanted != value else " "
            line += f"{figures[figure]:16.6f}{figures[figure] - wanted:+11.6f}{mark}"
        print(line)
    print(f"* against the perplexity of {unrounded['ppl_reference']:.4f} that the tool prints while it writes its file")
    print("every bar holds" if held else "!: a bar is missed")
    return held


def _holds(figure: str, ours: float, theirs: float) -> bool:
    off = abs(ours - theirs)
    if figure.startswith("kld"):
        return off <= max(KLD_ABSOLUTE, KLD_RELATIVE * abs(theirs)) + HALF_DIGIT
    if figure.startswith(("delta_p", "same_top")):
        return off <= POINTS + HALF_DIGIT * 10
    if figure in ("ppl", "ppl_reference"):
        return off <= RATIO * theirs
    return off <= RATIO


if __name__ == "__main__":
    sys.exit(main())
