"""Token bytes into text: the name and character offset of each token, and where a stop string cuts."""

from __future__ import annotations

import codecs
from collections.abc import Iterable


def token_name(piece: bytes) -> str:
    r"""A token as a string: its text, or OpenAI's ``bytes:\xe2\x80`` where it is no whole UTF-8."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)


def text_and_offsets(pieces: Iterable[bytes]) -> tuple[str, list[int]]:
    """The text of a run of tokens, and for each token the number of whole characters before it.

    A character split over several tokens belongs to the first one's offset; bytes that are no UTF-8 become U+FFFD.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text, offsets = "", []
    for piece in pieces:
        offsets.append(len(text))
        text += decoder.decode(piece)
    return text + decoder.decode(b"", final=True), offsets


class StopWatch:
    """Follows a text as it grows and says when a stop string has appeared, also across token borders."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self.cut: int | None = None
        """Characters of the text before the stop string, once one has appeared."""

    def add(self, piece: bytes, *, ignore: bool = False) -> str | None:
        """Append a token; return the stop string that is now complete (the leftmost, then the first given), if any.

        With ``ignore``, what is complete by now does not count, but its beginning may still become another one's.
        """
        if not self._stops:
            return None
        before = len(self._text)
        self._text += self._decoder.decode(piece)
        # Each is looked for no further back than it can begin and end in the new part.
        places = [self._text.find(stop, max(0, before - len(stop) + 1)) for stop in self._stops]
        found = [(at, i) for i, at in enumerate(places) if at >= 0]
        if not found or ignore:
            return None
        self.cut, which = min(found)
        return self._stops[which]
