from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.divergence import text as module
from harness.divergence.text import BUNDLED, Text, read_text
from harness.errors import UserError


def written(folder: Path, data: bytes) -> Path:
    path = folder / "text.txt"
    path.write_bytes(data)
    return path


def test_the_bundled_text_is_taken_where_none_is_named() -> None:
    found = read_text(None)
    assert found == read_text(None)
    assert found.name == BUNDLED
    assert found.share == 1
    assert found.text.count(". ") > 2000
    assert "\n" not in found.text
    assert found.sha256 == hashlib.sha256(f"{found.text}\n".encode()).hexdigest()


def test_a_file_is_read_as_it_is_but_for_its_last_line_end(tmp_path: Path) -> None:
    data = "Ö\r\n\ufefftea\u2028\n\n".encode()
    sha256 = hashlib.sha256(data).hexdigest()
    assert read_text(written(tmp_path, data)) == Text("text.txt", sha256, "Ö\r\n\ufefftea\u2028\n")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty; name a file with text."),
        (b" \n\t\n", "is empty; name a file with text."),
        (b"tea \xff oil", "is no UTF-8 text: byte 5 cannot be read; convert it to UTF-8."),
        ("Öl".encode("utf-16"), "is no UTF-8 text: byte 1 cannot be read; convert it to UTF-8."),
        ("Ö".encode()[:1], "is no UTF-8 text: byte 1 cannot be read; convert it to UTF-8."),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(data: bytes, says: str, tmp_path: Path) -> None:
    path = written(tmp_path, data)
    with pytest.raises(UserError) as caught:
        read_text(path)
    assert str(caught.value) == f"--divergence-text: {path} {says}"


@pytest.mark.parametrize(
    ("name", "why"), [("", "Is a directory"), ("none.txt", "No such file or directory"), ("a\0b", "embedded null byte")]
)
def test_a_file_that_cannot_be_read_is_named(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^--divergence-text: .* cannot be read: {why}; name a UTF-8 text file\.$"):
        read_text(tmp_path / name)


def test_of_a_long_file_whole_lines_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    data = "one\ntwo\nthree\nÖ".encode()
    found = read_text(written(tmp_path, data))
    assert (found.text, found.share) == ("one\ntwo", 8 / len(data))
    assert found.sha256 == hashlib.sha256(data).hexdigest()


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Z"]), min_size=11))
def test_of_one_long_line_whole_characters_are_taken(line: str) -> None:
    for length in (8, 9, 10, 11):
        kept = module._whole_lines(line.encode()[:length]).decode()
        assert line.startswith(kept)
        assert len(kept.encode()) > length - 5
