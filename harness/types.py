"""The nouns of the harness, in the order in which they come to be: instance, request, completion, answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Reference:
    """A possible answer to an instance."""

    text: str
    is_correct: bool
    explanation: str = ""
    """How one gets there, step by step: what an example shows before its answer where the model is to reason."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One thing that is asked, before it is decided how."""

    id: str
    """Unique in its scenario and the same in every run, so that models can be paired by it."""
    input: str
    references: tuple[Reference, ...] = ()
    """All choices of a multiple-choice question, or the right answers of an open one; none for running text."""
    kind: str = ""
    """Slice that the instance belongs to (relation, subject ...)."""
    perturbation: str = ""
    """What was done to the instance; empty for the original, which has the same ``id``."""
    group: str = ""
    """Instances that share a subject or a document are of one group, and their errors go together; empty where each
    stands alone."""
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else the scenario's own adapter or metric needs, such as the rules that IFEval checks."""

    @property
    def gold(self) -> str:
        """The first correct reference, or an empty string."""
        return next(iter(self.golds), "")

    @property
    def right(self) -> tuple[int, ...]:
        """Which references are correct, counted from 0."""
        return tuple(index for index, reference in enumerate(self.references) if reference.is_correct)

    @property
    def golds(self) -> tuple[str, ...]:
        """All correct references."""
        return tuple(self.references[index].text for index in self.right)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt, of text or of token ids, and which part of it is to be scored."""

    context: str | tuple[int, ...]
    continuation: str | tuple[int, ...] = ""
    """Of the same kind as the context. Empty where the model is to go on by itself."""

    @property
    def whole(self) -> str | list[int]:
        """What is sent."""
        if isinstance(self.context, str):
            return f"{self.context}{self.continuation or ''}"
        return [*self.context, *(token for token in self.continuation if isinstance(token, int))]


Normalization = Literal["token", "none", "character"]
"""What log-probabilities of choices are divided by before they are compared."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to an endpoint for one instance: prompts that share everything else."""

    prompts: tuple[Prompt, ...]
    max_tokens: int
    echo: bool = False
    """Whether the prompts' continuations are to be scored, instead of having the model go on."""
    stop: tuple[str, ...] = ()
    top_k: int = 0
    """How many of the likeliest tokens are wanted at each position, beside the one that stands there."""
    n_examples: int = 0
    """Solved examples that stand before the question."""
    n_dropped: int = 0
    """Examples that were left out to fit the context."""
    n_cut: int = 0
    """Tokens of the input that were cut off to fit the context."""
    normalization: Normalization = "token"
    """Of choices that are scored apart."""
    labels: tuple[str, ...] = ()
    """What the choices are called, where the answer is one of these."""
    shown: str | None = None
    """The prompt for people, where the prompts are token ids."""
    prediction: tuple[int, ...] = ()
    """Token ids that the model may generate: it changes no answer, but one that it gets right comes sooner."""

    @property
    def text(self) -> str:
        """The first prompt in words, or what its token ids look like."""
        whole = self.prompts[0].whole if self.shown is None else self.shown
        return whole if isinstance(whole, str) else " ".join(map(str, whole))


@dataclass(frozen=True, slots=True)
class Completion:
    """What an endpoint returned for one prompt. The arrays have one entry a token."""

    text: str
    tokens: tuple[str, ...]
    token_logprobs: tuple[float | None, ...]
    """Natural logarithms; None for the first token of an echoed prompt, and for others that were not to be scored."""
    text_offset: tuple[int, ...]
    """Characters from the beginning of the prompt."""
    finish_reason: str
    top_logprobs: tuple[float | None, ...] = ()
    """Log-probability of the likeliest token at each position; empty where the endpoint sent none."""
    generated: tuple[int, ...] = ()
    """Ids of all tokens that were generated, those of a stop sequence and of the end included; empty where the endpoint
    does not tell them."""
    has_logprobs: bool = True
    """False where the endpoint gives none for what it generates: then nothing is known of the tokens."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an adapter read out of the completions of one instance."""

    text: str
    """The answer in the terms of the instance: generated text, or the text of the choice that was taken."""
    logprob: float
    """Sum over the scored tokens of the answer, in nats; NaN where that is not known."""
    token_logprobs: tuple[float, ...]
    """Per scored token of the answer."""
    n_bytes: int
    """UTF-8 bytes of the text that was scored."""
    choice_logprobs: tuple[float, ...] = ()
    """What every choice (or passage) is ranked by, in the order of the references, where they are scored apart."""
    choice_lengths: tuple[int, ...] = ()
    """What these are divided by before they are compared; empty where there are none, and where each is 1."""
    chosen: tuple[int, ...] = ()
    """Indices of the references that were taken: one, or all those that tie for the best; empty for open answers."""
    is_greedy: bool | None = None
    """Whether greedy decoding would have said just this; None where that is not known."""
    valid: bool = True
    """False where the completion was no answer at all, such as a letter that no choice has."""
    tokens: tuple[str, ...] = ()
    """Names of the tokens whose log-probabilities ``token_logprobs`` has."""
