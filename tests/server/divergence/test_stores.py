"""Files of stores: names, locks, damage, and what an unfinished request leaves behind."""

from __future__ import annotations

import errno
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from server.divergence.directory import Directory, cannot
from server.divergence.errors import BrokenStore, NoSpace, OtherStore, StoreBusy, UnknownStore, UnusableStore
from server.divergence.formats import COMPACT, EXACT
from server.divergence.layout import Layout
from server.divergence.llama_file import LlamaLayout
from server.divergence.own_file import OwnLayout
from server.divergence.row_format import RowFormat
from server.divergence.store import Comparer, Recorder, Sink, Store
from server.engine.row_threads import RowThreads
from server.engine.sequence import SinkFailed

N_VOCAB = 100
RNG = np.random.default_rng(3)
TOKENS = [RNG.integers(0, N_VOCAB, n).astype(np.int32) for n in (12, 7, 30)]
LOGITS = [(RNG.normal(size=(len(tokens), N_VOCAB)) * 4).astype(np.float32) for tokens in TOKENS]
SCORE_FROM = 3
EVEN = [RNG.integers(0, N_VOCAB, 10).astype(np.int32) for _ in range(3)]
"""Windows as llama-perplexity has them, scored from 6 on."""


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.fixture
def threads() -> Iterator[RowThreads]:
    found = RowThreads(2)
    yield found
    found.close()


def own(rows: RowFormat = EXACT) -> Callable[[int], OwnLayout]:
    return lambda fd: OwnLayout.create(fd, "s", rows, N_VOCAB)


def pour(sink: Sink, logits: NDArray[np.float32], score_from: int, cut: int) -> None:
    """Bring all rows of a window in two parts."""
    rows = np.arange(score_from - 1, len(logits) - 1)
    for part, first in ((rows[:cut], score_from), (rows[cut:], score_from + cut)):
        sink.take(logits, part, first)


def record(store: Store, threads: RowThreads, numbers: list[int], *, commit: bool = True) -> None:
    for number in numbers:
        place = store.layout.add(TOKENS[number], SCORE_FROM)
        pour(Recorder(store, place, threads), LOGITS[number], SCORE_FROM, 2)
    if commit:
        store.layout.commit()
    store.close()


@pytest.mark.parametrize("rows", [EXACT, COMPACT], ids=["exact", "compact"])
def test_windows_come_back_as_they_were_recorded(directory: Directory, threads: RowThreads, rows: RowFormat) -> None:
    record(directory.create("s", N_VOCAB, own(rows)), threads, [0, 1])
    record(directory.extend("s", N_VOCAB, 2), threads, [2])
    store = directory.read("s", N_VOCAB)
    assert store.layout.rows is rows
    assert (store.layout.windows, store.layout.held_rows) == (3, 9 + 4 + 27)
    for number, tokens in enumerate(TOKENS):
        sink = Comparer(store, store.recorded(number, tokens, SCORE_FROM), threads)
        pour(sink, LOGITS[number], SCORE_FROM, 4)
        assert sink.measures[:, 2].max() < 1e-5  # the divergence from itself
        np.testing.assert_allclose(sink.measures[:, 0], sink.measures[:, 1], rtol=1e-6)
    store.close()


def test_what_was_not_committed_does_not_count(directory: Directory, threads: RowThreads) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0])
    record(directory.extend("s", N_VOCAB, 1), threads, [1], commit=False)
    store = directory.read("s", N_VOCAB)
    assert (store.layout.windows, store.layout.held_rows) == (1, 9)
    store.close()
    record(directory.extend("s", N_VOCAB, 1), threads, [2])
    store = directory.read("s", N_VOCAB)
    assert store.recorded(1, TOKENS[2], SCORE_FROM).tokens.tolist() == TOKENS[2].tolist()
    store.close()


def test_a_store_goes_on_where_it_ends(directory: Directory, threads: RowThreads) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0])
    for begin in (0, 2):
        with pytest.raises(OtherStore, match="holds 1 windows"):
            directory.extend("s", N_VOCAB, begin)
    record(directory.create("s", N_VOCAB, own()), threads, [1])
    store = directory.read("s", N_VOCAB)
    assert store.layout.windows == 1
    store.close()


def test_other_windows_are_refused_by_number(directory: Directory, threads: RowThreads) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0, 1])
    store = directory.read("s", N_VOCAB)
    changed = TOKENS[1].copy()
    changed[0] += 1
    with pytest.raises(OtherStore, match="Window 1 has other tokens"):
        store.recorded(1, changed, SCORE_FROM)
    with pytest.raises(OtherStore, match="from position 3 on, not 2"):
        store.recorded(0, TOKENS[0], 2)
    with pytest.raises(OtherStore, match="holds 2 windows, and none of number 2"):
        store.recorded(2, TOKENS[2], SCORE_FROM)
    store.close()
    with pytest.raises(OtherStore, match="a vocabulary of 100 tokens, and this model's has 99"):
        directory.read("s", N_VOCAB - 1)


