"""Damaged copies of the bundled model: each is refused in a sentence, or it works. None ends or hangs a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gguf_fuzz import TEXT

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

FUZZ = Path(__file__).with_name("gguf_fuzz.py")
SEEDS = 500
PARTS = 5
ENDS = ("refused", "failed", "loaded")


@pytest.mark.parametrize("part", range(PARTS))
def test_damage_is_told_or_does_no_harm(
    part: int, bundled: Path, raw_llama: Callable[..., RawLlama], tmp_path: Path
) -> None:
    seeds = range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS)
    done = subprocess.run(
        [sys.executable, FUZZ, bundled, tmp_path, str(seeds.start), str(seeds.stop)],
        env={**os.environ, "GGML_NO_BACKTRACE": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["seed"] for report in reports] == list(seeds)
    assert [report for report in reports if report["end"] not in ENDS] == []
    ends = [report["end"] for report in reports]
    assert all(ends.count(end) > len(ends) // 20 for end in ENDS), "this tests little"
    tokens = str(raw_llama(bundled).tokenize(TEXT)[1:])  # without BOS
    for report in reports:
        if report["end"] != "loaded":
            assert report["said"].startswith((str(tmp_path), "llama.cpp c")), report
            assert report["said"].endswith("."), report
            assert "it does not say why" not in report["said"], report
        elif not re.search("token|bytes:", report["damage"]):
            assert report["said"] == tokens, report
