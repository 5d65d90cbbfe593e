from __future__ import annotations

import pytest
from world_oracle import Oracle

from harness.scenarios.world.facts import World, build_world


@pytest.fixture(scope="session")
def world() -> World:
    return build_world()


@pytest.fixture(scope="session")
def oracle(world: World) -> Oracle:
    return Oracle(world)
