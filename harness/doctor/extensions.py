"""Checks of vLLM's ``prompt_logprobs`` and of chats."""

from __future__ import annotations

from typing import Any

from harness.doctor.alignment import judge_alignment
from harness.doctor.answers import Arrays, Refused, is_number, short
from harness.doctor.case import Case, Finding, absent, fault, good
from harness.doctor.steps import START
from harness.doctor.subjects import Subject

CHAT = {"messages": [{"role": "user", "content": "Say one word."}], "max_tokens": 4, "temperature": 0}


def prompt_logprobs(case: Case) -> Finding:
    """Inspect's way to score a prompt: in every entry the token that stands there comes first."""
    choice = case.patient.complete(START, max_tokens=1, prompt_logprobs=1).only
    if choice.raw.get("prompt_logprobs") is None:
        return absent("Answers have no prompt_logprobs.")
    case.require(Subject.ARRAYS)
    text = case.grown.text
    found = case.patient.complete(text, max_tokens=1, prompt_logprobs=1).only.raw.get("prompt_logprobs")
    if not isinstance(found, list) or not all(entry is None or (isinstance(entry, dict) and entry) for entry in found):
        return fault(f"prompt_logprobs is no list of null and objects: {short(found)}.")
    firsts: list[Any] = [next(iter(entry.values())) if entry else {} for entry in found]
    entries = [first if isinstance(first, dict) else {} for first in firsts]
    names = [str(entry.get("decoded_token") or "") for entry in entries]
    arrays = Arrays(names, [entry.get("logprob") for entry in entries], [], [])
    if not all(map(is_number, arrays.values[1:])):
        return fault("An entry of prompt_logprobs after the first has no number for a logprob.")
    # The first token has null and no name, a BOS before it too.
    lacking = text[: len(text) - len(arrays.text)]
    if lacking + arrays.text != text:
        return fault(f"prompt_logprobs name first {short(arrays.text)}, where the prompt has {short(text)}.")
    return judge_alignment(
        "prompt_logprobs", case.grown.steps, Arrays([lacking, *names], [None, *arrays.values], [], [])
    )


def _chat(case: Case, **fields: Any) -> dict[str, Any]:
    """The one choice of a chat."""
    answer = case.patient.ask("chat/completions", {"model": case.patient.model, **CHAT, **fields})
    choices = answer.get("choices") if isinstance(answer, dict) else None
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def chat(case: Case) -> Finding:
    """The route, and the shape of a message."""
    message = _chat(case).get("message")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str | None):
        return fault(f"A chat's answer is no message with content: {short(message)}.")
    return good("A conversation is answered by a message.")


def chat_logprobs(case: Case) -> Finding:
    """``logprobs.content``, one entry a token."""
    found = _chat(case, logprobs=True, top_logprobs=2).get("logprobs")
    if found is None:
        return fault("A chat with logprobs asked for has none.")
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(content, list):
        return fault(f"The logprobs of chats are not in content: {short(found)}.")
    for entry in content:
        if not isinstance(entry, dict):
            return fault(f"{short(entry)} is an entry of a chat's logprobs.")
        lacking = [key for key in ("token", "logprob", "bytes", "top_logprobs") if key not in entry]
        if lacking:
            return fault(f"The entries of a chat's logprobs lack {', '.join(lacking)}.")
    return good("The logprobs of chats are in content.")


def too_long(case: Case) -> Finding | None:
    """A prompt that does not fit is refused, not cut."""
    if case.context is None or case.context > MOST:
        return None
    try:
        case.patient.complete(" one" * (2 * case.context), max_tokens=1)
    except Refused as error:
        if error.status >= 500:
            return fault(f"Too long a prompt is answered with {error}.")
        return good(f"A prompt of more than {case.context:,} tokens is refused.")
    return fault(f"A prompt of some {2 * case.context:,} tokens was cut to {case.context:,} without a word.")


MOST = 40_000
"""Tokens of context that are overrun by way of trial."""


def errors(case: Case) -> Finding:
    """What is wrong is refused, in words."""
    try:
        case.patient.ask("completions", {"model": case.patient.model, "prompt": "One", "max_tokens": "several"})
    except Refused as error:
        if error.status >= 500:
            return fault(f"A request that makes no sense is answered with {error}.")
        if ":" not in str(error):
            return fault("A refusal does not say why: it has no error.message.")
        return good("A request that makes no sense is refused, and the reason told.")
    return fault('max_tokens "several" was taken for a number.')
