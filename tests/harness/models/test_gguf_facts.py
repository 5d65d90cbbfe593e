from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.models.gguf_facts import file_sha256, open_gguf, read_facts

N_TOKENS, WIDTH = 300, 256
PARAMETERS = N_TOKENS * WIDTH + 7 * WIDTH * WIDTH + 3 * WIDTH
IN_TMP_PATH = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def sentence(path: Path) -> str:
    """What is said of a bad file, without its name, which must come first."""
    with pytest.raises(UserError) as caught:
        read_facts(path)
    said = str(caught.value)
    assert said.startswith(f"{path} ")
    assert said.isprintable()
    return said.removeprefix(f"{path} ")


def header(*values: bytes, tensors: int = 0) -> bytes:
    """A GGUF header with these metadata entries."""
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, len(values)) + b"".join(values)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def test_facts_of_a_whole_file(little_f16: Path) -> None:
    facts = read_facts(little_f16)
    assert facts.path == little_f16
    assert facts.bytes == little_f16.stat().st_size
    assert facts.sha256 == hashlib.sha256(little_f16.read_bytes()).hexdigest()
    assert (facts.architecture, facts.name, facts.file_type) == ("llama", "little llama", "F16")
    assert (facts.context_length, facts.vocabulary_size, facts.has_bos) == (64, N_TOKENS, True)
    assert facts.parameters == PARAMETERS
    assert facts.bits_per_weight == pytest.approx((16 * PARAMETERS + 16 * 3 * WIDTH) / PARAMETERS)
    assert facts.tensor_types == {"F16": 1 - 3 * WIDTH / PARAMETERS, "F32": 3 * WIDTH / PARAMETERS}
    assert list(facts.tensor_types) == ["F16", "F32"]
    assert not facts.is_quantized


def test_facts_of_the_tensors(little_f16: Path) -> None:
    facts = read_facts(str(little_f16))
    assert len(facts.tensors) == 11
    assert {tensor.name for tensor in facts.matrices} == {
        "token_embd.weight",
        *(f"blk.0.{name}.weight" for name in ("attn_q", "attn_k", "attn_v", "attn_output")),
        *(f"blk.0.{name}.weight" for name in ("ffn_gate", "ffn_up", "ffn_down")),
    }
    embedding = facts.matrices[0]
    assert (embedding.type, embedding.shape, embedding.bytes) == ("F16", (WIDTH, N_TOKENS), 2 * WIDTH * N_TOKENS)
    assert "tensors" not in repr(facts)


def test_what_a_file_does_not_say(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "bare.gguf", "llama")
    writer.add_context_length(8)
    writer.add_string("tokenizer.ggml.tokens", "not an array")
    writer.add_uint32("general.name", 7)
    writer.add_tensor("w", np.zeros((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    facts = read_facts(tmp_path / "bare.gguf")
    assert (facts.name, facts.file_type, facts.vocabulary_size, facts.has_bos) == ("bare", None, 0, False)


def test_reading_leaves_no_warning_and_passes_over_the_vocabulary(little_f16: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokens = open_gguf(little_f16).get_field("tokenizer.ggml.tokens")
    assert tokens is not None
    # Name (length and letters), type, and the array's length: none of the tokens.
    assert [len(part) for part in tokens.parts] == [1, len("tokenizer.ggml.tokens"), 1, 1]


def test_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 3_000_000)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"a" * 3_000_000).hexdigest()
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        file_sha256(tmp_path / "b")


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    assert sentence(tmp_path / "x.gguf") == "does not exist; give the path of a GGUF file."
    assert sentence(tmp_path) == "is a folder; give the path of a GGUF file."
    (tmp_path / "file").write_bytes(b"GGUF")
    assert sentence(tmp_path / "file" / "x") == "cannot be read: Not a directory; give the path of a GGUF file."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a POSIX thing")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert sentence(tmp_path / "pipe") == "is a device; give the path of a GGUF file."


def test_files_that_are_no_gguf(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.touch()
    assert sentence(path) == "is empty; fetch or make the GGUF file again."
    path.write_text("version https://git-lfs.github.com/spec/v1")
    assert sentence(path) == "is no GGUF file: it begins with b'vers', not with b'GGUF'; give one that does."
    path.write_bytes(b"GG")
    assert sentence(path) == "is cut short: the header needs 4 bytes and the file has 2; fetch or make it again."
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 99, 0, 0))
    assert sentence(path).startswith("is damaged, or newer than this program: Sorry, file appears to be version 99")


def test_cut_tensor_data_is_counted(little_f16: Path, tmp_path: Path) -> None:
    whole = little_f16.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:400_000])
    assert sentence(tmp_path / "cut.gguf") == (
        f"is cut short: the tensor data needs {len(whole):,} bytes and the file has 400,000; fetch or make it again."
    )


