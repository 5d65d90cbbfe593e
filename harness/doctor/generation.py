"""Checks of what is generated: text, and how many of them."""

from __future__ import annotations

from harness.doctor.answers import Broken, Choice, Refused, short
from harness.doctor.case import LONGEST, PROMPT, Case, Finding, absent, fault, good
from harness.doctor.likeness import sure_text
from harness.doctor.steps import K

STOP_LENGTH = 3
DRAWS = 6
"""Texts of one seed, two of which have to be the same."""
SEED = 7
HOT = {"temperature": 1.5, "max_tokens": 2 * LONGEST, "seed": SEED}
"""Long and hot enough that two texts are hardly the same by chance."""


def models(case: Case) -> Finding:
    """Caches of clients tell models apart by their ids alone."""
    ids = [card.id for card in case.cards]
    if not ids:
        return absent("GET /v1/models gives no list.")
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        return fault(f"GET /v1/models names {short(twice[0])} more than once.")
    return good(f"GET /v1/models has {len(ids)}, each once.")


def completions(case: Case) -> Finding:
    """The route at all."""
    if not isinstance(case.generated.raw.get("text"), str):
        return fault(f"The completion of {case.prompt!r} has no text.")
    return good(f"{case.prompt!r} goes on with {short(case.generated.text)}.")


def greedy(case: Case) -> Finding:
    """What temperature 0 promises."""
    doubts = 0
    for prompt, choice in case.greedy.items():
        sure, again = sure_text(choice), case.patient.complete(prompt, max_tokens=LONGEST).only.text
        doubts += sure is None and again != choice.text
        # Where it is not known how likely others were, a few texts may differ by a near tie.
        if doubts > len(case.greedy) / 2 or not again.startswith(sure or ""):
            return fault(f"Temperature 0 gave {short(choice.text)}, and then {short(again)}.")
    return good("Temperature 0 gives the same text again.")


def max_tokens(case: Case) -> Finding:
    """A limit is a limit."""
    answer = case.patient.complete(case.prompt, max_tokens=3)
    text, count = answer.only.text, answer.usage.get("completion_tokens")
    if isinstance(count, int) and count > 3:
        return fault(f"With max_tokens 3 it generated {count} tokens.")
    if len(text) >= len(case.generated.text) > 3 and case.generated.finish_reason == "length":
        return fault(f"With max_tokens 3 it wrote as much as with {LONGEST}: {short(text)}.")
    return good("max_tokens 3 gives three tokens at most.")


def stop(case: Case) -> Finding | None:
    """A stop string from the middle of what it says anyway."""
    where = len(case.sure) // 2
    string = case.sure[where : where + STOP_LENGTH]
    if len(case.sure) < 2 * STOP_LENGTH or not string.isprintable():
        return None
    expected = case.sure[: case.sure.index(string)]
    found = case.patient.complete(case.prompt, max_tokens=LONGEST, stop=[string]).only
    if string in found.text:
        return fault(f"With stop {string!r} it went on: {short(found.text)}.")
    if found.text != expected and sure_text(case.generated) is None:
        return None  # it may be another text, by a near tie that cannot be seen
    if found.text != expected:
        return fault(f"With stop {string!r} it wrote {short(found.text)} in place of {short(expected)}.")
    if found.finish_reason != "stop":
        return fault(f"Stopped by {string!r}, its finish_reason is {found.finish_reason!r} in place of 'stop'.")
    return good(f"Generation ends before {string!r}, which is not part of the text.")


def several(case: Case) -> Finding:
    """``n``, with temperature 0 if it may."""
    note = ""
    try:
        answer = case.patient.complete(PROMPT, max_tokens=4, n=3)
    except Refused:
        answer = case.patient.complete(PROMPT, max_tokens=4, n=3, temperature=1)
        note = ", but not at temperature 0"
    if len(answer.choices) != 3:
        return fault(f"With n 3 it returned {len(answer.choices)} choices.")
    if {choice.index for choice in answer.choices} != {0, 1, 2}:
        return fault(f"With n 3 the indices are {[choice.raw.get('index') for choice in answer.choices]}.")
    return good(f"n 3 gives three choices{note}.")


def best_of(case: Case) -> Finding:
    """As HELM sends it: more candidates than answers, at temperature 0, where they are all one."""
    found = case.patient.complete(case.prompt, max_tokens=LONGEST, best_of=5, n=1, logprobs=K)
    if len(found.choices) != 1:
        return fault(f"With best_of 5 and n 1 it returned {len(found.choices)} choices.")
    if not case.agrees(found.only.text):
        return fault(f"With best_of 5 its greedy text is {short(found.only.text)}, else {short(case.generated.text)}.")
    return good("best_of 5 at temperature 0 gives the one greedy answer.")


def seed(case: Case) -> Finding:
    """The same seed, the same text; several times where texts differ, for beside other requests a draw may tip over."""
    texts: list[str] = []
    for _ in range(DRAWS):
        text = case.patient.complete(PROMPT, **HOT).only.text
        if text in texts:
            return good(f"Seed {SEED} gives the same text again.")
        texts.append(text)
    return fault(f"Seed {SEED} gave {short(texts[0])}, and then {short(texts[1])}.")


def stream(case: Case) -> Finding:
    """Its pieces add up to the plain answer."""
    pieces, ended = [], False
    for event in case.patient.stream(case.prompt, max_tokens=LONGEST):
        ended = event is None
        if isinstance(event, dict) and "error" in event:
            raise Broken(f"The stream ended with an error: {short(event['error'])}.")
        choices = event.get("choices") if isinstance(event, dict) else None
        listed = choices if isinstance(choices, list) else []
        pieces += [Choice(choice).text for choice in listed if isinstance(choice, dict)]
    text = "".join(pieces)
    if not case.agrees(text):
        return fault(f"Streamed, the answer is {short(text)}; plain, it is {short(case.generated.text)}.")
    if not ended:
        return fault("A stream does not end with [DONE].")
    return good("A streamed answer adds up to the plain one.")
