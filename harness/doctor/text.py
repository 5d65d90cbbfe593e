"""Checks of where tokens lie in a text, and of characters that are several tokens."""

from __future__ import annotations

import itertools

from harness.continuation import token_bytes
from harness.doctor.answers import Arrays, Choice
from harness.doctor.case import Case, Finding, absent, fault, good

LAST_WORD = "done"
MIXED = f"Naïve, in Köln: 日本 and 🙂 {LAST_WORD}."


def _echoed(case: Case) -> Choice:
    return case.patient.complete(MIXED, max_tokens=case.shortest, echo=True, logprobs=1).only


def _sizes(arrays: Arrays) -> list[int]:
    return [len(token_bytes(token)) for token in arrays.tokens]


def partial(case: Case) -> Finding:
    """Whether the names of tokens tell all bytes of a text, as HELM counts them."""
    found = _echoed(case)
    missing = len(found.text.encode()) - sum(_sizes(found.arrays))
    if missing:
        return fault(
            f"The tokens of {MIXED!r} have {abs(missing)} bytes {'less' if missing > 0 else 'more'} than its text."
        )
    return good("Tokens that are no whole character are named by their bytes.")


def offsets(case: Case) -> Finding:
    """Whether ``text_offset`` counts characters from the beginning of the prompt."""
    found = _echoed(case)
    arrays, data = found.arrays, found.text.encode()
    if not arrays.offsets:
        return absent("logprobs have no text_offset.")
    begins = list(itertools.accumulate(_sizes(arrays), initial=0))
    if begins.pop() != len(data):
        return _offsets_at_end(found)
    for token, offset, begin in zip(arrays.tokens, arrays.offsets, begins, strict=True):
        whole = len(data[:begin].decode(errors="ignore"))
        # Inside a character, it may count as begun or not.
        if offset not in {whole, len(data[:begin].decode(errors="replace"))}:
            return fault(f"In {found.text!r}, {token!r} begins at character {whole}, and its text_offset is {offset}.")
    return good("text_offset counts characters from the beginning of the prompt.")


def _offsets_at_end(found: Choice) -> Finding:
    """Where the names of some tokens do not tell their characters: the plain words after these, from the end."""
    arrays, position = found.arrays, len(found.text)
    for token, offset in zip(reversed(arrays.tokens), reversed(arrays.offsets), strict=True):
        if not (token and token.isascii() and found.text[:position].endswith(token)):
            break
        position -= len(token)
        if offset != position:
            return fault(
                f"In {found.text!r}, {token!r} begins at character {position}, and its text_offset is {offset}."
            )
    if position > found.text.find(LAST_WORD):
        return absent("Where tokens begin cannot be told: their names do not add up to the text, not even at its end.")
    return good("text_offset counts characters from the beginning of the prompt, where tokens are whole characters.")