@pytest.mark.parametrize("item", ["string", "scalar"])
def test_a_damaged_length_of_an_array_is_no_endless_loop(item: str, tmp_path: Path) -> None:
    kind = gguf.GGUFValueType.STRING if item == "string" else gguf.GGUFValueType.UINT32
    array = text("tokenizer.ggml.tokens") + struct.pack("<IIQ", gguf.GGUFValueType.ARRAY, kind, 2**60)
    (tmp_path / "x.gguf").write_bytes(header(array) + bytes(1000))
    assert sentence(tmp_path / "x.gguf").startswith("is cut short: the header needs ")


def test_arrays_of_arrays_are_refused_as_llama_cpp_does(tmp_path: Path) -> None:
    kind = gguf.GGUFValueType.ARRAY
    (tmp_path / "x.gguf").write_bytes(header(text("a") + struct.pack("<IIQ", kind, kind, 1)))
    assert "it holds an array of arrays" in sentence(tmp_path / "x.gguf")


def test_a_key_given_twice(tmp_path: Path) -> None:
    entry = text("general.file_type") + struct.pack("<II", gguf.GGUFValueType.UINT32, 1)
    (tmp_path / "x.gguf").write_bytes(header(entry, entry))
    assert "Duplicate general.file_type" in sentence(tmp_path / "x.gguf")


def test_a_tensor_of_a_type_yet_to_come(tmp_path: Path) -> None:
    tensor = text("w") + struct.pack("<IQIQ", 1, 32, 999, 0)
    (tmp_path / "x.gguf").write_bytes(header(tensors=1) + tensor + bytes(1000))
    assert sentence(tmp_path / "x.gguf") == (
        "is damaged, or newer than this program: 999 is not a valid GGMLQuantizationType; fetch or make it again."
    )


def test_files_that_are_no_model_of_their_own(
    tmp_path: Path, make_model: Callable[..., Path], make_imatrix: Callable[..., Path]
) -> None:
    assert sentence(make_imatrix(tmp_path / "i.gguf")) == "holds no language model but imatrix; give a model."
    path = make_model(tmp_path / "adapter.gguf", general__type="adapter")
    assert sentence(path) == "holds no language model but adapter; give a model."


def test_files_without_what_every_model_has(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(header())
    assert sentence(path) == "holds no language model but something without architecture; give a model."
    architecture = text("general.architecture") + struct.pack("<I", gguf.GGUFValueType.STRING) + text("llama")
    path.write_bytes(header(architecture))
    assert "it lacks tensors;" in sentence(path)
    tensor = text("w") + struct.pack("<IQIQ", 1, 32, gguf.GGMLQuantizationType.F32, 0)
    path.write_bytes(header(architecture, tensors=1) + tensor + bytes(1000))
    assert "it lacks the key llama.context_length;" in sentence(path)


@IN_TMP_PATH
@given(data=st.data())
def test_every_cut_is_told_in_one_sentence(little_f16: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = little_f16.read_bytes()
    # Half of the cuts fall into the header, which is a hundredth of the file.
    end = data.draw(st.integers(0, 12_000) | st.integers(0, len(whole) - 1), label="bytes kept")
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[:end])
    said = sentence(path)
    assert said.startswith("is cut short: the" if end else "is empty")
    if end:
        assert f" and the file has {end:,}; fetch or make it again." in said


@IN_TMP_PATH
@given(data=st.data())
def test_damage_to_the_header_is_read_or_told_in_one_sentence(
    little_f16: Path, tmp_path: Path, data: st.DataObject
) -> None:
    damaged = bytearray(little_f16.read_bytes())
    end = damaged.index(b"blk.0.ffn_down.weight") + 60
    for place in data.draw(st.lists(st.integers(0, end), min_size=1, max_size=4), label="places"):
        damaged[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), label="byte")
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            said = f"{path} has {read_facts(path).parameters} parameters"
        except UserError as error:
            said = str(error)
    assert said.startswith(f"{path} ")
    assert said.isprintable()
