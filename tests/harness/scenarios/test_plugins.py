from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.execution.known import known_scenarios
from harness.scenarios.plugins import plugin_scenarios
from harness.scenarios.table import SCENARIOS

MODULE = """
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.types import Instance, Reference

def load(store):
    return Data([], [Instance("riddles-0", "What has keys?", (Reference("a piano", True),))])

def scenario(name, method="generation", metric="exact_match"):
    return Scenario(
        name=name, description="riddles", adapters=(AdapterSpec(method=method),), metrics=(metric,), load=load
    )

RIDDLES = scenario("riddles")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package on the path, as an installer leaves it: a module, and what it is called and offers."""
    installed: list[str] = []

    def put(target: str, more: str = "", name: str = "riddle_book") -> None:
        (tmp_path / f"{name}.py").write_text(MODULE + more)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[harness.scenarios]\nall = {target}\n")
        installed.append(name)

    monkeypatch.syspath_prepend(tmp_path)
    yield put
    for name in installed:
        sys.modules.pop(name, None)


def test_without_packages_there_are_only_our_own() -> None:
    assert plugin_scenarios() == {}
    assert known_scenarios() == SCENARIOS


def test_a_package_gives_one_scenario(install: Install) -> None:
    install("riddle_book:RIDDLES")
    found = known_scenarios()
    assert [name for name in found if name not in SCENARIOS] == ["riddles"]
    assert found["riddles"].description == "riddles"


def test_a_package_gives_several_when_called(install: Install) -> None:
    install("riddle_book:every", "def every():\n    return [scenario('old_riddles'), scenario('new_riddles')]\n")
    assert [scenario.name for scenario in plugin_scenarios()["riddle_book"]] == ["old_riddles", "new_riddles"]


@pytest.mark.parametrize(
    ("target", "more", "reason"),
    [
        ("riddle_book:NOTHING", "", "module 'riddle_book' has no attribute 'NOTHING'"),
        ("riddle_bok:RIDDLES", "", "No module named 'riddle_bok'"),
        ("riddle_book:RIDDLES", "import no_such_package\n", "No module named 'no_such_package'"),
        ("riddle_book:RIDDLES", "raise RuntimeError('out of riddles.')\n", "out of riddles"),
        ("riddle_book:RIDDLES", "def broken(:\n", "invalid syntax"),
        ("riddle_book:every", "every = 3\n", "'int' object is not callable"),
        ("riddle_book:every", "def every():\n    return [3]\n", "it gave a int instead of a Scenario"),
        ("riddle_book:every", "def every():\n    raise ValueError\n", "ValueError"),
    ],
)
def test_a_broken_package_is_named_with_the_reason(target: str, more: str, reason: str, install: Install) -> None:
    install(target, more)
    with pytest.raises(UserError) as caught:
        known_scenarios()
    said = str(caught.value)
    assert said.startswith(f"The scenarios of the package riddle_book (entry point 'all') cannot be loaded: {reason}")
    assert said.endswith("; mend it or uninstall it.")


def test_a_name_that_is_taken_is_refused(install: Install) -> None:
    install("riddle_book:TAKEN", "TAKEN = scenario('world_sums')\n")
    with pytest.raises(UserError) as caught:
        known_scenarios()
    assert str(caught.value) == (
        "The package riddle_book names a scenario 'world_sums', and there is one already; choose another name."
    )


def test_two_packages_may_not_take_the_same_name(install: Install) -> None:
    install("riddle_book:RIDDLES")
    install("second_book:RIDDLES", name="second_book")
    with pytest.raises(UserError, match="names a scenario 'riddles', and there is one already"):
        known_scenarios()


def test_a_package_s_adapters_and_metrics_are_checked(install: Install) -> None:
    install("riddle_book:ODD", "ODD = scenario('odd', metric='exact_mach')\n")
    with pytest.raises(
        UserError, match=r"^The package riddle_book: there is no metric 'exact_mach'; did you mean 'exact_"
    ):
        known_scenarios()
