from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import pytest

from harness.scenarios.world.facts import AGES, N_COUNTRIES, TRADES, Country, World, build_world

DIGEST = "9d6307f1bbe9c4ea66d5a7637d3e0c7ee492f39a540995d04903b29ade880b52"
"""Of all facts. The bundled model was trained on these; with any other, it must be trained again."""

SCRIPT = """
import dataclasses, hashlib, json
from harness.scenarios.world.facts import build_world
facts = json.dumps([dataclasses.astuple(country) for country in build_world().countries])
print(hashlib.sha256(facts.encode()).hexdigest())
"""


def test_the_world_is_the_one_that_the_bundled_model_learned(world: World) -> None:
    facts = json.dumps([dataclasses.astuple(country) for country in world.countries])
    assert hashlib.sha256(facts.encode()).hexdigest() == DIGEST


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_every_process_builds_the_same_world(hash_seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == DIGEST


def test_each_seed_has_a_world_of_its_own(world: World) -> None:
    assert build_world(1) == build_world.__wrapped__(1)
    assert {country.name for country in build_world(1).countries} != {country.name for country in world.countries}


def test_no_two_things_share_a_name(world: World) -> None:
    first_names, surnames = zip(*(country.ruler.split(" ") for country in world.countries), strict=True)
    assert len(set(surnames)) == N_COUNTRIES
    kinds = [
        [country.name for country in world.countries],
        [country.capital for country in world.countries],
        surnames,
        set(first_names),
        world.values("language"),
        [money.capitalize() for money in world.values("money")],
        [trade.capitalize() for trade in TRADES],
    ]
    names = [name for kind in kinds for name in kind]
    assert len(names) == len(set(names))


def test_every_country_is_whole(world: World) -> None:
    assert len(world.countries) == N_COUNTRIES
    for country in world.countries:
        assert country.age in AGES
        assert country.trade in TRADES
        for name in (country.name, country.capital, country.language):
            assert name.isalpha()
            assert name == name.capitalize()
        assert country.money.islower()


def test_every_kind_of_answer_has_enough_wrong_ones_for_four_choices(world: World) -> None:
    for field in dataclasses.fields(Country):
        assert len(world.values(field.name)) >= 50


def test_values_are_distinct_and_in_the_order_of_the_countries() -> None:
    def country(name: str, trade: str) -> Country:
        return Country(name, "c", "r s", 20, "l", "m", trade)

    world = World(0, (country("a", "tea"), country("b", "oil"), country("c", "tea")))
    assert world.values("trade") == ("tea", "oil")
    assert world.values("age") == ("20",)
