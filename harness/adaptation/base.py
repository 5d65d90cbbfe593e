"""What an adapter is, and the layout that all of them share."""

from __future__ import annotations

from typing import Protocol

from harness.scenarios.base import Scenario
from harness.types import Answer, Completion, Instance, Request


class Adapter(Protocol):
    """A way of asking. Pure: it talks to no endpoint."""

    def adapt(self, instance: Instance, examples: list[Instance], scenario: Scenario) -> Request:
        """The request that asks ``instance``, after the solved ``examples``."""
        ...

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The answer in the completions, one for each prompt of the request."""
        ...


def question(text: str) -> str:
    """A question up to the point where its answer is to follow, after HELM's default layout."""
    return f"Question: {text}\nAnswer:"


def with_examples(solved: list[str], asked: str) -> str:
    """Solved questions, an empty line after each, and then the one that is asked."""
    return "".join(f"{example}\n\n" for example in solved) + asked
