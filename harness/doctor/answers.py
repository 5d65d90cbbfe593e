"""What an endpoint answers, read with no more trust than is needed to judge it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Refused(Exception):
    """It said no: a status of 400 or above."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"status {status}" + (f": {message}" if message else ""))
        self.status = status


class Broken(Exception):
    """It said yes and answered something that cannot be read; the message is a sentence."""


class Parts(NamedTuple):
    """How many entries stand before, in and after the text of a prompt."""

    before: int
    inside: int
    after: int


@dataclass(frozen=True)
class Arrays:
    """OpenAI's four parallel arrays, one entry a token."""

    tokens: list[str]
    values: list[Any]
    """Log-probabilities: numbers or None, if all is well."""
    tops: list[dict[str, float] | None]
    """The likeliest tokens at each position; empty where the endpoint has no such array."""
    offsets: list[Any]

    @property
    def text(self) -> str:
        """What the names of the tokens add up to."""
        return "".join(self.tokens)

    def parts(self, prompt: str) -> Parts:
        """Where a prompt lies among them, by the tokens' names.

        Raises:
            Broken: the names do not add up to the prompt.
        """
        begin = self.text.find(prompt)
        if begin < 0:
            raise Broken(f"The tokens of the prompt {short(prompt)} add up to {short(self.text)}.")
        # A token may have no character, such as the space that a vocabulary puts before a text, or one of both.
        spans = list(itertools.pairwise(itertools.accumulate(map(len, self.tokens), initial=0)))
        before = sum(start < begin and end <= begin for start, end in spans)
        within = sum(start < begin + len(prompt) for start, _ in spans)
        return Parts(before, within - before, len(spans) - within)

    def cut(self, begin: int, end: int) -> Arrays:
        """Some of the entries."""
        return Arrays(self.tokens[begin:end], self.values[begin:end], self.tops[begin:end], self.offsets[begin:end])

    def begins_at(self, position: int) -> int | None:
        """Index of the token that begins at this character, by the tokens' names; None if there is none."""
        begins = itertools.accumulate(map(len, self.tokens), initial=0)
        return next((index for index, begin in enumerate(begins) if begin == position), None)


@dataclass(frozen=True)
class Choice:
    """One completion."""

    raw: Mapping[str, Any]

    @property
    def text(self) -> str:
        """What was written; empty where that is no string."""
        text = self.raw.get("text")
        return text if isinstance(text, str) else ""

    @property
    def index(self) -> int | None:
        """Which of the choices it is; None where that is no number."""
        index = self.raw.get("index")
        return index if isinstance(index, int) else None

    @property
    def finish_reason(self) -> object:
        """Why it ended."""
        return self.raw.get("finish_reason")

    @property
    def arrays(self) -> Arrays:
        """Its log-probabilities.

        Raises:
            Broken: they have not the shape of OpenAI's completions; the sentence says which they have.
        """
        found = self.raw.get("logprobs")
        if not isinstance(found, dict):
            raise Broken(f"With logprobs asked for, the answer's logprobs are {short(found)}.")
        if "content" in found and not found.get("tokens"):
            raise Broken(
                "The answer's logprobs are shaped as those of chats (content), "
                "where completions have tokens, token_logprobs, top_logprobs and text_offset."
            )
        lists = [found.get(name) for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")]
        tokens, values, tops, offsets = lists
        if not (isinstance(tokens, list) and isinstance(values, list)):
            raise Broken(
                f"The answer's logprobs have no tokens or no token_logprobs, but {', '.join(found) or 'nothing'}."
            )
        if len({len(one) for one in lists if isinstance(one, list)}) != 1:
            sizes = " and ".join(str(len(one)) for one in lists if isinstance(one, list))
            raise Broken(f"The arrays of logprobs have {sizes} entries, where each token has one in every array.")
        return Arrays(
            _all(tokens, _is_name, "tokens"),
            _all(values, _is_number, "token_logprobs"),
            _all(tops if isinstance(tops, list) else [], _are_alternatives, "top_logprobs"),
            _all(offsets if isinstance(offsets, list) else [], _is_number, "text_offset"),
        )


def _all(entries: list[Any], is_right: Callable[[Any], bool], name: str) -> list[Any]:
    for entry in entries:
        if not is_right(entry):
            raise Broken(f"{short(entry)} is an entry of {name}.")
    return entries


def _is_name(entry: object) -> bool:
    return isinstance(entry, str)


def is_number(entry: object) -> bool:
    """Whether it is a number, if perhaps no finite one."""
    return isinstance(entry, int | float) and not isinstance(entry, bool)


def _is_number(entry: object) -> bool:
    return entry is None or is_number(entry)


def _are_alternatives(entry: object) -> bool:
    return entry is None or (isinstance(entry, dict) and all(map(is_number, entry.values())))


@dataclass(frozen=True)
class Answer:
    """The answer to a completion request."""

    choices: tuple[Choice, ...]
    usage: Mapping[str, Any]

    @classmethod
    def read(cls, body: object) -> Answer:
        """An answer from its JSON.

        Raises:
            Broken: it has no choices.
        """
        choices = body.get("choices") if isinstance(body, dict) else None
        if not (isinstance(choices, list) and choices and all(isinstance(choice, dict) for choice in choices)):
            raise Broken(f"The answer has no choices: {short(body)}.")
        usage = body.get("usage") if isinstance(body, dict) else None
        return cls(tuple(map(Choice, choices)), usage if isinstance(usage, dict) else {})

    @property
    def only(self) -> Choice:
        """The one completion of one prompt.

        Raises:
            Broken: there are several.
        """
        if len(self.choices) != 1:
            raise Broken(f"One completion was asked for, and {len(self.choices)} came.")
        return self.choices[0]


def short(thing: object, most: int = 60) -> str:
    """Something from an answer, short enough for a sentence."""
    shown = repr(thing)
    return shown if len(shown) <= most else f"{shown[: most - 2]}…{shown[-1]}"
