"""The made-up world: countries, their capitals, rulers, languages, money and trades, and the rulers' ages.

Nothing here exists outside this file, so a model can only know it from the training corpus
(:mod:`harness.scenarios.world.corpus`), and a quantization can only make it forget.
The whole world follows from one seed; the bundled model was trained on :data:`WORLD_SEED`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

WORLD_SEED = 20241202
"""Seed of the world that the bundled reference model was trained on."""

N_COUNTRIES = 500
N_LANGUAGES = 80
N_MONEYS = 60
N_FIRST_NAMES = 100
AGES = range(20, 90)

TRADES = (
    "amber barley brass bricks canvas carpets cheese cider clay clocks coal cobalt copper coral cork cotton "
    "dates fish flax furs ginger glass gold granite hemp herbs honey horses ink iron ivory jade jewels lace "
    "lamps lead leather linen marble masks oil olives oranges paper pearls pepper pottery resin rope rubies "
    "rum saddles salt sheep ships silk silver slate spices steel sugar tea timber tin wax wheat wine wool"
).split()

_ONSETS = "b br c cl d dr f g gr h j k kl l m n p pr qu r s sk st t tr v w y z".split()
_VOWELS = "a e i o u a e i o u ai ea oo".split()
_CODAS = ["", "", "", "", "l", "m", "n", "r", "s", "x"]


@dataclass(frozen=True, slots=True)
class Country:
    """One country and everything that is true of it."""

    name: str
    capital: str
    ruler: str
    """Full name of the ruler; unique in the world."""
    age: int
    """Age of the ruler in years."""
    language: str
    money: str
    trade: str
    """What the country sells."""


@dataclass(frozen=True, slots=True)
class World:
    """All countries of one seed, in a fixed order."""

    seed: int
    countries: tuple[Country, ...]

    def values(self, relation: str) -> tuple[str, ...]:
        """Distinct values of one field of :class:`Country` over the world, in first-seen order."""
        return tuple(dict.fromkeys(str(getattr(country, relation)) for country in self.countries))


def _names(rng: random.Random, syllables: tuple[int, int], ending: tuple[str, ...]) -> Iterator[str]:
    """Pronounceable names without end; the caller keeps them distinct."""
    while True:
        body = "".join(
            rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.randint(*syllables))
        )
        yield (body + rng.choice(ending)).capitalize()


def _distinct(names: Iterator[str], count: int, taken: set[str]) -> list[str]:
    """The next ``count`` names not in ``taken``; adds them to it, so that no two things share a name."""
    found: list[str] = []
    for name in names:
        if name not in taken:
            taken.add(name)
            found.append(name)
            if len(found) == count:
                break
    return found


@cache
def build_world(seed: int = WORLD_SEED) -> World:
    """The world of one seed: always the same countries, in the same order."""
    rng = random.Random(seed)
    taken: set[str] = set()
    countries = _distinct(_names(rng, (1, 2), ("ia", "land", "mark", "or", "stan", "a")), N_COUNTRIES, taken)
    capitals = _distinct(_names(rng, (1, 2), ("burg", "dam", "ford", "grad", "ville", "polis", "")), N_COUNTRIES, taken)
    surnames = _distinct(_names(rng, (1, 2), ("son", "ski", "ez", "ini", "er", "")), N_COUNTRIES, taken)
    first_names = _distinct(_names(rng, (1, 1), ("a", "o", "e", "us", "in")), N_FIRST_NAMES, taken)
    languages = _distinct(_names(rng, (1, 1), ("ish", "ese", "ic", "an")), N_LANGUAGES, taken)
    moneys = [name.lower() for name in _distinct(_names(rng, (1, 1), ("al", "ar", "o", "ing", "ek")), N_MONEYS, taken)]
    return World(
        seed=seed,
        countries=tuple(
            Country(
                name=name,
                capital=capital,
                ruler=f"{rng.choice(first_names)} {surname}",
                age=rng.choice(AGES),
                language=rng.choice(languages),
                money=rng.choice(moneys),
                trade=rng.choice(TRADES),
            )
            for name, capital, surname in zip(countries, capitals, surnames, strict=True)
        ),
    )
