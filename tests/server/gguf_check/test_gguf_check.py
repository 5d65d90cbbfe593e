from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.gguf_check import BadGguf, check_gguf

IN_TMP_PATH = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
END_OF_HEADER = "is cut short: it ends inside its header, after "


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A well-formed file with every type of value and three types of tensor, of 2 kB."""
    path = tmp_path_factory.mktemp("gguf") / "whole.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for add in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"):
        getattr(writer, f"add_{add}")(f"a.{add}", 1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "words")
    writer.add_array("a.numbers", [1, 2, 3])
    writer.add_array("a.strings", ["one", "", "three"])
    writer.add_array("a.bools", [True, False])
    writer.add_tensor("one", np.ones((4, 32), np.float32))
    writer.add_tensor("two", np.ones((3, 5, 32), np.float16))
    quantized = gguf.quants.quantize(np.ones((2, 64), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("last tensor", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def needed(data: bytes) -> tuple[int, int]:
    """Where the tensors of a whole file begin, and the least length that holds them."""
    header_end = data.index(b"last tensor") + len("last tensor") + 4 + 2 * 8 + 4 + 8
    begin = -(-header_end // 32) * 32
    (offset,) = struct.unpack_from("<Q", data, header_end - 8)
    return begin, begin + offset + 2 * 2 * 34


def sentence(path: Path) -> str:
    """What is said of a bad file, without its name, which must come first."""
    with pytest.raises(BadGguf) as caught:
        check_gguf(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert said.isprintable()
    assert said.endswith(".")
    return said.removeprefix(str(path))


def said_of(folder: Path, data: bytes) -> str:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return sentence(path)


def passes(folder: Path, data: bytes) -> bool:
    """Whether a file passes; the only other outcome is one sentence."""
    path = folder / "model.gguf"
    path.write_bytes(data)
    try:
        check_gguf(path)
    except BadGguf:
        sentence(path)
        return False
    return True


def test_whole_files_pass(bundled: Path, no_bos: Path, whole: bytes, tmp_path: Path) -> None:
    check_gguf(bundled)
    check_gguf(no_bos)
    assert passes(tmp_path, whole)
    assert passes(tmp_path, whole + b"more at the end")


def test_version_2_passes(whole: bytes, tmp_path: Path) -> None:
    assert passes(tmp_path, whole[:4] + struct.pack("<I", 2) + whole[8:])


def test_what_is_no_file(tmp_path: Path) -> None:
    assert sentence(tmp_path / "nowhere.gguf") == ": there is no such file."
    assert sentence(tmp_path) == " is not a file; give the path of one GGUF."
    (tmp_path / "dangling.gguf").symlink_to("nowhere")
    assert sentence(tmp_path / "dangling.gguf") == ": there is no such file."
    os.mkfifo(tmp_path / "pipe")
    assert sentence(tmp_path / "pipe") == " is not a file; give the path of one GGUF."


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"GGUF", "is not a GGUF file: it does not begin with 'GGUF'"),
        (b"Once upon a time there was a text file.\n" * 9, "is not a GGUF file: it does not begin with 'GGUF'"),
        (b"GGML" + bytes(100), "is not a GGUF file: it does not begin with 'GGUF'"),
        (bytes(100), "is not a GGUF file: it does not begin with 'GGUF'"),
    ],
)
def test_what_is_no_gguf(data: bytes, said: str, tmp_path: Path) -> None:
    assert said_of(tmp_path, data) == f" {said}; download or convert it again."


def test_every_cut_is_found(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(whole)
    begin, end = needed(whole)
    assert begin < end <= len(whole)
    for size in range(len(whole) - 1, 23, -1):
        os.truncate(path, size)
        if size >= end:  # only padding is missing
            check_gguf(path)
            continue
        said = sentence(path)
        if size >= begin:
            assert said.startswith(f" is cut short: its tensors need {end:,} bytes and it has {size:,};")
        else:
            assert "is cut short: " in said or "more than fit in it" in said


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_cut_real_model_is_found(
    bundled: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    size = bundled.stat().st_size
    kept = data.draw(st.integers(24, 40_000) | st.integers(24, 100_000).map(lambda lost: size - lost))
    path = tmp_path_factory.mktemp("cut") / "model.gguf"
    path.write_bytes(b"")
    with bundled.open("rb") as source, path.open("r+b") as target:
        # The header alone, and the rest as a hole: what is not read need not be written.
        target.write(source.read(min(kept, 100_000)))
        target.truncate(kept)
    said = sentence(path)
    assert "is cut short: " in said or "more than fit in it" in said


def header(*fields: bytes, tensors: tuple[bytes, ...] = (), version: int = 3, padding: int = 4096) -> bytes:
    """A file of these metadata entries and tensors; ``padding`` zeros are its data."""
    front = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(fields))
    return front + b"".join(fields) + b"".join(tensors) + bytes(padding)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def field(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(*shape: int, name: bytes = b"t", kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


GOOD = tensor(32)
ALIGNMENT = b"general.alignment"
FAULTS = {
    "version": (header(tensors=(GOOD,), version=1), "has GGUF version 1, of which only 2 and 3 are known"),
    "big endian": (header(tensors=(GOOD,), version=3 << 24), "has GGUF version 50331648, of which"),
    "no tensors": (header(), "holds no tensors (it may be a vocabulary only)"),
    "too many tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**40, 0), "claims 1099511627776 tensors and 0 metadata"),
    "too many fields": (b"GGUF" + struct.pack("<IQQ", 3, 1, 2**63), "claims 1 tensors and 9223372036854775808 meta"),
    "long key": (header(struct.pack("<Q", 2**62), tensors=(GOOD,)), "has a string of 4611686018427387904 bytes in its"),
    "unknown type": (header(field(b"k", 13, b""), tensors=(GOOD,)), "has a value of unknown type 13 in 'k'"),
    "array of arrays": (
        header(field(b"k", 9, struct.pack("<IQ", 9, 1)), tensors=(GOOD,)),
        "has a value of unknown type 9 in 'k'",
    ),
    "long array": (header(field(b"k", 9, struct.pack("<IQ", 10, 9000)), tensors=(GOOD,)), END_OF_HEADER),
    "many strings": (
        header(field(b"k", 9, struct.pack("<IQ", 8, 2**61)), tensors=(GOOD,)),
        "claims 2305843009213693952 strings in 'k', more than fit in it",
    ),
    "alignment of another type": (
        header(field(ALIGNMENT, 10, bytes(8)), tensors=(GOOD,)),
        "gives its alignment as something else than a 32-bit number",
    ),
    **{
        f"alignment {value}": (
            header(field(ALIGNMENT, 4, struct.pack("<I", value)), tensors=(GOOD,)),
            f"has alignment {value}, no power of two from 32 to 4096",
        )
        for value in (0, 8, 48, 8192, 2**31)
    },
    "no dimensions": (header(tensors=(tensor(),)), "gives tensor 't' 0 dimensions"),
    "five dimensions": (header(tensors=(tensor(1, 1, 1, 1, 1),)), "gives tensor 't' 5 dimensions"),
    "unknown tensor type": (header(tensors=(tensor(32, kind=999),)), "stores tensor 't' in type 999, which this"),
    "removed tensor type": (header(tensors=(tensor(32, kind=4),)), "stores tensor 't' in type 4, which this"),
    "half a block": (
        header(tensors=(tensor(33, kind=8),)),
        "has rows of 33 in tensor 't', no multiple of its block of",
    ),
    "unaligned": (header(tensors=(tensor(32, offset=16),)), "puts tensor 't' at 16, off its alignment of 32"),
    "beyond the end": (header(tensors=(tensor(2**40),)), "is cut short: its tensors need 4,398,046,5"),
    "elsewhere": (
        header(tensors=(tensor(32, offset=2**40),)),
        "puts tensor 't' at 1099511627776, but the one before it ends at 0",
    ),
    "upon another": (
        header(tensors=(GOOD, tensor(32, name=b"u", offset=96))),
        "puts tensor 'u' at 96, but the one before it ends at 128",
    ),
    "behind a gap": (
        header(tensors=(GOOD, tensor(32, name=b"u", offset=160))),
        "puts tensor 'u' at 160, but the one before it ends at 128",
    ),
    "overflow": (header(tensors=(tensor(2**62, 2**62, 1, 2),)), "gives tensor 't' the shape 4611686018427387904 x 46"),
    "nothing in it": (header(tensors=(tensor(32, 0),)), "gives tensor 't' the shape 32 x 0"),
    "the same name": (header(tensors=(GOOD, GOOD)), "has two tensors named 't', and names are unique and short"),
    "a long name": (header(tensors=(tensor(32, name=b"n" * 64),)), "has a tensor named 'nnnnnnnnnnnnnnnnnnnnnnnnnnn"),
    "integers": (header(tensors=(tensor(32, 2, kind=26),)), "stores tensor 't' in I32, by which llama.cpp cannot"),
    "no factor": (header(tensors=(tensor(256, 2, kind=15),)), "stores tensor 't' in Q8_K, by which llama.cpp cannot"),
    "half precision": (header(tensors=(tensor(32, kind=1),)), "stores tensor 't', a vector, in F16 where llama.cpp"),
    "a norm": (header(tensors=(tensor(32, 2, name=b"a_norm.weight", kind=1),)), "stores tensor 'a_norm.weight', a"),
    "a field twice": (header(field(b"k", 0, b"a"), field(b"k", 0, b"b"), tensors=(GOOD,)), "has two fields named 'k'"),
    "a field of no name": (header(field(b"", 0, b"a"), tensors=(GOOD,)), "has a field named '' in its metadata"),
    "many numbers": (
        header(field(b"k", 9, struct.pack("<IQ", 4, 2**26)), tensors=(GOOD,)),
        "has an array of 67108864 numbers in 'k'",
    ),
    "a name of lines": (header(tensors=(tensor(name=b"a\nb\xff"),)), "gives tensor 'a\\nb\ufffd' 0 dimensions"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told(fault: str, tmp_path: Path) -> None:
    data, said = FAULTS[fault]
    found = said_of(tmp_path, data)
    assert found.startswith(f" {said}")
    assert found.endswith("; download or convert it again.")


@pytest.mark.parametrize("alignment", [32, 64, 4096])
def test_tensors_are_where_the_alignment_puts_them(alignment: int, tmp_path: Path) -> None:
    data = header(
        field(ALIGNMENT, 4, struct.pack("<I", alignment)),
        tensors=(tensor(2), tensor(2, name=b"u", offset=alignment)),
        padding=0,
    )
    end = -(-len(data) // alignment) * alignment + alignment + 8
    assert passes(tmp_path, data.ljust(end, b"\0"))
    assert f"need {end:,} bytes and it has {end - 1:,}" in said_of(tmp_path, data.ljust(end - 1, b"\0"))


@IN_TMP_PATH
@given(changes=st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_pass_or_are_told_in_one_line(
    changes: list[tuple[int, int]], whole: bytes, tmp_path: Path
) -> None:
    data = bytearray(whole)
    for position, byte in changes:
        data[position] = byte
    passes(tmp_path, bytes(data))


EXTREMES = st.sampled_from([0, 1, 7, 8, 9, 2**16, 2**26 + 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1])


@IN_TMP_PATH
@given(position=st.integers(4, 1190), value=EXTREMES, length=st.sampled_from([4, 8]))
def test_extreme_numbers_pass_or_are_told_in_one_line(
    position: int, value: int, length: int, whole: bytes, tmp_path: Path
) -> None:
    number = value.to_bytes(8, "little")[:length]
    passes(tmp_path, whole[:position] + number + whole[position + length :])


@IN_TMP_PATH
@given(st.binary(max_size=300))
def test_noise_behind_the_magic_is_told_in_one_line(tmp_path: Path, noise: bytes) -> None:
    assert not passes(tmp_path, b"GGUF" + struct.pack("<I", 3) + noise)


def test_a_part_in_the_middle_that_is_missing(whole: bytes, tmp_path: Path) -> None:
    chance = random.Random(0)
    begin, _ = needed(whole)
    for _ in range(200):
        cut = chance.randrange(24, begin - 1)
        passes(tmp_path, whole[:cut] + whole[cut + chance.randrange(1, 40) :])
