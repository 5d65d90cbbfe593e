"""Checks of the tokens that begin and end a text."""

from __future__ import annotations

from harness.doctor.answers import Broken
from harness.doctor.case import PROMPT, Case, Finding, absent, fault, good
from harness.doctor.likeness import differ, distance
from harness.doctor.subjects import Subject

CERTAIN = 0.01
"""Nats: below this, two ways to begin a prompt need not be told apart."""
FORCED = 100
"""The largest bias there is."""


SCORES = (*(Subject.ARRAYS, Subject.ECHO, Subject.NULLS, Subject.VALUES, Subject.TWICE), Subject.IDS)


def bos(case: Case) -> Finding:
    """A text gets the BOS that its tokenizer puts there: not none and not two."""
    can_score = case.is_good(*SCORES) and not case.is_wrong(Subject.ALIGNMENT)
    return _bos_by_scores(case) if can_score else _bos_by_count(case)


def _bos_by_scores(case: Case) -> Finding:
    begins = case.bos or _named_bos(case)
    text = case.scored.values[1:]
    tokens = case.tokenize(PROMPT)
    ways = [
        case.score_ids([*begins * count, *tokens]).values[len(begins) * count + 1 :]
        for count in range(3 if begins else 1)
    ]
    gaps = [distance(text, way) for way in ways]
    right = 1 if case.bos else 0
    best = min(range(len(gaps)), key=gaps.__getitem__)
    if gaps[right] > CERTAIN and best != right and gaps[right] > 2 * gaps[best]:
        words = ("no BOS", "one BOS", "two BOS")
        return fault(
            f"A text is scored as if {words[best]} stood before it, and its tokenizer puts {words[right]} there."
        )
    if apart := differ(text, ways[right]):
        return fault(f"A text has log-probabilities that are {apart}, against its own token ids.")
    return good(f"A text is scored as its token ids with {'one' if right else 'no'} BOS before them.")


def _bos_by_count(case: Case) -> Finding:
    told = case.patient.complete(PROMPT, max_tokens=1).usage.get("prompt_tokens")
    if not isinstance(told, int):
        return absent("Whether a text gets a BOS cannot be told: it is not scored, and usage has no prompt_tokens.")
    before = told - len(case.tokenize(PROMPT))
    if before == 0 and case.bos:  # some servers, ours too, count what the client has sent
        return absent("Whether a text gets a BOS cannot be told: it is not scored, and usage may leave it out.")
    if before != len(case.bos):
        return fault(f"By usage {before} tokens stand before a text, where its tokenizer puts {len(case.bos)}.")
    return good(f"By usage {before} tokens stand before a text, as its tokenizer has it.")


def _named_bos(case: Case) -> list[int]:
    """The BOS that a vocabulary has, where prompts do not get it."""
    tokens = case.tokenize(case.specials.bos) if case.specials.bos else []
    return tokens if len(tokens) == 1 else []


def bos_spelled(case: Case) -> Finding:
    """The name of BOS at the beginning of a text is that token, and then no other BOS is added."""
    name = case.specials.bos or (case.detokenize(case.bos) if case.bos else "")
    if not name:
        return absent("The endpoint does not say how BOS is spelled.")
    arrays = case.patient.complete(name + PROMPT, max_tokens=case.shortest, echo=True, logprobs=1).only.arrays
    parts = arrays.parts(PROMPT)
    if parts.before != 1:
        return fault(f"{name!r} before a prompt is {parts.before} tokens of the echo, in place of one.")
    if not case.is_good(Subject.IDS):
        return good(f"{name!r} before a prompt is one token.")
    token, tokens = case.tokenize(name), case.tokenize(PROMPT)
    found = arrays.values[2 : 1 + parts.inside]
    one, two = (distance(found, case.score_ids([*token * n, *tokens]).values[len(token) * n + 1 :]) for n in (1, 2))
    if one > CERTAIN and one > 2 * two:
        return fault(f"Where a prompt begins with {name!r}, another BOS is put before that.")
    return good(f"{name!r} before a prompt is the one BOS.")


def eos_inside(case: Case) -> Finding:
    """An EOS among token ids is a token like others."""
    if case.eos is None:
        return absent("The endpoint does not say which token is EOS.")
    tokens = [*case.tokenize("One two"), case.eos, *case.tokenize(" three four")]
    try:
        case.score_ids(tokens)
    except Broken as error:
        return fault(f"With an EOS in the middle: {str(error)[:1].lower()}{str(error)[1:]}")
    return good("An EOS in the middle of a prompt has its entry.")


def eos_at_end(case: Case) -> Finding | None:
    """An EOS that ends a generation is a generated token: lm-eval drops one entry at the end, whatever it is."""
    if case.eos is None:
        return absent("The endpoint does not say which token is EOS.")
    bias = {str(case.eos): FORCED}
    answer = case.patient.complete(PROMPT, max_tokens=4, logprobs=1, logit_bias=bias)
    if answer.only.finish_reason != "stop" or answer.only.text:
        return None
    entries, told = len(answer.only.arrays.tokens), answer.usage.get("completion_tokens", 1)
    if entries != 1 or told != 1:
        return fault(f"A generation of nothing but EOS has {entries} entries, and usage counts {told} tokens.")
    if case.is_good(Subject.ONE_MORE):
        echoed = case.patient.complete(PROMPT, max_tokens=1, echo=True, logprobs=1, logit_bias=bias).only
        after = echoed.arrays.parts(PROMPT).after
        if after != 1:
            return fault(f"After an echoed prompt, an EOS that ends the generation has {after} entries.")
    return good("An EOS that ends a generation has its entry, and is counted.")
