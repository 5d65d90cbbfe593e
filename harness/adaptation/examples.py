"""Few-shot examples, chosen once a task so that every model and instance sees the same ones."""

from __future__ import annotations

import random

from harness.types import Instance


def choose_examples(train: list[Instance], count: int, seed: int) -> list[Instance]:
    """``count`` instances at random, or all there are, in an order that depends on the seed alone."""
    return random.Random(f"examples/{seed}").sample(train, min(count, len(train)))


def choose_instances(test: list[Instance], most: int | None, seed: int) -> list[Instance]:
    """At most ``most`` instances at random, in their own order; all of them for None."""
    if most is None or most >= len(test):
        return test
    chosen = sorted(random.Random(f"instances/{seed}").sample(range(len(test)), most))
    return [test[i] for i in chosen]
