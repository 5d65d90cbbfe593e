"""Texts that would end the process in llama.cpp's tokenizers of byte-pair vocabularies.

Many of them cut a text into words by a regex that recurses once a character, and at about 25,000 characters of a word
the stack of 8 MiB is used up (measured on all pre-tokenizers, with letters, punctuation, spaces and line breaks).
"""

from __future__ import annotations

import re

from server.protocol.errors import InvalidRequest

MAX_RUN = 12_000
"""Half of what is survived: a match may have spaces before or line breaks after its word."""
SPLIT_WITHOUT_REGEX = frozenset(["gpt-2", "llama-bpe", "llama3", "llama-v3", "qwen2", "qwen35", "smollm", "gemma4"])
"""Common pre-tokenizers that llama.cpp has loops for; 100,000 characters did them no harm."""

# Each alternative begins where a run does, so that a search takes time in proportion to the text. llama.cpp knows other
# characters as spaces in some classes than in others: what may count as either is in both alternatives.
_LONG_RUN = re.compile(rf"(?<![^ \t-\r])[^ \t-\r]{{{MAX_RUN}}}|(?<!\s)\s{{{MAX_RUN}}}")


_SPACES = re.compile(r"\s+")


def survivable(text: str, pre_tokenizer: str | None) -> str:
    """The text with the same tokens, such that llama.cpp survives it.

    Raises:
        InvalidRequest: there is none.
    """
    if pre_tokenizer == "whitespace":  # it has no tokens for spaces, and llama.cpp aborts where two of them meet
        text = _SPACES.sub(" ", text)
    if pre_tokenizer not in SPLIT_WITHOUT_REGEX:
        refuse_long_runs(text)
    return text


def refuse_long_runs(text: str) -> None:
    """Raise :class:`InvalidRequest` for a text with a run of characters that is too long for llama.cpp."""
    if len(text) >= MAX_RUN and _LONG_RUN.search(text):
        raise InvalidRequest(
            f"A text has {MAX_RUN:,} characters or more without a space between them, or as many spaces in a row, "
            "which this model's tokenizer cannot read; break them up."
        )
