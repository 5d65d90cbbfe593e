"""Where the part of a prompt that is to be scored begins among its tokens."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from harness.types import Completion, Prompt

_PARTIAL = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")
"""The name of a token that is no whole UTF-8: HELM's and OpenAI's ``bytes:\\xe2\\x80``."""


def token_bytes(name: str) -> bytes:
    """What a token stands for."""
    partial = _PARTIAL.fullmatch(name)
    return bytes.fromhex(partial[1].replace("\\x", "")) if partial else name.encode()


def first_of_continuation(completion: Completion, prompt: Prompt) -> int:
    """Index of the continuation's first token in an echoed prompt.

    Of a text that is the first token with a byte beyond the border between context and continuation. A token that
    straddles the border belongs to the continuation: without it part of the continuation would go unscored. Where the
    endpoint's names do not add up to the text, ``text_offset`` decides, which counts whole characters.
    """
    if not isinstance(prompt.context, str):
        return len(completion.tokens) - len(prompt.continuation)
    sizes = [len(token_bytes(token)) for token in completion.tokens]
    if sum(sizes) == len(completion.text.encode()):
        border = len(prompt.context.encode())
        beyond: Iterable[bool] = (end > border for end in itertools.accumulate(sizes))
    else:
        ends = (*completion.text_offset[1:], len(completion.text))
        border = len(prompt.context)
        beyond = (end > border or begin >= border for begin, end in zip(completion.text_offset, ends, strict=True))
    return next((index for index, is_beyond in enumerate(beyond) if is_beyond), len(completion.tokens))
