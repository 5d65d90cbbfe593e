from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.models.config import load_config
from harness.models.gguf_facts import GgufFacts, read_facts
from harness.models.quantize import quantize

Split = Callable[..., list[Path]]


@pytest.fixture
def parts(split_gguf: Split, little_f16: Path, tmp_path: Path) -> list[Path]:
    """The little Llama, 11 tensors, in three files."""
    found = split_gguf(little_f16, tmp_path / "parts", 4, "little")
    assert [path.name for path in found] == [f"little-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    return found


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_facts(path)
    assert str(caught.value).startswith(f"{path} ")
    return str(caught.value).removeprefix(f"{path} ")


def of_the_model(facts: GgufFacts) -> tuple[object, ...]:
    """What does not depend on how the model is stored."""
    return (
        *(facts.architecture, facts.name, facts.file_type, facts.parameters, facts.bits_per_weight),
        *(facts.tensor_types, facts.context_length, facts.vocabulary_size, facts.has_bos, facts.tensors),
    )


def test_facts_cover_all_parts(parts: list[Path], little_f16: Path) -> None:
    facts = read_facts(parts[0])
    assert of_the_model(facts) == of_the_model(read_facts(little_f16))
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in parts]
    assert [(file.path, file.sha256) for file in facts.files] == list(zip(parts, hashes, strict=True))
    assert facts.path == parts[0]
    assert facts.bytes == sum(file.bytes for file in facts.files) == sum(path.stat().st_size for path in parts)
    assert facts.sha256 == hashlib.sha256("".join(hashes).encode()).hexdigest()


def test_a_whole_file_is_its_only_file(little_f16: Path) -> None:
    facts = read_facts(little_f16)
    assert [(file.path, file.bytes, file.sha256) for file in facts.files] == [(little_f16, facts.bytes, facts.sha256)]


def test_known_hashes_are_not_computed_again(little_f16: Path) -> None:
    assert read_facts(little_f16, ["0" * 64]).sha256 == "0" * 64


def test_a_split_model_is_quantized_as_a_whole(parts: list[Path], little_f16: Path, tmp_path: Path) -> None:
    split, whole = (
        read_facts(quantize(read_facts(source), load_config("q8_0"), tmp_path / "cache", threads=1))
        for source in (parts[0], little_f16)
    )
    assert split.path != whole.path
    assert len(split.files) == 1
    assert (split.file_type, split.tensors) == ("Q8_0", whole.tensors)


def test_another_part_than_the_first(parts: list[Path]) -> None:
    assert refusal(parts[1]) == "is part 2 of a split model; give the first one, little-00001-of-00003.gguf."


def test_a_part_that_is_missing(parts: list[Path]) -> None:
    parts[2].unlink()
    assert refusal(parts[0]) == (
        "is the first of 3 parts, and little-00003-of-00003.gguf is not beside it; fetch that too."
    )


def test_parts_that_lost_their_names(parts: list[Path]) -> None:
    moved = parts[0].rename(parts[0].with_name("little.gguf"))
    assert refusal(moved).startswith("is one of 3 parts of a model, and llama.cpp finds the others only by names ")


def test_parts_under_each_other_s_names(parts: list[Path]) -> None:
    shutil.copy(parts[2], parts[1])
    with pytest.raises(UserError, match=r"00002-of-00003\.gguf is by its name part 2 of 3 and says .* part 3 of 3;"):
        read_facts(parts[0])


def test_parts_of_different_models(parts: list[Path], split_gguf: Split, little_f16: Path, tmp_path: Path) -> None:
    others = split_gguf(little_f16, tmp_path / "others", 5, "little")
    shutil.copy(others[2], parts[2])
    assert refusal(parts[0]) == "and its other parts hold 9 tensors and should hold 11; fetch all parts again."


def test_a_damaged_part_is_the_one_that_is_named(parts: list[Path]) -> None:
    parts[1].write_bytes(parts[1].read_bytes()[:1000])
    with pytest.raises(UserError, match=r"00002-of-00003\.gguf is cut short: "):
        read_facts(parts[0])
