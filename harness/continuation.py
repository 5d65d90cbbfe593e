"""Where the part of a prompt that is to be scored begins among its tokens."""

from __future__ import annotations

from harness.types import Completion, Prompt


def first_of_continuation(completion: Completion, prompt: Prompt) -> int:
    """Index of the continuation's first token in an echoed prompt.

    Of a text that is the first token that reaches beyond its border with the context, by ``text_offset``: a token that
    straddles the border belongs to the continuation, without it part of the continuation would go unscored.
    """
    if not isinstance(prompt.context, str):
        return len(completion.tokens) - len(prompt.continuation)
    ends = (*completion.text_offset[1:], len(completion.text))
    return next((index for index, end in enumerate(ends) if end > len(prompt.context)), len(ends))
