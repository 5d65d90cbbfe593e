"""All checks of one endpoint, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pydantic

from harness.doctor import alignment, batches, echo, extensions, generation, specials, text, tokens
from harness.doctor.answers import Broken, Refused
from harness.doctor.case import Case, Finding, Skipped, absent, fault, good
from harness.doctor.clients import judge
from harness.doctor.diagnosis import Check, Diagnosis, Outcome
from harness.doctor.patient import Patient
from harness.doctor.subjects import Subject
from harness.errors import RunError
from harness.serving.dialects import choose_card, find_dialect, read_cards, read_context


class Step(NamedTuple):
    """One check, and those without which it would say nothing, or only the same."""

    subject: Subject
    make: Callable[[Case], Finding | None]
    """None where the endpoint gives no occasion to see."""
    needs: tuple[Subject, ...] = ()
    """All of these must be good."""
    unless: tuple[Subject, ...] = ()
    """None of these may be at fault."""


def _shape(case: Case) -> Finding:
    """Log-probabilities as OpenAI's completions have them."""
    if case.logprobs_refused:
        raise case.logprobs_refused
    arrays = case.generated.arrays
    return good(f"The logprobs of {len(arrays.tokens)} generated tokens are parallel arrays.")


_TEXT = (Subject.COMPLETIONS,)
_GREEDY = (Subject.GREEDY,)
_ARRAYS = (Subject.ARRAYS,)
_GENERATED = (Subject.ARRAYS, Subject.GENERATED_VALUES)
_ECHO = (Subject.ARRAYS, Subject.ECHO)
_PLAIN_ECHO = (*_ECHO, Subject.BOS_ECHOED)
_STEADY = (*_ECHO, Subject.NULLS, Subject.VALUES, Subject.TWICE)
_ROUND_TRIP = (Subject.ROUND_TRIP,)
STEPS = (
    Step(Subject.MODELS, generation.models),
    Step(Subject.COMPLETIONS, generation.completions),
    Step(Subject.ARRAYS, _shape, _TEXT),
    Step(Subject.GREEDY, generation.greedy, _TEXT),
    Step(Subject.MAX_TOKENS, generation.max_tokens, _TEXT),
    Step(Subject.STOP, generation.stop, _GREEDY),
    Step(Subject.N, generation.several, _TEXT),
    Step(Subject.BEST_OF, generation.best_of, _GREEDY),
    Step(Subject.SEED, generation.seed, _GREEDY),
    Step(Subject.STREAM, generation.stream, _GREEDY),
    Step(Subject.GENERATED_VALUES, alignment.generated_values, _ARRAYS),
    Step(Subject.GENERATED_TOPS, alignment.generated_tops, _ARRAYS),
    Step(Subject.GENERATED_ALIGNMENT, alignment.generated_alignment, _GENERATED),
    Step(Subject.ECHO, echo.echo, _TEXT),
    Step(Subject.BOS_ECHOED, echo.bos_echoed, _ECHO),
    Step(Subject.NOTHING_MORE, echo.nothing_more, _ECHO),
    Step(Subject.ONE_MORE, echo.one_more, _ECHO),
    Step(Subject.NULLS, echo.nulls, _ECHO),
    Step(Subject.VALUES, echo.values, _ECHO),
    Step(Subject.TWICE, echo.twice, (*_ECHO, Subject.VALUES)),
    Step(Subject.PREFIX, echo.prefix, _STEADY),
    Step(Subject.ALIGNMENT, alignment.aligned, _STEADY),
    Step(Subject.TOPS, alignment.tops, _STEADY, (Subject.ALIGNMENT,)),
    Step(Subject.OFFSETS, text.offsets, _PLAIN_ECHO),
    Step(Subject.PARTIAL, text.partial, _PLAIN_ECHO),
    Step(Subject.BATCH, batches.batch, _TEXT),
    Step(Subject.ORDER, batches.order, (Subject.BATCH,)),
    Step(Subject.ROUND_TRIP, tokens.round_trip, _TEXT),
    Step(Subject.COUNTS, tokens.counts, _TEXT),
    Step(Subject.IDS, tokens.ids, _TEXT, _ROUND_TRIP),
    Step(Subject.BOS, specials.bos, _ROUND_TRIP),
    Step(Subject.BOS_SPELLED, specials.bos_spelled, (*_STEADY, Subject.BOS_ECHOED), (Subject.ALIGNMENT, Subject.BOS)),
    Step(Subject.EOS_INSIDE, specials.eos_inside, (*_ECHO, *_ROUND_TRIP, Subject.IDS)),
    Step(Subject.EOS_AT_END, specials.eos_at_end, _ARRAYS),
    Step(Subject.HELM_TOKENIZER, tokens.helm, _TEXT),
    Step(Subject.LM_EVAL_TOKENIZER, tokens.lm_eval, _TEXT),
    Step(Subject.PROMPT_LOGPROBS, extensions.prompt_logprobs, _TEXT),
    Step(Subject.CHAT, extensions.chat),
    Step(Subject.CHAT_LOGPROBS, extensions.chat_logprobs, (Subject.CHAT,)),
    Step(Subject.TOO_LONG, extensions.too_long, _TEXT),
    Step(Subject.ERRORS, extensions.errors, _TEXT),
)


