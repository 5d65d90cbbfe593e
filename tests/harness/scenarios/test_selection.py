from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.mirror import Mirror
from harness.data.table import Store, Table
from harness.errors import UserError
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.selection import find_scenarios
from harness.scenarios.suites import DEFAULT_SUITE, SUITES, suite, suite_names, suites_of
from harness.scenarios.table import SCENARIOS
from harness.types import Instance

KINDS = ("anatomy", "astronomy", "virology", "")
FAR = Table("far/away", "default", "test", "any")


def make(name: str, *kinds: str, tables: tuple[Table, ...] = ()) -> Scenario:
    def load(_store: Store) -> Data:
        return Data([Instance("t", "t", kind=kinds[-1])], [Instance(f"{i}", "?", kind=k) for i, k in enumerate(kinds)])

    spec = AdapterSpec(method="generation")
    return Scenario(name=name, description=name, adapters=(spec,), metrics=("exact_match",), load=load, tables=tables)


KNOWN = {one.name: one for one in (make("mmlu", *KINDS, "anatomy"), make("piqa", ""), make("far", "", tables=(FAR,)))}


def kinds(scenario: Scenario, folder: Path) -> list[str]:
    return [instance.kind for instance in scenario.load(Mirror(folder)).test]


def test_scenarios_are_found_in_the_order_asked_and_once() -> None:
    assert find_scenarios(["piqa", "mmlu", "piqa"], KNOWN) == [KNOWN["piqa"], KNOWN["mmlu"]]


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["mmlu:anatomy"], ["anatomy", "anatomy"]),
        (["mmlu:virology+anatomy"], ["anatomy", "virology", "anatomy"]),
        (["mmlu:virology", "piqa", "mmlu: astronomy "], ["astronomy", "virology"]),
        (["mmlu:virology", "mmlu"], [*KINDS, "anatomy"]),
        (["mmlu", "mmlu:virology"], [*KINDS, "anatomy"]),
    ],
)
def test_slices_add_up(selectors: list[str], expected: list[str], tmp_path: Path) -> None:
    found = find_scenarios(selectors, KNOWN)[0]
    assert found.name == "mmlu"
    assert kinds(found, tmp_path) == expected
    assert len(found.load(Mirror(tmp_path)).train) == 1


@given(st.lists(st.sampled_from(["mmlu", *(f"mmlu:{kind}" for kind in KINDS if kind)]), min_size=1))
def test_any_slices_are_what_is_asked_together(selectors: list[str]) -> None:
    (found,) = find_scenarios(selectors, KNOWN)
    wanted = set(KINDS) if "mmlu" in selectors else {selector.partition(":")[2] for selector in selectors}
    assert set(kinds(found, Path("."))) == wanted


@pytest.mark.parametrize(
    ("selectors", "sentence"),
    [
        (["mmul"], "--scenarios: there is no scenario 'mmul'; did you mean 'mmlu'?"),
        (["zzz"], "--scenarios: there is no scenario 'zzz'; `harness scenarios` lists them."),
        ([], "--scenarios names nothing; `harness scenarios` lists what there is."),
        (["mmlu:"], "--scenarios: 'mmlu:' names no slice after the colon; leave out the colon for all."),
    ],
)
def test_names_that_are_no_scenario(selectors: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        find_scenarios(selectors, KNOWN)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        ("mmlu:anatomie", "--scenarios: mmlu has no slice 'anatomie'; did you mean 'anatomy'?"),
        ("piqa:easy", "--scenarios: piqa has no slice 'easy'; it has no slices."),
    ],
)
def test_slices_that_are_none(selector: str, sentence: str, tmp_path: Path) -> None:
    (found,) = find_scenarios([selector], KNOWN)
    with pytest.raises(UserError) as caught:
        found.load(Mirror(tmp_path))
    assert str(caught.value) == sentence


def test_offline_is_whatever_is_here(tmp_path: Path) -> None:
    store = Mirror(tmp_path)
    assert suite("offline", KNOWN, store) == ("mmlu", "piqa")
    path = tmp_path / "far" / "away" / "default" / "test.parquet"
    path.parent.mkdir(parents=True)
    path.touch()
    assert suite("offline", KNOWN, store) == ("mmlu", "piqa", "far")


def test_a_suite_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        suite("light", KNOWN, Mirror(tmp_path))
    assert str(caught.value) == "--suite: there is no suite 'light'; did you mean 'lite'?"
    with pytest.raises(UserError, match=r"^--suite: there is no suite 'x'; there are world, .*, offline\.$"):
        suite("x", KNOWN, Mirror(tmp_path))


@pytest.mark.parametrize("name", SUITES)
def test_suites_name_scenarios_that_there_are(name: str, tmp_path: Path) -> None:
    found = find_scenarios(suite(name, SCENARIOS, Mirror(tmp_path)), SCENARIOS)
    assert len(found) == len(SUITES[name])


def test_suites_of_a_scenario() -> None:
    assert suites_of("mmlu") == ["lite", "classic", "gguf"]
    assert suites_of("world_sums") == [DEFAULT_SUITE]
    assert suites_of("my_own") == []
    assert suite_names()[-1] == "offline"


def test_lite_asks_helm_s_five_subjects() -> None:
    (mmlu,) = (selector for selector in SUITES["lite"] if selector.startswith("mmlu"))
    assert mmlu.partition(":")[2].count("+") == 4
