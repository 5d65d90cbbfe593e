"""Checks of the tokenizer's routes, of counts, and of token ids as prompts."""

from __future__ import annotations

from typing import Any

from harness.doctor.answers import short
from harness.doctor.case import PROMPT, Case, Finding, absent, fault, good
from harness.doctor.subjects import Subject

TEXTS = (
    " a  b   c ",
    "line\nline\n\n\tend",
    "Naïve, in Köln: 日本 and 🙂 done.",
    "x = [1, 2.50, {'k': \"v\"}]  # &%$",
)


SOME = [10, 11, 12]
"""Token ids that every vocabulary has."""


def round_trip(case: Case) -> Finding:
    """Text into tokens and back."""
    if case.dialect is None:
        return absent("There is no /tokenize and /detokenize.")
    for text in (PROMPT, *TEXTS):
        tokens = case.tokenize(text)
        back = case.detokenize(tokens)
        if back != text and (text == PROMPT or _can_spell(case, text, back)):
            return fault(f"{text!r} comes back from its tokens as {back!r}.")
    return good(f"{1 + len(TEXTS)} texts come back from their tokens as they were.")


def _can_spell(case: Case, text: str, back: str) -> bool:
    """Whether its vocabulary has a text: then the echo is that text; without an echo, what came back must be stable."""
    if case.is_good(Subject.ECHO, Subject.NOTHING_MORE):
        return case.patient.complete(text, max_tokens=0, echo=True).only.text == text
    return case.tokenize(back) != case.tokenize(text)


def counts(case: Case) -> Finding | None:
    """Tokens of a prompt by usage, by entries and by the tokenizer: the same, but for a BOS."""
    answer = case.patient.complete(PROMPT, max_tokens=1)
    told = answer.usage.get("prompt_tokens")
    numbers = {"usage.prompt_tokens": told} if isinstance(told, int) else {}
    if case.is_good(Subject.ROUND_TRIP):
        numbers["/tokenize"] = len(case.tokenize(PROMPT))
    if case.is_good(Subject.ECHO, Subject.ARRAYS):
        numbers["the echo"] = len(case.scored.tokens)
    if len(numbers) < 2:
        return None
    extra = len(case.bos) if case.is_good(Subject.ROUND_TRIP) else 1
    numbers_without_bos = [number for name, number in numbers.items() if name != "usage.prompt_tokens"]
    allowed = {number + more for number in numbers_without_bos for more in (0, extra)}
    if len(set(numbers_without_bos)) > 1 or (told is not None and told not in allowed):
        listed = ", ".join(f"{number} by {name}" for name, number in numbers.items())
        return fault(f"{PROMPT!r} has {listed} tokens.")
    return good(f"{PROMPT!r} has as many tokens by {' as by '.join(numbers)}.")


def ids(case: Case) -> Finding:
    """A prompt of token ids is taken as it is."""
    is_known = case.is_good(Subject.ROUND_TRIP)
    tokens = case.tokenize(PROMPT) if is_known else SOME
    if not case.is_good(Subject.ECHO, Subject.ARRAYS):
        case.patient.complete(tokens, max_tokens=1)
        return good("Prompts of token ids are taken.")
    arrays = case.score_ids(tokens)
    if is_known and arrays.text.removeprefix(" ") != PROMPT:  # some vocabularies have a space before every text
        return fault(f"The token ids of {PROMPT!r} are echoed as {short(arrays.text)}.")
    return good("Prompts of token ids come back as the tokens that they are.")


def helm(case: Case) -> Finding:
    """``/tokenize`` with ``text`` and ``/decode``, as HELM's HTTP tokenizer asks."""
    body = {"text": PROMPT, "truncation": False, "max_length": 2048}
    found = case.patient.ask("../tokenize", body)
    tokens = found.get("tokens") if isinstance(found, dict) else None
    if not isinstance(tokens, list) or not tokens or "request_time" not in found:
        return absent("/tokenize does not take text, or does not tell a request_time.")
    decoded = case.patient.ask("../decode", {"tokens": tokens})
    back = decoded.get("text") if isinstance(decoded, dict) else None
    if back != PROMPT:
        return fault(f"By HELM's routes {PROMPT!r} comes back from its tokens as {back!r}.")
    return _same_count(case, len(tokens), "HELM")


def lm_eval(case: Case) -> Finding:
    """``/tokenizer_info``, ``/tokenize`` with ``prompt``, ``/detokenize``: lm-eval's remote tokenizer."""
    info = case.patient.ask("../tokenizer_info")
    if not isinstance(info, dict) or "eos_token" not in info:
        return absent("/tokenizer_info names no eos_token.")
    found: Any = case.patient.ask("../tokenize", {"prompt": PROMPT, "add_special_tokens": False})
    tokens = found.get("tokens") if isinstance(found, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return absent("/tokenize does not take a prompt.")
    decoded = case.patient.ask("../detokenize", {"tokens": tokens})
    back = decoded.get("prompt") if isinstance(decoded, dict) else None
    if back != PROMPT:
        return fault(f"By lm-eval's routes {PROMPT!r} comes back from its tokens as {back!r}.")
    return _same_count(case, len(tokens), "lm-eval")


def _same_count(case: Case, count: int, client: str) -> Finding:
    """Whether what the client counts is what it finds in an echo."""
    if case.is_good(Subject.ECHO, Subject.ARRAYS) and count != (entries := len(case.scored.tokens)):
        return fault(f"{PROMPT!r} has {count} tokens by {client}'s routes, and {entries} in the echo.")
    return good(f"The routes of {client}'s tokenizer agree with the echo.")
