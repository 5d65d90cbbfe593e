from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UserError
from harness.models.candidates import Candidate, prepare
from harness.models.config import ServeConfig, load_config

Prepared = Callable[..., list[Candidate]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests: most of them want the same file."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def said() -> list[str]:
    """What was said while preparing, and the notes that came of it."""
    return []


@pytest.fixture
def prepared(little_f16: Path, cache: Path, said: list[str]) -> Prepared:
    """:func:`prepare` on the little Llama."""

    def call(
        *models: str | Path, base: Path = little_f16, reference: str | Path | None = None, null: str | None = None
    ) -> list[Candidate]:
        given = None if reference is None else str(reference)
        found, notes = prepare(
            base, [str(m) for m in models], given, cache_dir=cache, threads=1, say=said.append, null=null
        )
        said.extend(notes)
        return found

    return call


@pytest.fixture
def q8_0(prepared: Prepared, said: list[str]) -> Path:
    """The little Llama in eight bits, in the cache."""
    path = prepared("q8_0")[1].facts.path
    said.clear()
    return path


def test_the_base_is_the_reference_and_the_others_follow(prepared: Prepared, q8_0: Path, said: list[str]) -> None:
    first, second, third = prepared("f16_kv_q8_0", "q8_0")
    assert (first.label, second.label, third.label) == ("f16", "f16_kv_q8_0", "q8_0")
    assert (first.serve, first.config, first.note) == (ServeConfig(), None, None)
    assert (second.facts, second.serve.cache_type_k) == (first.facts, "q8_0")
    assert (third.facts.path, third.facts.file_type, third.config) == (q8_0, "Q8_0", load_config("q8_0"))
    assert said == []  # nothing had to be made


def test_what_is_being_made_is_said(prepared: Prepared, said: list[str]) -> None:
    prepared("q5_0", "f16_kv_q8_0")
    assert said == ["quantizing to q5_0"]


@pytest.mark.parametrize("name", ["friend.gguf", "without-ending", "FRIEND.GGUF"])
def test_files_are_taken_as_they_are(name: str, prepared: Prepared, q8_0: Path, tmp_path: Path) -> None:
    _, one = prepared(shutil.copy(q8_0, tmp_path / name))
    assert (one.label, one.serve, one.config, one.note) == (name.removesuffix(".gguf"), ServeConfig(), None, None)


def test_another_reference(prepared: Prepared, little_f16: Path) -> None:
    assert [c.label for c in prepared("f16", reference="q8_0")] == ["q8_0", "f16"]
    assert [c.label for c in prepared("q8_0", reference=little_f16)] == ["little-F16", "q8_0"]


def test_what_is_the_reference_itself_is_left_out_with_a_note(prepared: Prepared, q8_0: Path, said: list[str]) -> None:
    assert [c.label for c in prepared("q8_0", "f16", "q8_0")] == ["f16", "q8_0"]
    assert said == ["f16 is the reference itself and is not compared."]


@pytest.mark.parametrize(("models", "reference"), [(["f16"], None), (["q8_0"], "q8_0")])
def test_nothing_to_compare(models: list[str], reference: str | None, prepared: Prepared) -> None:
    with pytest.raises(UserError, match=r"^--models names nothing but the reference \((f16|q8_0)\) itself; name some"):
        prepared(*models, reference=reference)


def test_nothing_named(prepared: Prepared) -> None:
    with pytest.raises(UserError, match=r"^--models names nothing; `harness models` lists what it can name\.$"):
        prepared()


def test_a_file_that_would_be_called_like_the_reference(prepared: Prepared, q8_0: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^the reference and another model would both be called 'f16'; rename one"):
        prepared(shutil.copy(q8_0, tmp_path / "f16.gguf"))


def test_two_files_of_one_name(prepared: Prepared, q8_0: Path, tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(UserError, match=r"^two different models would be called 'q4_0'; rename one of the files\.$"):
        prepared("q4_0", shutil.copy(q8_0, tmp_path / "q4_0.gguf"))
    assert said == []  # nothing was made for it


def test_the_null_runs_name_is_its_own(prepared: Prepared, q8_0: Path, tmp_path: Path, said: list[str]) -> None:
    taken = shutil.copy(q8_0, tmp_path / "null.gguf")
    said_then = r"^a model would be called 'null', as --null calls its run; rename the file\.$"
    with pytest.raises(UserError, match=said_then):
        prepared("q4_0", taken, null="null")
    with pytest.raises(UserError, match=said_then):
        prepared("q4_0", reference=taken, null="null")
    assert said == []  # nothing was made for it
    assert [c.label for c in prepared(taken)] == ["f16", "null"]


@pytest.mark.parametrize("name", ["q9_0", "x" * 5000], ids=["unknown", "endless"])
def test_a_wrong_name_is_told_before_anything_is_made(name: str, prepared: Prepared, said: list[str]) -> None:
    with pytest.raises(UserError, match=rf"^'{name}' is no quantization config"):
        prepared("q4_0", name)
    with pytest.raises(UserError, match=rf"^'{name}' is no quantization config"):
        prepared("q4_0", reference=name)
    assert said == []


def test_a_missing_file_is_told_before_anything_is_made(prepared: Prepared, tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(UserError, match=r"nowhere\.gguf does not exist"):
        prepared("q4_0", tmp_path / "nowhere.gguf")
    assert said == []


def test_a_base_goes_by_its_file_type(make_model: Callable[..., Path], prepared: Prepared, tmp_path: Path) -> None:
    base = make_model(tmp_path / "little-F32.gguf", dtype=np.float32)
    assert [c.label for c in prepared("f16", base=base)] == ["f32", "f16"]


def test_a_fallback_is_noted(
    make_model: Callable[..., Path], prepared: Prepared, tmp_path: Path, said: list[str]
) -> None:
    narrow = make_model(tmp_path / "narrow.gguf", width=192)
    _, made = prepared("q4_k_m", base=narrow)
    assert made.note is not None
    assert "is not what Q4_K_M promises" in made.note
    assert said == ["quantizing to q4_k_m", made.note]
