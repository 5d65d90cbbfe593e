"""What an adapter is."""

from __future__ import annotations

from typing import Protocol

from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Request


class Adapter(Protocol):
    """A way of asking. Pure but for the tokenizer: it asks no model."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The request that asks ``instance`` after the solved ``examples``, within the window."""
        ...

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The answer in the completions, one for each prompt of the request."""
        ...
