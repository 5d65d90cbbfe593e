"""`harness doctor`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from misbehaving import misbehaving
from plants import PLANTS

from harness.doctor.subjects import Subject

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def _doctor(*arguments: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "doctor", *arguments],
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_sound_endpoint(bundled_server: ServerUnderTest) -> None:
    done = _doctor(bundled_server.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{bundled_server.id} at {bundled_server.url}, context 2,048")
    assert "no faults in" in done.stdout
    assert "\nGood: model ids; completions; shape of logprobs; " in done.stdout
    assert "chat   not offered  " in done.stdout
    assert "10 of 11 clients get right answers" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_fault_is_told_with_its_consequences(bundled_server: ServerUnderTest) -> None:
    with misbehaving(bundled_server.url.removesuffix("/v1"), PLANTS["echo ignored"].tampering) as url:
        done, in_json = _doctor(url), _doctor(url, "--json")
    assert (done.returncode, in_json.returncode) == (1, 1)
    assert "echo is ignored" in done.stdout
    assert "1 fault in" in done.stdout
    assert f"missing or wrong: {Subject.BOS_ECHOED}" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    record = json.loads(in_json.stdout)
    assert not record["sound"]
    assert [check["name"] for check in record["checks"] if check["outcome"] == "fault"] == ["echo"]
    assert {client["verdict"] for client in record["clients"]} == {"right", "wrong numbers", "fails"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:1"], "could not be reached"),
        (["not-a-url"], "no URL of an endpoint"),
    ],
)
def test_what_is_no_endpoint_ends_with_2(arguments: list[str], words: str) -> None:
    done = _doctor(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_model_is_named_after_the_url(bundled_server: ServerUnderTest) -> None:
    right, wrong = (_doctor(f"{bundled_server.url}#{model}", "--json") for model in (bundled_server.id, "another"))
    assert (right.returncode, json.loads(right.stdout)["model"]) == (0, bundled_server.id)
    assert wrong.returncode == 2
    assert f"has no model 'another'; it has {bundled_server.id}." in wrong.stderr


def test_help_has_the_exit_codes() -> None:
    said = " ".join(_doctor("--help", columns=200).stdout.split())
    assert "0 all that it offers is right; 1 a fault was found; 2 there is no endpoint" in said
