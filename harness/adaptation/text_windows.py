"""A long text as windows of tokens: HELM's, which score every token, and llama-perplexity's, which score half."""

from __future__ import annotations

from collections.abc import Sequence

from harness.types import Prompt

Ids = Sequence[int]


def sliding(tokens: Ids, bos: Ids, size: int) -> list[Prompt]:
    """Windows in which every token is scored once, given at least one before it (HELM's ``LanguageModelingAdapter``).

    Args:
        tokens: of the text, at least one.
        bos: what the first token is conditioned on; where it is empty, the first token is not scored.
        size: tokens that a window may have, at least two.

    The first window begins with BOS. Each other one goes on from the last token of the one before it, and the last one
    has as many tokens before those as there is room for.
    """
    stream = (*bos, *tokens)
    begin, end = len(bos) or 1, min(size, len(stream))
    prompts = [Prompt(stream[:begin], stream[begin:end])]
    while end < len(stream):
        begin, end = end, min(end + size - 1, len(stream))
        prompts.append(Prompt(stream[end - size : begin], stream[begin:end]))
    return prompts


def chunks(tokens: Ids, bos: Ids, size: int) -> list[Prompt]:
    """One window after the other, the second half of each scored, as ``llama-perplexity -c SIZE`` does it.

    Arguments are those of :func:`sliding`. BOS stands before the text, and in place of the first token of every other
    window. Of a window's ``size`` tokens ``size - size // 2 - 1`` are scored. What is left at the end is not asked; but
    a text of less than one window, which llama-perplexity refuses, is one shorter window.
    """
    size = min(size, len(bos) + len(tokens))
    border = size // 2 + 1
    return [Prompt(window[:border], window[border:]) for window in whole_windows(tokens, bos, size)]


def whole_windows(tokens: Ids, bos: Ids, size: int) -> list[tuple[int, ...]]:
    """The windows of :func:`chunks`, each with ``size`` tokens; none for a text of fewer."""
    stream = (*bos, *tokens)
    begins = range(0, len(stream) - size + 1, size)
    return [(*bos, *stream[begin + len(bos) : begin + size]) for begin in begins]
