"""Who needs what of an endpoint, and what becomes of their numbers where it is wrong.

Read in the sources of crfm-helm 0.5.16, lm-eval 0.4.13, inspect_ai and langchain-openai.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from harness.doctor.diagnosis import (
    GENERATED_LOGPROBS,
    GENERATION,
    SCORING,
    Check,
    Client,
    Outcome,
    Verdict,
)
from harness.doctor.subjects import Subject

WRONG: Verdict = "wrong numbers"
FAILS: Verdict = "fails"
RIGHT: Verdict = "right"


class Need(NamedTuple):
    """What a client relies on."""

    subject: Subject
    then: Verdict
    """What a fault of it means."""
    why: str = ""
    """How the client comes to suffer, as a sentence; the check's own finding where that says it all."""
    may_lack: bool = False
    """Whether the client goes on where this is not offered; else it fails."""


_TEXT = Need(Subject.COMPLETIONS, FAILS)
_GREEDY = Need(Subject.GREEDY, WRONG, "Its answers change from request to request.")
_BOS = Need(Subject.BOS, WRONG, "It sends text, and the model reads another beginning.", may_lack=True)
_CUT = Need(Subject.TOO_LONG, WRONG, "Prompts lose their beginning without a word.", may_lack=True)
_MODELS = Need(Subject.MODELS, WRONG, "Its cache tells models apart by their ids alone.", may_lack=True)
_ALONE = Need(Subject.BATCH, WRONG, "Answers belong to other prompts than it thinks.", may_lack=True)
_SUMS = (
    Need(Subject.VALUES, WRONG, "Its scores are sums of these values."),
    Need(Subject.TWICE, WRONG, "Its scores change from request to request."),
    Need(Subject.PREFIX, WRONG, "Its scores depend on what was asked before."),
    Need(Subject.ALIGNMENT, WRONG, "It sums the log-probabilities of other tokens than the answer's.", may_lack=True),
)
_OURS_SCORING = (
    *(Subject.COMPLETIONS, Subject.ECHO, Subject.ARRAYS, Subject.BOS_ECHOED, Subject.NOTHING_MORE, Subject.NULLS),
    *(Subject.VALUES, Subject.TWICE, Subject.PREFIX, Subject.OFFSETS, Subject.BATCH),
    Subject.ALIGNMENT,
)
_OURS_SCORING_TOO = (
    *(Subject.ROUND_TRIP, Subject.COUNTS, Subject.IDS, Subject.BOS),
    *(Subject.EOS_INSIDE,),
)
_OURS_GENERATION = (Subject.COMPLETIONS, Subject.GREEDY, Subject.MAX_TOKENS, Subject.STOP)
_OURS_LOGPROBS = (Subject.COMPLETIONS, Subject.ARRAYS, Subject.GENERATED_VALUES)
_OURS_LOGPROBS_TOO = (Subject.GENERATED_TOPS, Subject.GENERATED_ALIGNMENT)


def _ours(needed: Iterable[Subject], lackable: Iterable[Subject]) -> tuple[Need, ...]:
    """This harness refuses what it cannot rely on."""
    return (
        *(Need(subject, FAILS) for subject in needed),
        *(Need(subject, FAILS, may_lack=True) for subject in lackable),
    )


