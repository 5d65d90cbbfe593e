"""Which scenarios are meant: names, or names with slices of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from harness.data.table import Store
from harness.errors import UserError
from harness.names import did_you_mean
from harness.scenarios.base import Data, Scenario


def find_scenarios(selectors: Iterable[str], known: Mapping[str, Scenario]) -> list[Scenario]:
    """The scenarios of these selectors, each once, in the order in which they are first named.

    A selector is a name, such as ``mmlu``, or a name with one or several kinds of its instances, such as
    ``mmlu:anatomy+astronomy``. Several selectors of one scenario add up.

    Raises:
        UserError: a name is unknown, and the sentence offers the closest one; or there is none at all.
    """
    kinds_of: dict[str, dict[str, None] | None] = {}
    for selector in selectors:
        name, colon, kinds = selector.partition(":")
        if name not in known:
            hint = did_you_mean(name, known, "`harness scenarios` lists them")
            raise UserError(f"--scenarios: there is no scenario '{name}'; {hint}")
        named = [kind for part in kinds.split("+") if (kind := part.strip())]
        if colon and not named:
            raise UserError(f"--scenarios: '{selector}' names no slice after the colon; leave out the colon for all.")
        before = kinds_of.get(name, {})
        kinds_of[name] = None if not colon or before is None else before | dict.fromkeys(named)
    if not kinds_of:
        raise UserError("--scenarios names nothing; `harness scenarios` lists what there is.")
    return [known[name] if kinds is None else _only(known[name], tuple(kinds)) for name, kinds in kinds_of.items()]


def _only(scenario: Scenario, kinds: tuple[str, ...]) -> Scenario:
    """The scenario with those instances only. Its examples stay all there are: adapters choose among them by kind."""

    def load(store: Store) -> Data:
        data = scenario.load(store)
        known = list(dict.fromkeys(instance.kind for instance in data.test))
        for kind in kinds:
            if kind not in known:
                there_are = f"there are {', '.join(known)}" if any(known) else "it has no slices"
                raise UserError(
                    f"--scenarios: {scenario.name} has no slice '{kind}'; {did_you_mean(kind, known, there_are)}"
                )
        return Data(data.train, [instance for instance in data.test if instance.kind in kinds])

    return dataclasses.replace(scenario, load=load, n_instances=None, slices=kinds)
