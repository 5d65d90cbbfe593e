"""Few-shot examples, chosen once a task so that every model sees the same ones; and the instances to be asked."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

from harness.scenarios.base import AdapterSpec
from harness.types import Instance


def choose_examples(train: list[Instance], spec: AdapterSpec, seed: int, trial: int = 0) -> list[Instance]:
    """``spec.n_shots`` examples, or all there are, as HELM chooses them (``InContextLearningAdapter.sample_examples``).

    Classes (texts of the first correct reference) are passed through in turn, the most frequent first, and one example
    of each is drawn; those without a correct reference come last. With equal seed and equal order of ``train`` the draw
    is HELM's own, whose seed is the number of the trial.
    """
    count = min(spec.n_shots, len(train))
    if not spec.sample_train:
        # The next ones in each trial; after the last comes the first again, where HELM runs out of them.
        return [train[(count * trial + i) % len(train)] for i in range(count)]
    rng = random.Random(seed + trial)
    of_class: dict[str, list[Instance]] = defaultdict(list)
    for instance in train:
        if instance.golds:
            of_class[instance.gold].append(instance)
    by_size: dict[int, list[str]] = defaultdict(list)
    for label in sorted(of_class):
        by_size[len(of_class[label])].append(label)
    labels: list[str] = []
    for size in sorted(by_size, reverse=True):
        rng.shuffle(by_size[size])
        labels += by_size[size]
    chosen: list[Instance] = []
    labelled = sum(map(len, of_class.values()))
    for label in itertools.cycle(labels):
        if len(chosen) == min(count, labelled):
            break
        if of_class[label]:
            chosen.append(of_class[label].pop(rng.randrange(len(of_class[label]))))
    return chosen + rng.sample([instance for instance in train if not instance.golds], count - len(chosen))


def choose_instances(test: list[Instance], most: int | None, seed: int) -> list[Instance]:
    """At most ``most`` instances at random, in their own order; all of them for None."""
    if most is None or most >= len(test):
        return test
    chosen = sorted(random.Random(f"instances/{seed}").sample(range(len(test)), most))
    return [test[i] for i in chosen]
