"""`harness run --endpoint`, the whole command against servers that run already."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pandas as pd
import pytest

from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.serving.process import ServerProcess

LLAMA_SERVER = os.environ.get("HARNESS_TEST_LLAMA_SERVER", "")
ENOUGH = ("--max-instances", "24", "--divergence-windows", "2", "--no-efficiency")


class Done(NamedTuple):
    """What became of a command."""

    code: int
    told: str
    """On standard error."""
    out: Path

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "run.json").read_text(encoding="utf-8"))
        return found

    @property
    def asked(self) -> set[tuple[str, str]]:
        """Scenarios and adapters that there are answers to."""
        found = pd.read_parquet(self.out / "instances.parquet")
        return set(zip(found["scenario"], found["adapter"], strict=True))


Shell = Callable[..., Done]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """``harness run`` in a folder of its own, with none of the user's own settings."""

    def run(*words: str | Path, out: str = "run", **environment: str) -> Done:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")}
        done = subprocess.run(
            [sys.executable, "-m", "harness", "run", *map(str, words), "--out", out],
            cwd=tmp_path,
            env=kept | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=500,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stderr, tmp_path / out)

    return run


def verified(folder: Path) -> bool:
    """Whether every figure follows from the answers."""
    words = [sys.executable, "-m", "harness", "verify", str(folder)]
    return subprocess.run(words, capture_output=True, check=False, timeout=120).returncode == 0


def test_endpoints_of_ours_give_the_same_as_their_files(shell: Shell, tmp_path: Path) -> None:
    """To the last byte, as long as nothing else is asked at the same time: their caches are emptied first."""
    words = ("--scenarios", "world_facts,world_choice,world_text", *ENOUGH, "--concurrency", "1")
    files = shell("--models", "q4_k_m", "--cache-dir", "cache", *words, out="files")
    assert files.code == 0, files.told
    (quantized,) = (tmp_path / "cache").glob("*.gguf")
    store = tmp_path / "store"
    store.mkdir()
    with ExitStack() as stack:
        f16, q4 = (
            stack.enter_context(ServerProcess(path, name, ServeConfig(), tmp_path / "log", slots=1, store=store))
            for path, name in ((BUNDLED_MODEL, "any"), (quantized, "name"))
        )
        named = ("--endpoint", f"q4_k_m={q4.base_url}", "--endpoint", f"f16={f16.base_url}", "--reference", "f16")
        again = shell(*named, *words, out="endpoints")
    assert again.code == 0, again.told
    for name in ("degradation.csv", "slices.csv"):
        assert (again.out / name).read_bytes() == (files.out / name).read_bytes()
    assert verified(again.out)
    assert [model["label"] for model in again.record["models"]] == ["f16", "q4_k_m"]
    assert "kld_mean" in (again.out / "degradation.csv").read_text()
    assert {path.name[:10] for path in store.iterdir()} == {"reference-"}
    checks = again.record["models"][1]["endpoint"]["diagnosis"]["checks"]
    assert {check["name"] for check in checks if check["outcome"] == "fault"} == set()


def _is_healthy(port: int) -> bool:
    """Whether a server has come up; waits half a second for one that does not listen yet."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=2), trust_env=False) as client:
        try:
            return client.get(f"http://127.0.0.1:{port}/health").is_success
        except httpx.TransportError:
            return False


@contextmanager
def llama_server(folder: Path) -> Iterator[str]:
    """llama.cpp's own server, on the bundled model."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    command = [LLAMA_SERVER, "-m", str(BUNDLED_MODEL), "--port", str(port), "--host", "127.0.0.1", "-np", "2"]
    with (folder / "llama.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not _is_healthy(port):
            assert process.poll() is None, (folder / "llama.log").read_text()
            assert time.monotonic() < deadline, "llama-server did not start in a minute"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not LLAMA_SERVER, reason="HARNESS_TEST_LLAMA_SERVER names no llama-server")
def test_llama_server_is_asked_to_generate_and_not_to_score(
    shell: Shell, served: ServerProcess, tmp_path: Path
) -> None:
    with llama_server(tmp_path) as url:
        named = ("--endpoint", f"ours={served.base_url}", "--endpoint", f"llama={url}")
        scenarios = ("--scenarios", "world_facts,world_choice,world_text")
        done = shell(*named, *scenarios, "--max-instances", "12", "--divergence-windows", "2")
    assert done.code == 3, done.told
    assert done.asked == {("world_facts", "generation"), ("world_choice", "multiple_choice_joint")}
    (sentence,) = done.record["left_out"]
    beginning = "Left out: world_choice (multiple_choice_separate_original); world_text: llama cannot score prompts. "
    assert sentence.startswith(beginning)
    assert sentence in done.told.splitlines()
    assert any(note.startswith("Divergence was not measured.") for note in done.record["notes"])
    speeds = pd.read_csv(done.out / "efficiency.csv").set_index("model")
    assert (speeds[["prefill_tokens_per_second", "decode_tokens_per_second"]] > 0).all(axis=None)
    assert speeds["peak_rss_bytes"].notna().tolist() == [True, False]
    rows = pd.read_parquet(done.out / "instances.parquet").set_index("model")
    assert rows.loc["llama", "logprob"].isna().all()
    assert rows.loc["ours", "logprob"].notna().all()
    assert verified(done.out)


