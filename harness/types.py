"""The nouns of the harness, in the order in which they come to be: instance, request, completion, answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A possible answer to an instance."""

    text: str
    is_correct: bool


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

    @property
    def gold(self) -> str:
        """The first correct reference, or an empty string."""
        return next((reference.text for reference in self.references if reference.is_correct), "")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to an endpoint for one instance: prompts that share everything else."""

    prompts: tuple[str, ...]
    max_tokens: int
    echo: bool = False
    """Whether the prompts themselves are to be scored."""
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What an endpoint returned for one prompt. The three arrays have one entry a token."""

    text: str
    tokens: tuple[str, ...]
    token_logprobs: tuple[float | None, ...]
    """Natural logarithms; None for the first token of an echoed prompt and nowhere else."""
    text_offset: tuple[int, ...]
    """Characters from the beginning of the prompt."""
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an adapter read out of the completions of one instance."""

    text: str
    """The answer in the terms of the instance: generated text, or the text of the choice that was taken."""
    logprob: float
    """Sum over the scored tokens of the answer, in nats."""
    token_logprobs: tuple[float, ...]
    """Per scored token of the answer."""
    n_bytes: int
    """UTF-8 bytes of the text that was scored."""
    prompt: str
    """The (first) prompt, for the record."""
    choice_logprobs: tuple[float, ...] = ()
    """Score of every choice, in the order of the references, where choices are scored apart."""
    valid: bool = True
    """False where the completion was no answer at all, such as a letter that no choice has."""
