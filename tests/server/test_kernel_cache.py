"""Kernels that are kept between starts, and what happens when the code that they are made of changes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import server
from server.kernel_cache import sources

PACKAGE = Path(server.__file__).parent
PROGRAM = """
import numpy as np
from server.divergence.formats import EXACT
from server.divergence.measures import NEAR_TIE, empty_measures
from server.kernel_cache import FOLDER
logits, rows, targets = np.array([[0, 3, 2.5]], np.float32), np.zeros(1, np.intp), np.zeros(1, np.int32)
stored, found = np.empty((1, EXACT.stride(3)), np.uint8), empty_measures(1)
assert EXACT.encode(logits, rows, targets, stored, np.empty(1))
EXACT.compare(logits, rows, targets, stored, found)
print(int(found[0, NEAR_TIE]), FOLDER and len(list(FOLDER.rglob("*.nbc"))))
"""


def start(package: Path, cache: Path) -> subprocess.Popen[str]:
    """A process that says whether logits half a nat apart are a near tie, and how many kernels are kept."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=package.parent,
        env={**environment, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(package.parent)},
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return output.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the server."""
    return shutil.copytree(PACKAGE, tmp_path / "copy" / "server", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.mark.skipif(sys.platform != "linux", reason="the variable for the user's cache is Linux's")
def test_no_kernel_outlives_what_it_was_made_of(package: Path, tmp_path: Path) -> None:
    """A changed constant of another file, two processes at once each time, and the first code again."""
    cache, measures = tmp_path / "cache", package / "divergence" / "measures.py"
    before = measures.read_text()
    after = before.replace("NEAR = np.float32(1e-4)", "NEAR = np.float32(1)")
    assert after != before
    for text, near in ((before, 0), (after, 1), (before, 0)):
        measures.write_text(text)
        both = [start(package, cache) for _ in range(2)]
        # One that only looks while the other compiles sees fewer.
        assert [int(said(each).split()[0]) for each in both] == [near] * 2
        assert said(start(package, cache)) == f"{near} 2"
    assert len(list((cache / "quant-harness" / "kernels").iterdir())) == 2
    assert not list(package.rglob("*.nbi"))


def test_kernels_are_compiled_where_nothing_can_be_kept(package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert said(start(package, tmp_path / "file")) == "0 None"
    assert not list(package.rglob("*.nbi"))


def test_every_file_with_a_kernel_counts() -> None:
    compiled = {path for path in PACKAGE.rglob("*.py") if re.search(r"^(import|from) numba", path.read_text(), re.M)}
    decorated = {path for path in PACKAGE.rglob("*.py") if "server.kernel_cache import" in path.read_text()}
    assert PACKAGE / "divergence" / "half.py" in compiled
    assert PACKAGE / "divergence" / "exact.py" in decorated
    assert compiled | decorated <= set(sources())
    assert not [path for path in sources() if "cache=True" in path.read_text()]
