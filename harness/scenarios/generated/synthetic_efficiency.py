"""synthetic_efficiency: texts of several lengths to go on from, which show what a prompt's length costs in time.

HELM cuts books to 1, 256, 512, 1024 and 1536 tokens of each model's own tokenizer. Here texts about the bundled world
are cut by words, three quarters as many, so that all models get the same text; tokens are counted where it is sent.
"""

from __future__ import annotations

import random

from harness.scenarios.base import Data
from harness.scenarios.generated.drawing import GENERATED_SEED
from harness.scenarios.world.corpus import passages
from harness.scenarios.world.facts import build_world
from harness.types import Instance, Reference

N_WORDS = (1, 192, 384, 768, 1152)
N_PASSAGES = 60
"""Enough for the longest text."""


def instances(n_each: int = 10) -> Data:
    """``n_each`` texts of every length, which is their kind (``1152_words``). Their answer is empty, as in HELM."""
    world, rng = build_world(), random.Random(f"{GENERATED_SEED}/synthetic_efficiency")
    found: list[Instance] = []
    for n_words in N_WORDS:
        starts: set[str] = set()
        while len(starts) < n_each:
            words = " ".join(passages(world, rng, N_PASSAGES)).split()[:n_words]
            text = " ".join(words)
            if text not in starts:
                name = f"synthetic_efficiency-{n_words}-{len(starts):04}"
                found.append(Instance(name, text, (Reference("", True),), f"{n_words}_words"))
                starts.add(text)
    return Data([], found)
