"""What the doctor finds: checks of an endpoint, and what they mean for its clients."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from harness.doctor.subjects import Subject

Verdict = Literal["right", "wrong numbers", "fails"]
"""What a client gets: right answers; wrong ones without a word; an error."""

OURS = "quant-harness"
SCORING = f"{OURS}, scoring"
GENERATION = f"{OURS}, generation"
GENERATED_LOGPROBS = f"{OURS}, log-probabilities of answers"
"""The uses that this harness itself makes of an endpoint: entries of its table of clients."""


class Outcome(StrEnum):
    """Of one check."""

    GOOD = "good"
    FAULT = "fault"
    """It answers, and wrongly; or breaks a promise of the API without saying so."""
    ABSENT = "not offered"
    """It refuses, or has no such route: no client gets a wrong number from that."""
    SKIPPED = "not looked at"
    """It rests on another check, which is not good."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    outcome: Outcome
    finding: str
    """One sentence: what was sent and what came back."""
    rests_on: str | None = None
    """Of one that was skipped: the check to blame, which was made."""


@dataclass(frozen=True)
class Client:
    """What the endpoint's faults mean for one way of using it."""

    name: str
    verdict: Verdict
    reasons: tuple[str, ...]
    """Sentences; none where the verdict is "right"."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found out about one endpoint."""

    url: str
    """Of its API, which ends in ``/v1``; without a user's name and password."""
    model: str
    context: int | None
    """Tokens that a prompt and its answer may have together, where it says so."""
    checks: tuple[Check, ...]
    clients: tuple[Client, ...]

    @property
    def is_sound(self) -> bool:
        """Whether all that it offers is right."""
        return all(check.outcome is not Outcome.FAULT for check in self.checks)

    @property
    def cannot_score(self) -> str | None:
        """Why prompts cannot be scored there, as a sentence; None if they can, rightly."""
        return self._why_not(SCORING)

    @property
    def cannot_generate(self) -> str | None:
        """Why greedy answers cannot be had there, as a sentence; None if they can, rightly."""
        return self._why_not(GENERATION)

    @property
    def no_logprobs(self) -> str | None:
        """Why log-probabilities of generated text are not usable, as a sentence; None if they are."""
        return self._why_not(GENERATED_LOGPROBS)

    @property
    def no_token_ids(self) -> str | None:
        """Why prompts cannot be token ids, as a sentence; None if they can, and are taken as they are."""
        check = next((check for check in self.checks if check.name == Subject.IDS), None)
        if check is None:
            return "Whether prompts of token ids are taken as they are could not be looked at."
        return None if check.outcome is Outcome.GOOD else check.finding

    def record(self) -> dict[str, Any]:
        """The diagnosis as JSON has it."""
        return {
            "url": self.url,
            "model": self.model,
            "context": self.context,
            "sound": self.is_sound,
            "checks": [vars(check) for check in self.checks],
            "clients": [{**vars(client), "reasons": list(client.reasons)} for client in self.clients],
        }

    def _why_not(self, use: str) -> str | None:
        reasons = [reason for client in self.clients if client.name == use for reason in client.reasons]
        return reasons[0] if reasons else None
