from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "screenshots.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_a_picture_at_each_width(tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium is installed")
    (tmp_path / "report.html").write_text("<p id=flips-count>3 answers.")
    found = run(tmp_path, "--out", tmp_path / "pictures")
    assert found.returncode == 0, found.stderr
    for width in (1280, 360):
        picture = (tmp_path / "pictures" / f"report-{width}.png").read_bytes()
        assert struct.unpack(">I", picture[16:20]) == (width,)


def test_a_folder_without_a_report(tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = run(tmp_path)
    assert found.returncode == 1
    assert "is not there." in found.stderr or "Chromium" in found.stderr
