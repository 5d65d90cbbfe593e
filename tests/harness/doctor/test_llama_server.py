"""llama.cpp's own server: its faults are the known ones."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from harness.doctor.diagnosis import Outcome
from harness.doctor.examine import examine
from harness.doctor.subjects import Subject

PROGRAM = os.environ.get("HARNESS_TEST_LLAMA_SERVER", "")


@pytest.fixture
def llama_server(bundled: Path, tmp_path: Path, wait_for: Callable[..., None]) -> Iterator[str]:
    if not PROGRAM:
        pytest.skip("HARNESS_TEST_LLAMA_SERVER names no llama-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAM, "-m", str(bundled), "--port", str(port), "--threads", "1"]
    root = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        try:
            return httpx.get(f"{root}/health", trust_env=False).is_success
        except httpx.TransportError:
            return False

    with (
        (tmp_path / "llama-server.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(is_ready)
            yield f"{root}/v1"
        finally:
            process.kill()


def test_it_ignores_echo_and_answers_completions_as_chats(llama_server: str) -> None:
    diagnosis = examine(llama_server, None, None, str.strip)
    faults = {check.name for check in diagnosis.checks if check.outcome is Outcome.FAULT}
    assert faults == {Subject.ECHO, Subject.ARRAYS}
    assert diagnosis.cannot_score is not None
    assert "echo is ignored" in diagnosis.cannot_score
    assert diagnosis.no_logprobs is not None
    assert "shaped as those of chats" in diagnosis.no_logprobs
    assert diagnosis.cannot_generate is None
    assert diagnosis.no_token_ids is None
    bos = next(check for check in diagnosis.checks if check.name == Subject.BOS)
    assert (bos.outcome, bos.finding[:25]) == (Outcome.GOOD, "By usage 1 tokens stand b")
    verdicts = {client.name: client.verdict for client in diagnosis.clients}
    assert verdicts["lm-eval local-completions, loglikelihood"] == "fails"
    assert verdicts["lm-eval local-completions, generate_until"] == "right"
    assert verdicts["LangChain and openai, completions"] == "right"
