"""dyck_language: close the brackets that are still open.

Dyck words are well-nested brackets of n kinds. HELM draws them from the grammar of Suzgun et al.
(https://arxiv.org/abs/1911.03329): S -> (S) with probability 1/2, all kinds alike; S -> SS with 1/4; else nothing.
Then it cuts off the end, from the closing bracket on that leaves 1 to 3 brackets open.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from harness.scenarios.base import Data
from harness.scenarios.generated.drawing import GENERATED_SEED, Drawn, distinct

PARTNERS = {"(": ")", "[": "]", "{": "}", "<": ">"}
P_NEST, P_JOIN = 0.5, 0.25
DEEPEST = 100
"""Deepest nesting of what the grammar makes."""
LONGEST = 100
"""Most brackets; a longer part, or whole, is thrown away."""
MOST_OPEN = 3
TRAIN_LENGTHS, TEST_LENGTHS = (4, 50), (52, 100)
"""Fewest and most brackets of the words that are cut."""


def instances(n_kinds: int = 3, n_train: int = 3, n_test: int = 500) -> Data:
    """Cut words of ``n_kinds`` kinds of brackets, 1 to 4; HELM's main run has three. ``3_pairs`` is their kind."""
    rng = random.Random(f"{GENERATED_SEED}/dyck_language/{n_kinds}")

    def side(lengths: tuple[int, int]) -> Callable[[], Drawn]:
        return lambda: _draw(rng, list(PARTNERS)[:n_kinds], lengths)

    train, test = side(TRAIN_LENGTHS), side(TEST_LENGTHS)
    return distinct("dyck_language", f"{n_kinds}_pairs", (n_train, train), (n_test, test))


def _draw(rng: random.Random, openings: Sequence[str], lengths: tuple[int, int]) -> Drawn:
    shortest, longest = lengths
    while True:
        word = _word(rng, openings, 0, longest)
        if len(word) < shortest:
            continue
        begun = _cut(word, rng.randint(1, MOST_OPEN))
        if begun:
            # HELM's answers begin with a space, since nothing stands between input and output.
            return Drawn(" ".join(begun), " " + " ".join(_closing(begun)))


def _word(rng: random.Random, openings: Sequence[str], depth: int, longest: int = LONGEST) -> list[str]:
    if depth > DEEPEST:
        return []
    chance = rng.random()
    word: list[str] = []
    if chance < P_NEST:
        opening = rng.choice(openings)
        word = [opening, *_word(rng, openings, depth + 1), PARTNERS[opening]]
    elif chance < P_NEST + P_JOIN:
        word = _word(rng, openings, depth) + _word(rng, openings, depth)
    return word if len(word) <= longest else []


def _cut(word: list[str], n_open: int) -> list[str]:
    """The word up to where, seen from its end, ``n_open`` more brackets were closed than opened; empty if nowhere."""
    excess = 0
    for place in reversed(range(len(word))):
        excess += -1 if word[place] in PARTNERS else 1
        if excess == n_open:
            return word[:place]
    return []


def _closing(begun: list[str]) -> list[str]:
    still_open: list[str] = []
    for bracket in begun:
        if bracket in PARTNERS:
            still_open.append(bracket)
        else:
            still_open.pop()
    return [PARTNERS[bracket] for bracket in reversed(still_open)]