CLIENTS: dict[str, tuple[Need, ...]] = {
    "HELM, generation and joint choice": (
        _TEXT,
        Need(Subject.ARRAYS, FAILS, "It reads logprobs.tokens of every answer."),
        Need(Subject.BEST_OF, WRONG, "It always sends best_of."),
        Need(Subject.GENERATED_VALUES, WRONG, "Its calibration metrics are made of these."),
        Need(Subject.GENERATED_ALIGNMENT, WRONG, "Its calibration metrics are made of these.", may_lack=True),
        *(_GREEDY, _BOS, _CUT, _MODELS),
    ),
    "HELM, separate choices and language modeling": (
        _TEXT,
        Need(Subject.ARRAYS, FAILS, "It reads logprobs.tokens of every answer."),
        Need(Subject.ECHO, WRONG, "It scores the last tokens of whatever comes back."),
        Need(Subject.BOS_ECHOED, WRONG, "Bits per byte count it as part of the text."),
        Need(Subject.NOTHING_MORE, WRONG, "It scores the last tokens, which are not the prompt's."),
        Need(Subject.NULLS, WRONG, "It reads null as a log-probability of 0."),
        *_SUMS,
        Need(Subject.PARTIAL, WRONG, "Bits per byte count the bytes of token names."),
        Need(Subject.COUNTS, WRONG, "It counts back from the end by the tokenizer."),
        Need(Subject.HELM_TOKENIZER, WRONG, "It counts back from the end by the tokenizer.", may_lack=True),
        Need(Subject.BOS_SPELLED, WRONG, "Its windows of text may begin with the name of BOS.", may_lack=True),
        *(_BOS, _CUT, _MODELS),
    ),
    "lm-eval local-completions, loglikelihood": (
        _TEXT,
        Need(Subject.ARRAYS, FAILS, "It reads logprobs.token_logprobs of every answer."),
        Need(Subject.ECHO, WRONG, "Every choice gets the sum of nothing, so tasks score as by chance."),
        Need(Subject.ONE_MORE, WRONG, "It drops the last entry, which would be the answer's."),
        Need(Subject.NULLS, FAILS, "It cannot add up null."),
        *_SUMS,
        Need(Subject.TOPS, WRONG, "Whether an answer is the greedy one is read there."),
        Need(Subject.IDS, WRONG, "It sends token ids."),
        Need(Subject.EOS_INSIDE, WRONG, "It counts entries by its own tokens.", may_lack=True),
        Need(Subject.EOS_AT_END, WRONG, "It drops the last entry, which would be the answer's.", may_lack=True),
        Need(Subject.LM_EVAL_TOKENIZER, WRONG, "It counts entries by these tokens.", may_lack=True),
        _ALONE,
    ),
    "lm-eval local-completions, generate_until": (
        _TEXT,
        Need(Subject.MAX_TOKENS, WRONG, "Answers are longer than the task allows."),
        Need(Subject.STOP, WRONG, "Answers go on after their end."),
        *(_GREEDY, _BOS, _CUT, _ALONE),
    ),
    "lm-eval gguf": (
        _TEXT,
        Need(Subject.ARRAYS, FAILS, "It leaves out the question with a warning, and cannot sum up then."),
        Need(Subject.ECHO, WRONG, "Every choice gets the sum of nothing, so tasks score as by chance."),
        Need(Subject.BOS_ECHOED, WRONG, "It finds the answer by characters, which are shifted."),
        Need(Subject.ONE_MORE, WRONG, "It drops the last entry, which would be the answer's."),
        Need(Subject.NULLS, FAILS, "It cannot add up null."),
        *_SUMS,
        Need(Subject.OFFSETS, WRONG, "It finds the answer by text_offset."),
        Need(Subject.TOPS, WRONG, "Whether an answer is the greedy one is read there."),
        Need(Subject.EOS_AT_END, WRONG, "It drops the last entry, which would be the answer's.", may_lack=True),
        Need(Subject.STOP, WRONG, "Answers go on after their end."),
        *(_GREEDY, _BOS, _CUT),
    ),
    "Inspect, prompt_logprobs": (
        _TEXT,
        Need(Subject.PROMPT_LOGPROBS, WRONG, "Its scores are sums of these."),
        _BOS,
    ),
    "Inspect, chat": (
        Need(Subject.CHAT, FAILS),
        Need(Subject.CHAT_LOGPROBS, FAILS, "It reads logprobs.content.", may_lack=True),
    ),
    "LangChain and openai, completions": (
        _TEXT,
        Need(Subject.MAX_TOKENS, WRONG, "Answers are longer than was asked for."),
        Need(Subject.STOP, WRONG, "Answers go on after their end."),
        Need(Subject.N, WRONG, "Fewer or other answers come than were asked for.", may_lack=True),
        Need(Subject.SEED, WRONG, "Samples cannot be drawn again.", may_lack=True),
        Need(Subject.STREAM, WRONG, "Streamed answers are others.", may_lack=True),
        Need(Subject.ORDER, WRONG, "LangChain takes choices in the order in which they are listed.", may_lack=True),
        Need(Subject.ERRORS, FAILS, "What was wrong with a request cannot be told."),
        *(_GREEDY, _ALONE),
    ),
    SCORING: _ours(_OURS_SCORING, _OURS_SCORING_TOO),
    GENERATION: _ours(_OURS_GENERATION, (Subject.BOS,)),
    GENERATED_LOGPROBS: _ours(_OURS_LOGPROBS, _OURS_LOGPROBS_TOO),
}


def judge(checks: Iterable[Check]) -> tuple[Client, ...]:
    """What the checks mean for each client."""
    found = {check.name: check for check in checks}
    return tuple(_judge(name, needs, found) for name, needs in CLIENTS.items())


def _judge(name: str, needs: tuple[Need, ...], found: Mapping[str, Check]) -> Client:
    reasons: dict[Verdict, list[str]] = {FAILS: [], WRONG: []}
    own = {str(need.subject) for need in needs}
    for need in needs:
        check = found.get(str(need.subject))
        # What it needs of both is told of the one that was looked at.
        if check is None or check.rests_on in own:
            continue
        outcome = _outcome(check, found)
        if outcome is Outcome.GOOD or (outcome is Outcome.ABSENT and need.may_lack):
            continue
        why = need.why if check.outcome is Outcome.FAULT else ""
        reasons[need.then if outcome is Outcome.FAULT else FAILS].append(why or check.finding)
    # A client that stops with an error gets no numbers, wrong or right.
    verdict = next((verdict for verdict, sentences in reasons.items() if sentences), RIGHT)
    return Client(name, verdict, tuple(dict.fromkeys(reasons.get(verdict, ()))))


def _outcome(check: Check, found: Mapping[str, Check]) -> Outcome:
    """What has to be assumed of a check: if it was skipped, what the one has found on which it rests."""
    return found[check.rests_on].outcome if check.rests_on else check.outcome
