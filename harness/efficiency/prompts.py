"""Prompts for timing: as many tokens as are wanted, and never the same ones again, so that no cache knows them."""

from __future__ import annotations

import random

from harness.serving.endpoint import Endpoint

TEXT = """
The ferry leaves the harbour at seven, and most of the people on board have crossed the bay a hundred times. Some read,
some sleep, a few stand outside and watch the gulls. "It will rain before noon," says the man at the rope, as he does
on every dry day. In winter the crossing takes 40 minutes; in summer, when the current helps, hardly 25. Nobody minds.
At the other side a bus waits, the baker opens her door, and three children count the boxes that are carried ashore.
"""
"""What the tokens are drawn from; speed hardly depends on what is said."""


class Prompts:
    """Prompts in the tokens of one endpoint's model; those of equal seeds are the same."""

    def __init__(self, endpoint: Endpoint, seed: int) -> None:
        """Ask the endpoint for the tokens of a text."""
        self._begin = list(endpoint.bos)
        self._tokens = endpoint.tokenize(TEXT)
        self._rng = random.Random(seed)

    def next(self, length: int) -> list[int]:
        """A prompt of so many tokens."""
        drawn = self._rng.choices(self._tokens, k=max(1, length - len(self._begin)))
        return [*self._begin, *drawn]