def test_a_host_that_offers_little_is_asked_what_it_can_do(shell: Shell, fenced: Callable[..., str]) -> None:
    named = ("--endpoint", f"a={fenced(key='open-sesame')}", "--endpoint", f"b={fenced()}")
    words = (*named, "--scenarios", "world_facts,world_text", "--max-instances", "8")
    key = {"HARNESS_ENDPOINT_KEY": "open-sesame"}
    lost = shell(*words, **key)
    assert lost.code == 2
    assert lost.told.splitlines()[-1] == (
        "error: The endpoint of a does not say how long its context is; say it with --endpoint-context."
    )
    done = shell(*words, "--endpoint-context", "512", **key)
    assert done.code == 3, done.told
    assert done.asked == {("world_facts", "generation")}
    notes = done.record["notes"]
    assert "a has no tokenizer that can be asked, so prompts are fitted to the context by their bytes." in notes
    assert any(note.startswith("Divergence: a, b left out") for note in notes)
    assert any(note.startswith("speeds: not measured, since a has no tokenizer") for note in notes)
    model = done.record["models"][0]
    assert (model["file"], model["bytes"], model["context_length"]) == (None, None, 512)
    everything = b"".join(path.read_bytes() for path in done.out.iterdir() if path.suffix != ".parquet")
    assert b"open-sesame" not in everything
    assert "--endpoint-context 512" in done.record["command"]
    refused = shell(*words, "--endpoint-context", "512", HARNESS_ENDPOINT_KEY="wrong", out="refused")
    assert refused.code == 2
    assert "error: The endpoint of a wants a key, or another one; give it in HARNESS_ENDPOINT_KEY." in refused.told


def test_whoever_takes_no_token_ids_is_asked_in_words(shell: Shell, fenced: Callable[..., str]) -> None:
    named = ("--endpoint", f"a={fenced(beside='tokenizer')}", "--endpoint", f"b={fenced(beside='tokenizer')}")
    done = shell(*named, "--scenarios", "world_facts,world_text", "--max-instances", "8", "--no-divergence")
    assert done.code == 3, done.told
    assert done.asked == {("world_facts", "generation")}
    (sentence,) = done.record["left_out"]
    assert sentence.startswith("Left out: world_text: a ")
    speeds = "speeds: not measured, since a cannot be asked in token ids, as prompts of a known length are."
    assert speeds in done.record["notes"]


def test_where_nothing_is_left_the_reasons_are_told(shell: Shell, fenced: Callable[..., str]) -> None:
    named = ("--endpoint", f"a={fenced()}", "--endpoint", f"b={fenced()}")
    done = shell(*named, "--scenarios", "world_text", *ENOUGH)
    assert done.code == 2
    assert done.told.splitlines()[-1].startswith(
        "error: Nothing of that can be asked. Left out: world_text: a cannot score prompts. "
    )
    assert not done.out.exists()


def test_an_endpoint_that_goes_in_the_middle_ends_the_run(
    shell: Shell, served: ServerProcess, fenced: Callable[..., str]
) -> None:
    named = ("--endpoint", f"a={served.base_url}", "--endpoint", f"b={fenced(most=60)}", "--endpoint-context", "512")
    done = shell(*named, "--scenarios", "world_facts", "--max-instances", "100", *ENOUGH[2:])
    assert done.code == 1
    last = done.told.splitlines()[-1]
    assert last.startswith("error: world_facts, instance world_facts-")
    assert ": The endpoint of b could not be reached: " in last
    assert not done.out.exists()
    assert not [path for path in done.out.parent.iterdir() if path.name != "run"]


def test_files_and_endpoints_do_not_mix(shell: Shell) -> None:
    done = shell("--endpoint", "a=http://h", HARNESS_MODEL="x.gguf")
    assert (done.code, done.told.splitlines()[-1][:69]) == (
        2,
        "error: --endpoint and --model cannot be named together (nor by their ",
    )
    named = shell("--models", "q8_0", HARNESS_ENDPOINT="a=http://h b=http://i")
    assert named.code == 2
    assert "--endpoint and --models cannot be named together" in named.told


@pytest.mark.parametrize("words", [("--endpoint-key", "sesame"), ("--endpoint-context", "512")])
def test_what_is_said_of_endpoints_is_not_ignored_where_there_are_none(words: tuple[str, str], shell: Shell) -> None:
    done = shell(*words)
    option = words[0]
    assert (done.code, done.told.splitlines()[-1]) == (
        2,
        f"error: {option} is of endpoints, and none is named; name them with --endpoint LABEL=URL.",
    )


def test_the_environment_may_speak_of_endpoints_that_are_not_asked(shell: Shell) -> None:
    """Its key is ``harness doctor``'s too. What is wrong here is something else."""
    done = shell("--scenarios", "nosuch", HARNESS_ENDPOINT_KEY="sesame", HARNESS_ENDPOINT_CONTEXT="512")
    assert done.code == 2
    assert "there is no scenario 'nosuch'" in done.told
    assert "endpoint" not in done.told


def test_endpoints_of_the_environment_and_a_null_run(shell: Shell, served: ServerProcess, no_bos: Path) -> None:
    """The noise floor of a server that is as it is: its questions once more, other numbers of them at once."""
    with ServerProcess(no_bos, "random", ServeConfig(), Path(os.devnull), slots=2) as other:
        done = shell(
            *("--scenarios", "world_facts", "--max-instances", "8", "--null", *ENOUGH[2:]),
            HARNESS_ENDPOINT=f"world={served.base_url} random={other.base_url}/",
        )
    assert done.code == 0, done.told
    assert [model["label"] for model in done.record["models"]] == ["world", "random", "null_run"]
    rows = pd.read_csv(done.out / "degradation.csv").query("metric == 'exact_match'").set_index("model")
    assert rows.loc["null_run", "value"] == rows.loc["world", "value"] > rows.loc["random", "value"]
