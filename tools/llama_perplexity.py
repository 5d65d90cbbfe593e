"""``llama-perplexity --kl-divergence``: run, and the figures that it prints read by the names they have in a run."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TRIES = 40
"""Most of its runs on a busy machine end before the last lines are printed; what they would say is always the same."""
_HEADER = struct.Struct("<8siii")
_NAMES = {
    **{"Mean PPL(Q)": "ppl", "Mean PPL(base)": "ppl_reference", "Mean ln(PPL(Q)/PPL(base))": "log_ppl_ratio"},
    **{"Mean PPL(Q)/PPL(base)": "ppl_ratio", "RMS Δp": "delta_p_rms", "Same top p": "same_top"},
}
_ROWS = {
    **{"Mean": "mean", "Maximum": "max", "99.9%": "p999", "99.0%": "p99", "95.0%": "p95", "90.0%": "p90"},
    **{"75.0%": "p75", "Median": "median", "25.0%": "p25", "10.0%": "p10", "5.0%": "p05", "1.0%": "p01"},
    **{"0.1%": "p001", "Minimum": "min"},
}


class ToolFailed(Exception):
    """The tool did not do what it was run for."""


def save_base(tool: Path, model: Path, text: Path, n_ctx: int, threads: int, base: Path) -> float:
    """Have it write its base file; returns the perplexity that it prints meanwhile, to four digits.

    That one is of the model's own rows, and not, as the one printed by :func:`compare`, of what the file keeps of them.

    Raises:
        ToolFailed: it failed, or never came to its last figure.
    """
    for _ in range(TRIES):
        printed = _run(tool, "-m", model, "-f", text, "-c", n_ctx, "-t", threads, "--save-all-logits", base)
        found = re.findall(r"\[(\d+)\](\d+\.\d{4}),", printed)
        if found and int(found[-1][0]) == len(base_tokens(base)):
            return float(found[-1][1])
    raise ToolFailed(f"{tool.name} ended {TRIES} times before it had printed its last figure.")


def compare(tool: Path, model: Path, text: Path, n_ctx: int, threads: int, base: Path) -> dict[str, float]:
    """The figures of a model against a base file; shares and probabilities as fractions.

    Raises:
        ToolFailed: it failed, or never came to its last line.
    """
    options = ("-m", model, "-f", text, "-c", n_ctx, "-t", threads, "--kl-divergence-base", base, "--kl-divergence")
    for _ in range(TRIES):
        figures = read_figures(_run(tool, *options))
        if "same_top" in figures:  # the last line
            return figures
    raise ToolFailed(f"{tool.name} ended {TRIES} times before it had printed its figures.")


def read_figures(printed: str) -> dict[str, float]:
    """What its last part says, by our names."""
    figures: dict[str, float] = {}
    for line in printed.splitlines():
        found = re.match(r"\s*(.*?)\s*:\s+(-?[\d.]+)(?: ±.*?)?\s*(%?)$", line)
        if found is None:
            continue
        name, value = found[1], float(found[2]) / (100 if found[3] else 1)
        of = re.match(r"(\S+)\s+(KLD|Δp)$", name)
        if of and of[1] in _ROWS:
            figures[f"{'kld' if of[2] == 'KLD' else 'delta_p'}_{_ROWS[of[1]]}"] = value
        elif name in _NAMES:
            figures[_NAMES[name]] = value
    return figures


def base_tokens(base: Path) -> NDArray[np.int32]:
    """Tokens of the windows in a base file, ``[windows, n_ctx]``, without the BOS that the tool puts before each."""
    with base.open("rb") as file:
        magic, n_ctx, _, windows = _HEADER.unpack(file.read(_HEADER.size))
        if magic != b"_logits_":
            raise ToolFailed(f"{base.name} is no base file of llama-perplexity.")
        return np.fromfile(file, "<i4", n_ctx * windows).reshape(windows, n_ctx)


def _run(tool: Path, *options: object) -> str:
    try:
        ended = subprocess.run(
            [tool, *map(str, options)], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise ToolFailed(f"{tool} cannot be run: {error.strerror}.") from error
    if ended.returncode != 0:
        last = next((line for line in reversed(ended.stderr.splitlines()) if line.strip()), "it does not say why.")
        raise ToolFailed(f"{tool.name} ended with status {ended.returncode}: {last}")
    return ended.stdout + ended.stderr
