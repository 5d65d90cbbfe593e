"""synthetic_reasoning: patterns such as ``X + Y = X``, and what they become when words are put in.

After LIME (https://arxiv.org/abs/2101.06223), as HELM draws them. Three modes: find the pattern of a result, put words
into a pattern, find the pattern of two results. Like HELM's, answers of the first and third go by the names of the
symbols, which a result does not tell: "Y + X" fits where "X + Y" is meant. Of the four patterns of ``pattern_match``
more than one fits in 7 of 100 questions, so nobody can always be right.
"""

from __future__ import annotations

import random
from typing import Literal, TypeVar, get_args

from harness.scenarios.base import Data
from harness.scenarios.generated.drawing import GENERATED_SEED, Drawn, distinct

T = TypeVar("T")
Mode = Literal["pattern_match", "variable_substitution", "induction"]
MODES: tuple[Mode, ...] = get_args(Mode)

SYMBOLS = ("X", "Y", "Z")
OPERATORS = ("+", "-", "*", "=")
WORDS = (
    "badger camel donkey ferret goat hamster heron koala lizard moose otter walrus "
    "apricot cherry fig lemon lime mango melon papaya plum quince"
).split()


def instances(mode: Mode, n_train: int = 1000, n_test: int = 1000) -> Data:
    """Questions of one mode, which is their kind. HELM makes 5000 tests and asks at most 1000 of them."""
    rng = random.Random(f"{GENERATED_SEED}/synthetic_reasoning/{mode}")

    def draw() -> Drawn:
        return _draw(mode, rng)

    return distinct(f"synthetic_reasoning-{mode}", mode, (n_train, draw), (n_test, draw))


def _draw(mode: Mode, rng: random.Random) -> Drawn:
    symbols = rng.choices(SYMBOLS, k=rng.randint(2, 3))
    operators = rng.choices(OPERATORS, k=rng.randint(2, 3))
    used = sorted(set(symbols))
    pattern = _shuffled(symbols + operators, rng)
    words = _words_for(used, rng)
    result = _put_in(words, pattern)
    if mode == "induction":
        return Drawn(f"Two results: {result} | {_put_in(_words_for(used, rng), pattern)}", f"Rule: {' '.join(pattern)}")
    if mode == "variable_substitution":
        listed = " , ".join(f'{symbol} by " {text} "' for symbol, text in words.items())
        return Drawn(f"Rules: {' '.join(pattern)} | Substitutions: {listed}", result)
    # The wrong patterns have every symbol once, even where the right one repeats some; that is HELM's doing.
    patterns = [pattern, *(_shuffled(used + operators, rng) for _ in range(3))]
    rules = " | ".join(" ".join(shown) for shown in _shuffled(patterns, rng))
    return Drawn(f"Rules: {rules} | Result: {result}", " ".join(pattern))


def _words_for(symbols: list[str], rng: random.Random) -> dict[str, str]:
    """One or two words for each symbol."""
    return {symbol: " ".join(rng.choices(WORDS, k=rng.randint(1, 2))) for symbol in symbols}


def _put_in(words: dict[str, str], pattern: list[str]) -> str:
    return " ".join(words.get(part, part) for part in pattern)


def _shuffled(parts: list[T], rng: random.Random) -> list[T]:
    return rng.sample(parts, len(parts))
