"""What an adapter is."""

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
