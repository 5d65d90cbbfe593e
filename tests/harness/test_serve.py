"""``harness serve`` is ``python -m server``, whichever way one looks at it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from harness.models.bundled import BUNDLED_MODEL

ROOT = Path(__file__).parents[2]
TIMEOUT = 120


def start(*words: str | Path, folder: Path, module: str = "harness", **environment: str) -> subprocess.Popen[str]:
    first = ["serve"] if module == "harness" else []
    return subprocess.Popen(
        [sys.executable, "-m", module, *first, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "words",
    [["--help"], ["-h"], [], ["--port=http", "m.gguf"], ["nowhere.gguf"], ["--no-such-option", "m.gguf"], ["m", "n"]],
    ids=" ".join,
)
def test_it_says_what_the_server_says(words: list[str], tmp_path: Path) -> None:
    outcomes = []
    for module in ("harness", "server"):
        with start(*words, folder=tmp_path, module=module) as process:
            outcomes.append((*process.communicate(timeout=TIMEOUT), process.returncode))
    assert outcomes[0] == outcomes[1]
    assert "Traceback" not in outcomes[0][1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=str)
def test_it_serves_until_it_is_told_to_stop(how: signal.Signals | None, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("raise SystemExit('a file of the user took the place of the server')")
    words = [BUNDLED_MODEL, "--port", "0", "--threads=1", "--exit-with-stdin"]
    with start(*words, folder=tmp_path, QUANT_SERVER_ALIAS="by-variable") as process:
        assert process.stdout is not None
        banner = re.fullmatch(r"serving by-variable at (\S+)\n", process.stdout.readline())
        assert banner
        assert httpx.get(f"{banner[1]}/models", trust_env=False).json()["data"][0]["id"] == "by-variable"
        if how is None:
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(how)
        assert process.wait(TIMEOUT) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_is_listed_among_the_commands(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert re.search(r"serve +Serve one GGUF model", done.stdout)
