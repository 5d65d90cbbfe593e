from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.text import StopWatch, text_and_offsets, token_name

SMALL_TEXTS = st.text(alphabet="abé🙂", max_size=30)
STOPS = st.lists(st.text(alphabet="abé🙂", min_size=1, max_size=4), min_size=1, max_size=3).map(tuple)


@st.composite
def cut_up(draw: st.DrawFn, texts: st.SearchStrategy[str] = SMALL_TEXTS) -> tuple[str, list[bytes]]:
    """A text, and its bytes cut into pieces anywhere, also inside characters; some pieces are empty."""
    text = draw(texts)
    data = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=len(data) + 2)))
    return text, [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize(
    ("piece", "name"),
    [
        (b"", ""),
        (b" the", " the"),
        ("é🙂".encode(), "é🙂"),
        (b"\xe2\x80", r"bytes:\xe2\x80"),
        (b"\x9f", r"bytes:\x9f"),
        (b"a\xf0", r"bytes:\x61\xf0"),
        (b"\x00\n", "\0\n"),
        (b"\xed\xa0\x80", r"bytes:\xed\xa0\x80"),  # half a surrogate pair
    ],
)
def test_names(piece: bytes, name: str) -> None:
    assert token_name(piece) == name


@settings(deadline=None)
@given(st.binary(max_size=6), st.binary(max_size=6))
def test_different_pieces_have_different_names(a: bytes, b: bytes) -> None:
    assert (token_name(a) == token_name(b)) == (a == b)


@settings(deadline=None)
@given(cut_up(st.text(max_size=30)))
def test_offsets_count_the_whole_characters_before(cut: tuple[str, list[bytes]]) -> None:
    text, pieces = cut
    joined, offsets = text_and_offsets(pieces)
    assert joined == text
    before = [b"".join(pieces[:i]) for i in range(len(pieces))]
    assert offsets == [len(data.decode(errors="ignore")) for data in before]


def test_all_tokens_of_a_split_character_share_its_offset() -> None:
    smile = "🙂".encode()
    assert text_and_offsets([b"a", smile[:1], smile[1:3], smile[3:], b"b"]) == ("a🙂b", [0, 1, 1, 1, 2])


def test_no_tokens_are_no_text() -> None:
    assert text_and_offsets([]) == ("", [])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=12))
def test_bytes_that_are_no_text_still_have_one(pieces: list[bytes]) -> None:
    text, offsets = text_and_offsets(pieces)
    assert text == b"".join(pieces).decode(errors="replace")
    assert len(offsets) == len(pieces)
    assert offsets == sorted(offsets)
    assert all(offset <= len(text) for offset in offsets)


@settings(deadline=None)
@given(cut_up(), st.text(alphabet="abé🙂", min_size=1, max_size=4))
def test_one_stop_is_found_where_it_is_in_the_whole_text(cut: tuple[str, list[bytes]], stop: str) -> None:
    text, pieces = cut
    watch = StopWatch((stop,))
    found = next((found for piece in pieces if (found := watch.add(piece))), None)
    assert (found, watch.cut) == ((stop, text.find(stop)) if stop in text else (None, None))


@settings(deadline=None)
@given(cut_up(), STOPS)
def test_stops_are_found_in_the_first_piece_that_completes_one(
    cut: tuple[str, list[bytes]], stops: tuple[str, ...]
) -> None:
    _, pieces = cut
    watch = StopWatch(stops)
    so_far = b""
    for piece in pieces:
        so_far += piece
        text = so_far.decode(errors="ignore")
        places = [(text.find(stop), i) for i, stop in enumerate(stops) if stop in text]
        found = watch.add(piece)
        if places:
            assert (watch.cut, found) == (min(places)[0], stops[min(places)[1]])
            return
        assert found is None


@pytest.mark.parametrize(
    ("stops", "pieces", "found", "cut"),
    [
        (("\n",), [b"one\ntwo\n"], "\n", 3),
        (("ab", "b"), [b"xab"], "ab", 1),  # the leftmost
        (("a", "ab"), [b"xab"], "a", 1),  # of two at one place, the first given
        (("ab", "a"), [b"xab"], "ab", 1),
        (("b", "ab"), [b"xa", b"b"], "ab", 1),
        (("aab",), [b"a", b"a", b"a", b"b"], "aab", 1),
        (("é",), [b"x\xc3", b"\xa9"], "é", 1),
        (("\ufffd",), [b"x\xc3", b"y"], "\ufffd", 1),
    ],
)
def test_stops_by_example(stops: tuple[str, ...], pieces: list[bytes], found: str, cut: int) -> None:
    watch = StopWatch(stops)
    assert [watch.add(piece) for piece in pieces] == [None] * (len(pieces) - 1) + [found]
    assert watch.cut == cut


def test_without_stops_nothing_stops() -> None:
    watch = StopWatch(())
    assert watch.add(b"anything") is None
    assert watch.cut is None


@settings(deadline=None)
@given(cut_up(), STOPS, st.integers(0, 30))
def test_a_stop_counts_only_if_it_is_completed_after_what_is_ignored(
    cut: tuple[str, list[bytes]], stops: tuple[str, ...], ignored: int
) -> None:
    _, pieces = cut
    watch = StopWatch(stops)
    before = 0
    for i in range(len(pieces)):
        text = b"".join(pieces[: i + 1]).decode(errors="ignore")
        ends = [(text.find(stop, max(0, before - len(stop) + 1)), j) for j, stop in enumerate(stops)]
        places = [(at, j) for at, j in ends if at >= 0]
        found = watch.add(pieces[i], ignore=i < ignored)
        if places and i >= ignored:
            assert (watch.cut, found) == (min(places)[0], stops[min(places)[1]])
            return
        assert (watch.cut, found) == (None, None)
        before = len(text)


@pytest.mark.parametrize(
    ("stops", "ignored", "counted", "found", "cut"),
    [
        (("ab",), [b"ab"], [b"c"], None, None),
        (("ab",), [b"a"], [b"b"], "ab", 0),  # begun there, completed here
        (("ab", "yyyyyyyy"), [b"xab"], [b"c"], None, None),  # a longer stop's reach does not bring it back
        (("ab", "abc"), [b"xab"], [b"c"], "abc", 1),
    ],
)
def test_ignored_stops_by_example(
    stops: tuple[str, ...], ignored: list[bytes], counted: list[bytes], found: str | None, cut: int | None
) -> None:
    watch = StopWatch(stops)
    assert [watch.add(piece, ignore=True) for piece in ignored] == [None] * len(ignored)
    assert [watch.add(piece) for piece in counted][-1] == found
    assert watch.cut == cut