@pytest.mark.parametrize("name", ["", ".", "..", "../s", "a/b", "-s", "a.b", "s" * 65, "s\n", "/etc/passwd"])
def test_a_name_is_no_path(directory: Directory, name: str) -> None:
    with pytest.raises(UnknownStore, match="letters"):
        directory.read(name, N_VOCAB)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, threads: RowThreads) -> None:
    inside, outside = Directory(tmp_path / "stores"), tmp_path / "outside"
    (tmp_path / "stores").mkdir()
    outside.write_bytes(b"precious")
    (tmp_path / "stores" / "s").symlink_to(outside)
    for use in (lambda: inside.read("s", N_VOCAB), lambda: inside.create("s", N_VOCAB, own())):
        with pytest.raises(UnknownStore, match="link out"):
            use()
    assert outside.read_bytes() == b"precious"
    record(inside.create("real", N_VOCAB, own()), threads, [0])
    (tmp_path / "stores" / "alias").symlink_to("real")
    inside.read("alias", N_VOCAB).close()


def test_who_records_is_alone(directory: Directory, threads: RowThreads) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0])
    reader = directory.read("s", N_VOCAB)
    directory.read("s", N_VOCAB).close()  # others may read too
    with pytest.raises(StoreBusy, match="used by another"):
        directory.create("s", N_VOCAB, own())
    reader.close()
    writer = directory.extend("s", N_VOCAB, 1)
    for use in (lambda: directory.read("s", N_VOCAB), lambda: directory.extend("s", N_VOCAB, 1)):
        with pytest.raises(StoreBusy):
            use()
    writer.close()
    directory.read("s", N_VOCAB).close()


def test_what_is_not_there_or_no_store_is_told(directory: Directory, tmp_path: Path) -> None:
    with pytest.raises(UnknownStore, match="record it first"):
        directory.read("s", N_VOCAB)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    for name in ("text", "empty"):
        with pytest.raises(BrokenStore, match="no store"):
            directory.read(name, N_VOCAB)
    (tmp_path / "folder").mkdir()
    for use in (lambda: directory.read("folder", N_VOCAB), lambda: directory.create("folder", N_VOCAB, own())):
        with pytest.raises(UnusableStore, match=r"cannot use the file of the store 'folder' \(Is a directory\)"):
            use()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO])
def test_what_is_no_full_disk_is_not_called_one(code: int) -> None:
    assert isinstance(cannot("s", OSError(code, os.strerror(code))), UnusableStore)
    assert isinstance(cannot("s", OSError(errno.ENOSPC, "no space")), NoSpace)


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "gone")
    for use in (lambda: directory.read("s", N_VOCAB), lambda: directory.create("s", N_VOCAB, own())):
        with pytest.raises(UnusableStore, match="folder of stores is gone"):
            use()


def test_windows_that_are_known_are_not_looked_for_again(
    directory: Directory, threads: RowThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0] * 50)
    directory.read("s", N_VOCAB).close()
    record(directory.extend("s", N_VOCAB, 50), threads, [1])
    reads: list[int] = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: reads.append(offset) or real(fd, size, offset))
    store = directory.read("s", N_VOCAB)
    assert store.recorded(50, TOKENS[1], SCORE_FROM).tokens.tolist() == TOKENS[1].tolist()
    assert len(reads) < 10
    store.close()


def test_another_store_in_the_same_file_is_read_anew(directory: Directory, tmp_path: Path, threads: RowThreads) -> None:
    """Recorded anew with as many tokens in another order, and copied over, grown otherwise since it was copied."""
    for numbers in ([0, 1, 2], [2, 1, 0]):
        record(directory.create("s", N_VOCAB, own()), threads, numbers)
        store = directory.read("s", N_VOCAB)
        for place, number in enumerate(numbers):
            store.recorded(place, TOKENS[number], SCORE_FROM)
        store.close()
    shutil.copy(tmp_path / "s", tmp_path / "copy")
    record(directory.extend("s", N_VOCAB, 3), threads, [2])
    directory.read("s", N_VOCAB).close()
    record(directory.extend("copy", N_VOCAB, 3), threads, [1])
    (tmp_path / "s").write_bytes((tmp_path / "copy").read_bytes())
    store = directory.read("s", N_VOCAB)
    store.recorded(3, TOKENS[1], SCORE_FROM)
    store.close()


@pytest.mark.parametrize("layout", ["own", "llama"])
def test_rows_are_on_the_disk_before_they_count(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    def make(fd: int) -> Layout:
        return own()(fd) if layout == "own" else LlamaLayout.create(fd, "s", N_VOCAB, [EVEN[0].tolist()], 6, 3)

    store = directory.create("s", N_VOCAB, make)
    order: list[str] = []
    sync, write = os.fsync, os.pwrite
    monkeypatch.setattr(os, "fsync", lambda fd: order.append("sync") or sync(fd))
    monkeypatch.setattr(
        os,
        "pwrite",
        lambda fd, data, offset: order.append("header" if offset == 0 else "row") or write(fd, data, offset),
    )
    place = store.layout.add(EVEN[0], 6)
    os.pwrite(store.fd, bytes(store.stride), place.offset)
    store.layout.commit()
    assert order == ["row", "row", "sync", "header"]
    store.close()


@pytest.mark.parametrize("size", [9, 63, 70, 500, -1])
def test_a_file_that_is_cut_off_is_no_store(
    directory: Directory, tmp_path: Path, threads: RowThreads, size: int
) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0, 1])
    os.truncate(tmp_path / "s", size if size > 0 else (tmp_path / "s").stat().st_size - 1)
    with pytest.raises(BrokenStore, match="cut off"):
        directory.read("s", N_VOCAB)


