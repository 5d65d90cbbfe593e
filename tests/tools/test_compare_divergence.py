"""llama-perplexity's figures read, and the whole comparison where its environment variables name a tool and models."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import llama_cpp
import pytest

from tools.compare_divergence import _holds
from tools.llama_perplexity import ToolFailed, base_tokens, read_figures, save_base

ROOT = Path(__file__).parents[2]
PROGRAM, MODELS = (os.environ.get(f"HARNESS_TEST_{name}") for name in ("LLAMA_PERPLEXITY", "MODELS"))
PRINTED = """
  37       4.2514 ±    0.0772       0.06510 ±    0.00426       0.07367 ±    0.00141     9.757 ±  0.189 %

====== Perplexity statistics ======
Mean PPL(Q)                   :   4.251372 ±   0.077226
Cor(ln(PPL(Q)), ln(PPL(base))):  97.28%
Mean PPL(Q)/PPL(base)         :   1.067264 ±   0.004546
Mean    KLD:   0.073675 ±   0.001412
99.9%   KLD:   1.524937
Minimum KLD:  -0.000001
Mean    Δp: -2.507 ± 0.097 %
10.0%   Δp: -12.917%
RMS Δp    :  9.757 ± 0.189 %
Same top p: 86.783 ± 0.349 %
"""


def test_its_figures_are_read_by_our_names() -> None:
    assert read_figures(PRINTED) == pytest.approx(
        {
            **{"ppl": 4.251372, "ppl_ratio": 1.067264, "kld_mean": 0.073675, "kld_p999": 1.524937, "kld_min": -1e-6},
            **{"delta_p_mean": -0.02507, "delta_p_p10": -0.12917, "delta_p_rms": 0.09757, "same_top": 0.86783},
        }
    )


def test_its_windows_are_read(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(struct.pack("<8s9i", b"_logits_", 3, 7, 2, *range(6)) + bytes(100))
    assert base_tokens(base).tolist() == [[0, 1, 2], [3, 4, 5]]
    base.write_bytes(b"something else, and long enough")
    with pytest.raises(ToolFailed, match="no base file"):
        base_tokens(base)


def test_a_tool_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="cannot be run"):
        save_base(tmp_path / "nothing", tmp_path, tmp_path, 512, 1, tmp_path / "base")
    with pytest.raises(ToolFailed, match="ended with status 1"):
        save_base(Path(sys.executable), Path("-X"), tmp_path, 512, 1, tmp_path / "base")


@pytest.mark.parametrize(
    ("figure", "ours", "theirs", "holds"),
    [
        *[("kld_mean", 0.5, 0.5049, True), ("kld_mean", 0.5, 0.506, False), ("kld_p01", 1e-4, 0, True)],
        *[("same_top", 0.9, 0.9005, True), ("same_top", 0.9, 0.9007, False), ("delta_p_rms", 0.1, 0.1006, False)],
        *[("ppl_ratio", 1.0, 1.0001, True), ("ppl_ratio", 1.0, 1.0003, False), ("kld_mean", float("nan"), 0, False)],
    ],
)
def test_bars_are_those_that_are_published(figure: str, ours: float, theirs: float, holds: bool) -> None:
    assert _holds(figure, ours, theirs) == holds


@pytest.mark.skipif(not (PROGRAM and MODELS), reason="needs llama-perplexity and a folder with stories260K")
def test_every_figure_of_the_tool_is_reproduced(tmp_path: Path) -> None:
    assert PROGRAM
    assert MODELS
    model, quantized, text = Path(MODELS) / "stories260K-F16.gguf", tmp_path / "q4_0.gguf", tmp_path / "text"
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0
    assert llama_cpp.llama_model_quantize(str(model).encode(), str(quantized).encode(), parameters) == 0
    story = "Once upon a time there was a little dog named {}. She liked to play in the park with {} friends.\n"
    text.write_text("".join(story.format(name, n) for n in range(60) for name in ("Lily", "Max", "Tom")))
    options = ["--llama-perplexity", PROGRAM, "--model", model, "--quantization", quantized, "--text", text]
    ended = subprocess.run(
        [sys.executable, "-m", "tools.compare_divergence", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "every bar holds" in ended.stdout