def examine(url: str, model: str | None, key: str | None, say: Callable[[str], None]) -> Diagnosis:
    """Ask an endpoint questions whose answers are known, and see what the answers mean for its clients.

    A check is skipped where another has found what it rests on missing or wrong.

    Args:
        url: of the API, with ``/v1`` or without.
        model: which of its models; None where it has one.
        key: sent as a bearer token.
        say: told what is looked at.

    Raises:
        UserError: the URL, the model or the key is wrong.
        RunError: there is no endpoint, or it broke off.
    """
    with Patient(url, key) as patient:
        cards = read_cards(patient.look)
        card = choose_card(
            list({card.id: card for card in cards}.values()), model, patient.url, f"name one as {patient.url}#MODEL"
        )
        patient.model = card.id
        case = Case(patient, cards, read_context(patient.look, card), find_dialect(patient.look, card.id))
        checks: dict[Subject, Check] = {}
        for step in STEPS:
            say(step.subject)
            check = _check(step, case, checks)
            if check:
                case.found[step.subject] = check.outcome
                checks[step.subject] = check
    if not case.is_good(Subject.COMPLETIONS) and not case.is_good(Subject.CHAT):
        raise RunError(f"{patient.url} answers neither completions nor chats: {checks[Subject.COMPLETIONS].finding}")
    return Diagnosis(patient.url, patient.model, case.context, tuple(checks.values()), judge(checks.values()))


def _check(step: Step, case: Case, checks: Mapping[Subject, Check]) -> Check | None:
    """What comes of a step; None where the endpoint gives no occasion to see."""
    try:
        case.require(*step.needs)
        case.require(*(subject for subject in step.unless if case.is_wrong(subject)))
        finding = _make(step, case)
    except Skipped as error:
        blamed = checks[error.blamed]
        root = checks[Subject(blamed.rests_on or blamed.name)]
        sentence = f"{step.subject} was not looked at, for it rests on {root.name}: {root.finding}"
        return Check(str(step.subject), Outcome.SKIPPED, sentence, root.name)
    return Check(str(step.subject), finding.outcome, finding.sentence) if finding else None


def _make(step: Step, case: Case) -> Finding | None:
    """What a check finds, refusals and unreadable answers too."""
    try:
        return step.make(case)
    except Refused as error:
        return absent(f"{step.subject} is refused with {str(error).rstrip('.')}.")
    except Broken as error:
        return fault(str(error))
    except pydantic.ValidationError as error:
        return fault(f"The answer is something else than was asked for: {error.errors()[0]['msg']}.")