@pytest.mark.parametrize(
    ("offset", "value"), [(8, 1), (12, 9), (16, 0), (24, 3), (32, 7), (40, 1), (64, 1 << 30), (68, 0)]
)
def test_a_damaged_header_is_told(
    directory: Directory, tmp_path: Path, threads: RowThreads, offset: int, value: int
) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0, 1])
    data = bytearray((tmp_path / "s").read_bytes())
    struct.pack_into("<I", data, offset, value)
    (tmp_path / "s").write_bytes(data)
    with pytest.raises(BrokenStore, match="record it again"):
        directory.read("s", N_VOCAB)


def test_a_damaged_row_fails_its_window_alone(directory: Directory, tmp_path: Path, threads: RowThreads) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0, 1])
    store = directory.read("s", N_VOCAB)
    places = [store.recorded(number, TOKENS[number], SCORE_FROM) for number in (0, 1)]
    with (tmp_path / "s").open("r+b") as file:
        file.seek(places[0].offset + store.stride)
        file.write(bytes(store.stride))
    broken, whole = (Comparer(store, place, threads) for place in places)
    with pytest.raises(SinkFailed):
        pour(broken, LOGITS[0], SCORE_FROM, 4)
    assert isinstance(store.trouble, BrokenStore)
    pour(whole, LOGITS[1], SCORE_FROM, 2)
    store.close()
    with pytest.raises(SinkFailed, match="closed"):
        pour(whole, LOGITS[1], SCORE_FROM, 2)


def test_a_llama_file_is_whole_once_its_last_window_is_there(directory: Directory, tmp_path: Path) -> None:
    def make(fd: int) -> LlamaLayout:
        return LlamaLayout.create(fd, "base", N_VOCAB, [each.tolist() for each in EVEN], 6, 3)

    store = directory.create("base", N_VOCAB, make)
    for tokens in EVEN[:2]:
        store.layout.add(tokens, 6)
    store.layout.commit()
    os.ftruncate(store.fd, 1 << 14)
    store.close()
    assert not (tmp_path / "base").read_bytes().startswith(b"_logits_")
    store = directory.extend("base", N_VOCAB, 2)
    with pytest.raises(OtherStore, match="one length, here 10 tokens, each scored from position 6"):
        store.layout.add(EVEN[2][:9], 6)
    place = store.layout.add(EVEN[2], 6)
    assert place.offset == 20 + 4 * 30 + 2 * 4 * store.stride
    with pytest.raises(OtherStore, match="begun for 3 windows"):
        store.layout.add(EVEN[2], 6)
    store.layout.commit()
    store.close()
    data = (tmp_path / "base").read_bytes()
    assert struct.unpack_from("<8siii", data) == (b"_logits_", 10, N_VOCAB, 3)
    assert np.frombuffer(data, "<i4", 30, 20).tolist() == np.concatenate(EVEN).tolist()
    store = directory.read("base", N_VOCAB)
    other = EVEN[1].copy()
    other[0] = 99 - other[0]  # the tool writes the text's own token where the model saw BOS
    assert store.recorded(1, other, 6).offset == 20 + 4 * 30 + 4 * store.stride
    store.close()


@pytest.mark.parametrize(
    ("windows", "score_from", "total"),
    [([[1] * 10, [1] * 9], 6, 2), ([[1] * 10], 5, 1), ([[1] * 10] * 3, 6, 2), ([[1] * 10], 6, 1 << 30)],
)
def test_what_no_llama_file_can_hold_leaves_the_old_store(
    directory: Directory, threads: RowThreads, windows: list[list[int]], score_from: int, total: int
) -> None:
    record(directory.create("s", N_VOCAB, own()), threads, [0])
    with pytest.raises(OtherStore):
        directory.create("s", N_VOCAB, lambda fd: LlamaLayout.create(fd, "s", N_VOCAB, windows, score_from, total))
    store = directory.read("s", N_VOCAB)
    assert store.layout.windows == 1
    store.close()


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (12, 0), (16, 1 << 30), (16, -1), (16, 4)])
def test_a_damaged_llama_file_is_told(directory: Directory, tmp_path: Path, offset: int, value: int) -> None:
    tokens = np.concatenate(EVEN).astype("<i4").tobytes()
    data = bytearray(struct.pack("<8siii", b"_logits_", 10, N_VOCAB, 3) + tokens + bytes(3 * 4 * 208))
    (tmp_path / "base").write_bytes(data)
    directory.read("base", N_VOCAB).close()
    struct.pack_into("<i", data, offset, value)
    (tmp_path / "base").write_bytes(data)
    with pytest.raises(BrokenStore):
        directory.read("base", N_VOCAB)
