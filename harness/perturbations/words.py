"""Words in a running text, and lists of words: what the perturbations of words share."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random

_LETTERS = r"[^\W\d_]+"
# Neither part of a name such as x2 or my_var, nor the rest of a word behind an apostrophe.
WORD = re.compile(rf"(?<!\w)(?<!\w['’]){_LETTERS}(?:['’]{_LETTERS})*(?!\w)")
"""A whole word; apostrophes inside belong to it."""

_SUFFIX = re.compile(r"['’](?:s|d|ll|ve|re|m)$", re.IGNORECASE)


@cache
def read_list(name: str) -> Mapping[str, tuple[str, ...]]:
    """One of our lists, ``word_lists/NAME.txt``, which has a line ``KEY: WORD WORD ...`` for each key."""
    text = (importlib.resources.files(__package__) / "word_lists" / f"{name}.txt").read_text("utf-8")
    lines = (line.split(": ") for line in text.splitlines())
    return {key: tuple(words.split()) for key, words in lines}


def match_case(word: str, replacement: str) -> str:
    """The replacement, which is in lower case, written as the word is: in capitals, with a capital, or as it is."""
    if word.isupper() and len(word) > 1:
        return replacement.upper()
    return replacement[:1].upper() + replacement[1:] if word[:1].isupper() else replacement


def replace_words(text: str, replacement: Callable[[str], str | None]) -> str:
    """The text with its words replaced, in the case of the original.

    Args:
        text: Any text; whatever is not a word stays as it is.
        replacement: Given a word in lower case, what stands in for it, or ``None`` to keep it. It is asked first for
            the whole word (``don't``), and then for what stands before an ending such as ``'s``.
    """

    def replaced(match: re.Match[str]) -> str:
        word = match[0]
        found = replacement(word.lower().replace("’", "'"))
        if found is not None:
            return match_case(word, found)
        suffix = _SUFFIX.search(word)
        if suffix is None:
            return word
        stem = word[: suffix.start()]
        found = replacement(stem.lower().replace("’", "'"))
        return word if found is None else match_case(stem, found) + suffix[0]

    return WORD.sub(replaced, text)


def replace_some(text: str, rng: Random, options: Mapping[str, Sequence[str]], probability: float) -> str:
    """Replace each occurrence of a listed word with this probability by one of its options."""

    def draw(word: str) -> str | None:
        listed = options.get(word)
        return rng.choice(listed) if listed and rng.random() < probability else None

    return replace_words(text, draw)


def replace_same(text: str, rng: Random, pairs: Mapping[str, str], probability: float) -> str:
    """Draw for each listed word whether it is replaced, with this probability, and do so wherever it stands.

    The text has no part in what is drawn: with generators of the same seed, two texts have the same words replaced.
    """
    drawn = {word: other for word, other in pairs.items() if rng.random() < probability}
    return replace_words(text, drawn.get)
