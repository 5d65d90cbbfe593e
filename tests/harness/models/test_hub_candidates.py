from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hub_stand_in import NAME, Repo, StandIn

from harness.errors import UserError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.candidates import Candidate, find_base, prepare
from harness.models.config import load_config
from harness.models.gguf_facts import file_sha256, read_facts
from harness.models.quantize import quantize

F16, Q8, Q4 = "Little-F16.gguf", "Little-Q8_0.gguf", "Little-UD-Q4_K_XL.gguf"
Prepared = Callable[..., list[Candidate]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def q8_0(little_f16: Path, cache: Path) -> bytes:
    """The little Llama in eight bits, which the publisher has made just as we would."""
    return quantize(read_facts(little_f16), load_config("q8_0"), cache, threads=1).read_bytes()


@pytest.fixture(scope="module")
def q4_0(little_f16: Path, cache: Path) -> bytes:
    return quantize(read_facts(little_f16), load_config("q4_0"), cache, threads=1).read_bytes()


@pytest.fixture
def said() -> list[str]:
    """What was said while preparing."""
    return []


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def prepared(hub: StandIn, cache: Path, said: list[str], notes: list[str]) -> Prepared:
    """:func:`prepare` on the repository."""

    def call(*models: str, reference: str | None = None) -> list[Candidate]:
        base = find_base(NAME)
        found, told = prepare(base, list(models), reference, cache_dir=cache, threads=1, say=said.append)
        notes.extend(told)
        return found

    return call


def test_what_is_a_file_is_no_repository(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("someone").mkdir()
    Path(NAME).touch()
    assert find_base(NAME) == Path(NAME)
    assert find_base("models/f16.gguf") == Path("models/f16.gguf")
    assert hub.seen == []


def test_the_publisher_s_own_files_are_taken_by_name(
    prepared: Prepared, hub: StandIn, q8_0: bytes, q4_0: bytes, said: list[str], notes: list[str]
) -> None:
    # The publisher's Q8_0 holds four bits, so it is not mistaken for ours.
    hub.repos[NAME].files |= {Q8: q4_0, Q4: q8_0}
    first, second, third = prepared("Q8_0", "ud-q4_k_xl")
    assert [c.label for c in (first, second, third)] == ["f16", "q8_0", "ud-q4_k_xl"]
    assert (second.facts.file_type, third.facts.file_type, second.config) == ("Q4_0", "Q8_0", None)
    commit = hub.repos[NAME].commit
    for candidate, name in ((first, F16), (second, Q8), (third, Q4)):
        assert candidate.origin is not None
        assert (candidate.origin.repo, candidate.origin.commit) == (NAME, commit)
        assert [(file.name, file.sha256) for file in candidate.origin.files] == [(name, candidate.facts.sha256)]
    assert notes == [
        f"f16: the reference is {F16} of {NAME}, as published (commit {commit[:12]}).",
        f"q8_0: as published by {NAME}.",
        f"ud-q4_k_xl: as published by {NAME}.",
    ]
    assert [words.split()[:2] for words in said] == [["downloading", name] for name in (F16, Q8, Q4)]


def test_what_is_not_published_is_quantized_here(
    prepared: Prepared, hub: StandIn, q8_0: bytes, said: list[str], notes: list[str]
) -> None:
    hub.repos[NAME].files[Q8] = q8_0
    first, second, third = prepared("q5_0", "f16_kv_q8_0")
    assert (second.label, second.facts.file_type, second.origin) == ("q5_0", "Q5_0", None)
    assert second.config == load_config("q5_0")
    assert (third.facts, third.origin, third.note) == (first.facts, first.origin, None)
    assert notes[1:] == [f"q5_0: not published by {NAME}, quantized here from its f16."]
    assert said[1:] == ["quantizing to q5_0"]
    assert hub.downloads(Q8) == []


def test_a_split_reference_is_quantized_here(
    prepared: Prepared, hub: StandIn, split_gguf: Callable[..., list[Path]], little_f16: Path, tmp_path: Path
) -> None:
    parts = split_gguf(little_f16, tmp_path / "parts", 4, "Little-F16")
    hub.repos[NAME] = Repo({f"F16/{path.name}": path.read_bytes() for path in parts})
    first, second = prepared("q8_0")
    assert first.note is not None
    assert ", ".join(f"F16/{path.name}" for path in parts) in first.note
    assert (second.facts.file_type, second.facts.parameters) == ("Q8_0", first.facts.parameters)


def test_another_reference_needs_no_download_of_the_best(
    prepared: Prepared, hub: StandIn, q8_0: bytes, q4_0: bytes
) -> None:
    hub.repos[NAME].files |= {Q8: q8_0, Q4: q4_0}
    assert [c.label for c in prepared("ud-q4_k_xl", reference="q8_0")] == ["q8_0", "ud-q4_k_xl"]
    assert hub.downloads(F16) == []


def test_eight_bits_are_the_reference_where_there_is_nothing_better(
    prepared: Prepared, hub: StandIn, q8_0: bytes, q4_0: bytes, notes: list[str]
) -> None:
    hub.repos[NAME] = Repo({Q8: q8_0, Q4: q4_0})
    assert [c.label for c in prepared("ud-q4_k_xl")] == ["q8_0", "ud-q4_k_xl"]
    assert notes[0].startswith(f"q8_0: the reference is {Q8} of {NAME}, as published")
    with pytest.raises(UserError) as caught:
        prepared("q5_0", "ud-q4_k_xl")
    assert str(caught.value) == (
        f"{NAME} does not publish q5_0, and it cannot be made here, because the best that is published is quantized "
        "already; there are q8_0, ud-q4_k_xl."
    )


def test_nothing_to_compare_with(prepared: Prepared, hub: StandIn, q4_0: bytes) -> None:
    hub.repos[NAME] = Repo({Q4: q4_0})
    with pytest.raises(UserError, match=r"publishes ud-q4_k_xl and none of BF16, F16, F32, Q8_0 to compare with;"):
        prepared("ud-q4_k_xl")


def test_a_name_that_is_neither_published_nor_a_config(prepared: Prepared, said: list[str]) -> None:
    with pytest.raises(UserError, match=rf"^{NAME} publishes no 'q9_0' but f16, and it is no quantization config eit"):
        prepared("q5_0", "q9_0")
    assert said == []  # and nothing was downloaded for the other


def test_a_file_beside_a_repository(prepared: Prepared, q8_0: bytes, tmp_path: Path, notes: list[str]) -> None:
    (tmp_path / "mine.gguf").write_bytes(q8_0)
    assert [c.label for c in prepared(str(tmp_path / "mine.gguf"))] == ["f16", "mine"]
    assert len(notes) == 1


def run_harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    command = [sys.executable, "-m", "harness", "run", "--model", NAME, *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )


def test_a_whole_run(hub: StandIn, tmp_path: Path) -> None:
    bundled = read_facts(BUNDLED_MODEL)
    q4_k_m = quantize(bundled, load_config("q4_k_m"), tmp_path / "made", threads=1).read_bytes()
    commit = "5" * 40
    hub.repos[NAME] = Repo({"World-f16.gguf": BUNDLED_MODEL.read_bytes(), "World-q4_k_m.gguf": q4_k_m}, commit=commit)
    words = ["--models", "q4_k_m,q5_0", "--scenarios", "world_sums", "--max-instances", "3"]
    done = run_harness(tmp_path, *words, "--out", "run", "--cache-dir", "cache")
    assert done.returncode == 0, done.stderr
    assert f"downloading World-q4_k_m.gguf of {NAME}" in done.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["spec"]["base"] == f"{NAME}@{commit}"
    assert f"--model {NAME}@{commit}" in record["command"]
    models = {model["label"]: model for model in record["models"]}
    assert list(models) == ["f16", "q4_k_m", "q5_0"]
    assert models["q5_0"]["hub"] is None
    for label, path in (("f16", BUNDLED_MODEL), ("q4_k_m", next((tmp_path / "made").glob("*.gguf")))):
        name = f"World-{label}.gguf"
        assert models[label]["hub"] == {"repo": NAME, "commit": commit, "files": [name]}
        assert models[label]["files"] == [{"name": name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}]
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert f"- f16: the reference is World-f16.gguf of {NAME}, as published (commit {commit[:12]})." in report
    assert f"- q4_k_m: as published by {NAME}." in report
    assert f"- q5_0: not published by {NAME}, quantized here from its f16." in report
    table = pd.read_csv(tmp_path / "run" / "degradation.csv")
    assert table["model"].unique().tolist() == ["f16", "q4_k_m", "q5_0"]


def test_a_refusal_is_one_sentence_and_leaves_nothing(hub: StandIn, tmp_path: Path) -> None:
    hub.repos[NAME].gated = True
    done = run_harness(tmp_path, "--models", "q4_0", "--out", "run", "--cache-dir", "cache")
    assert done.returncode == 2
    *_, error = done.stderr.splitlines()
    assert error.startswith(f"error: {NAME} is gated; ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
