"""What the checks of one endpoint share: ways to ask it, and what was learned about it."""

from __future__ import annotations

import functools
import itertools
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.doctor.answers import Arrays, Broken, Choice, Refused
from harness.doctor.diagnosis import Outcome
from harness.doctor.likeness import sure_text
from harness.doctor.patient import Patient
from harness.doctor.steps import START, Grown, K, grow
from harness.doctor.subjects import Subject
from harness.serving.dialects import DETOKENIZE, TOKENIZE, Card, Detokenized, Dialect, Tokenized

PROMPT = "One two three, one two three."
"""ASCII, so that characters are bytes; nearly every vocabulary can spell it."""
PROMPTS = (PROMPT, "Four five six seven.", "The first of them went north.", "A.")
LONGEST = 16
"""Tokens of a completion that is long enough to cut, stop and stream."""


class Finding(NamedTuple):
    """What a check found."""

    outcome: Outcome
    sentence: str


def good(sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(Outcome.GOOD, sentence)


def fault(sentence: str) -> Finding:
    """It is not."""
    return Finding(Outcome.FAULT, sentence)


def absent(sentence: str) -> Finding:
    """It is not there."""
    return Finding(Outcome.ABSENT, sentence)


class Skipped(Exception):
    """A check cannot be made, for this other one is not good."""

    def __init__(self, blamed: Subject) -> None:
        super().__init__(blamed)
        self.blamed = blamed


class Specials(NamedTuple):
    """The names of special tokens, where the endpoint tells them."""

    bos: str | None
    eos: str | None


@dataclass
class Case:
    """An endpoint under examination."""

    patient: Patient
    cards: list[Card]
    context: int | None
    dialect: Dialect | None
    """How it wants to be asked for tokens; None where it cannot be asked."""
    found: dict[Subject, Outcome] = field(default_factory=dict)
    """Of all checks so far."""
    logprobs_refused: Refused | None = None
    """What it said when completions were asked for with log-probabilities."""
    nonce: str = field(default_factory=lambda: secrets.token_hex(4))
    """For prompts that nobody sent before."""

    def is_wrong(self, *subjects: Subject) -> bool:
        """Whether any of these is at fault."""
        return any(self.found.get(subject) is Outcome.FAULT for subject in subjects)

    def is_good(self, *subjects: Subject) -> bool:
        """Whether all these were looked at and are right."""
        return all(self.found.get(subject) is Outcome.GOOD for subject in subjects)

    def require(self, *subjects: Subject) -> None:
        """Go on only where all these are right.

        Raises:
            Skipped: one is not; a fault rather than what is missing.
        """
        bad = [subject for subject in subjects if not self.is_good(subject)]
        if bad:
            raise Skipped(next((subject for subject in bad if self.is_wrong(subject)), bad[0]))

    @property
    def shortest(self) -> int:
        """The fewest ``max_tokens`` at which an echo is right."""
        return 0 if self.is_good(Subject.NOTHING_MORE) else 1

    def score(self, prompt: str, k: int = 1) -> Arrays:
        """The entries of a prompt's own tokens; of ASCII, since it is found among them by their names.

        Raises:
            Refused: no echo with log-probabilities.
            Broken: what came is something else.
        """
        arrays = self.patient.complete(prompt, max_tokens=self.shortest, echo=True, logprobs=k).only.arrays
        parts = arrays.parts(prompt)
        return arrays.cut(parts.before, parts.before + parts.inside)

    def score_ids(self, prompt: list[int]) -> Arrays:
        """The entries of a prompt of token ids; raises as :meth:`score` does."""
        arrays = self.patient.complete(prompt, max_tokens=self.shortest, echo=True, logprobs=1).only.arrays
        expected = len(prompt) + self.shortest
        if len(arrays.tokens) != expected:
            raise Broken(
                f"The echo of {len(prompt)} token ids, and {self.shortest} more, has {len(arrays.tokens)} entries."
            )
        return arrays.cut(0, len(prompt))

    @functools.cached_property
    def greedy(self) -> dict[str, Choice]:
        """Greedy completions of some prompts, with alternatives if it has them; raises as :meth:`score` does."""
        return {prompt: self._generate(prompt) for prompt in (*PROMPTS, START)}

    def _generate(self, prompt: str) -> Choice:
        try:
            return self.patient.complete(prompt, max_tokens=LONGEST, logprobs=K).only
        except Refused as error:
            choice = self.patient.complete(prompt, max_tokens=LONGEST).only
            self.logprobs_refused = error
            return choice

    @property
    def prompt(self) -> str:
        """The one of them whose completion is surest."""
        return max(self.greedy, key=lambda prompt: len(sure_text(self.greedy[prompt]) or ""))

    @property
    def generated(self) -> Choice:
        """The greedy completion of that prompt."""
        return self.greedy[self.prompt]

    @functools.cached_property
    def sure(self) -> str:
        """How that completion begins in any case: up to where two tokens are about as likely, or other texts differ."""
        sure = sure_text(self.generated)
        if sure is None:
            again = [self.patient.complete(self.prompt, max_tokens=LONGEST).only.text for _ in range(2)]
            columns = zip(self.generated.text, *again, strict=False)
            sure = "".join(
                letters[0] for letters in itertools.takewhile(lambda letters: len(set(letters)) == 1, columns)
            )
        return sure

    def agrees(self, text: str) -> bool:
        """Whether a greedy completion of that prompt is as expected; where near ties cannot be seen, as a new one."""
        if text.startswith(self.sure):
            return True
        fresh = self.patient.complete(self.prompt, max_tokens=LONGEST).only.text
        return sure_text(self.generated) is None and text == fresh

    @functools.cached_property
    def echoed(self) -> Choice:
        """The prompt, echoed, and one token more, as lm-eval asks for it."""
        return self.patient.complete(PROMPT, max_tokens=1, echo=True, logprobs=1).only

    @functools.cached_property
    def scored(self) -> Arrays:
        """The entries of the prompt's tokens."""
        return self.score(PROMPT)

    @functools.cached_property
    def grown(self) -> Grown:
        """A text of which is known what was likely at each token."""
        return grow(self.patient)

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """The tokens of a text, with what stands before a prompt or without.

        Raises:
            Refused: the endpoint has no tokenizer, or refuses the text.
        """
        if self.dialect is None:
            raise Refused(404, "no /tokenize and /detokenize")
        body = self.dialect.to_tokenize(self.patient.model, text, special=special)
        return Tokenized.model_validate(self.patient.ask(TOKENIZE, body)).tokens

    def detokenize(self, tokens: list[int]) -> str:
        """The text of tokens; raises as :meth:`tokenize` does."""
        if self.dialect is None:
            raise Refused(404, "no /tokenize and /detokenize")
        body = self.dialect.to_detokenize(self.patient.model, tokens)
        return Detokenized.model_validate(self.patient.ask(DETOKENIZE, body)).text

    @functools.cached_property
    def bos(self) -> list[int]:
        """What stands before an empty text, which is what a run takes for BOS; raises as :meth:`tokenize` does."""
        return self.tokenize("", special=True)

    @property
    def adds_bos(self) -> bool:
        """Whether its tokenizer puts something before a text."""
        return self.dialect is not None and bool(self.bos)

    @functools.cached_property
    def specials(self) -> Specials:
        """By vLLM's ``/tokenizer_info`` or llama-server's ``/props``."""
        for path in ("../tokenizer_info", "../props"):
            found = self.patient.look(path)
            if isinstance(found, dict) and ("eos_token" in found or "bos_token" in found):
                names = (found.get("bos_token"), found.get("eos_token"))
                return Specials(*(name if isinstance(name, str) and name else None for name in names))
        return Specials(None, None)

    @functools.cached_property
    def eos(self) -> int | None:
        """The token that ends a generation, where the endpoint tells it."""
        if self.dialect is None or self.specials.eos is None:
            return None
        tokens = self.tokenize(self.specials.eos)
        return tokens[-1] if len(tokens) == 1 else None
