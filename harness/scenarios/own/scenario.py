"""A scenario from a YAML file."""

from __future__ import annotations

import dataclasses
import hashlib
import statistics
from pathlib import Path

from harness.data.table import Store, Table
from harness.errors import MissingTable
from harness.layout import QUESTION, RANKING, Layout
from harness.methods import METHODS
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.own.config import OwnConfig, Source, read_config
from harness.scenarios.own.instances import Recipe
from harness.scenarios.own.rows import PlacedRow, file_rows, placed
from harness.types import Instance

LONGEST = {"text": 100, "reasons": 1024}
"""Tokens of the longest answer by what the model writes, if the file does not say and it is more than a label."""


def load_scenario_file(path: Path) -> Scenario:
    """The scenario that a YAML file describes. Files of data are read at once, tables of the Hub when it is asked.

    Raises:
        UserError: one sentence on what is wrong in the YAML file or the data, with the file, the row and the field.
    """
    config = read_config(path)
    recipe = Recipe(path, config)
    sources = [("", config.data), *([("t", config.examples_source)] if config.examples_source else [])]
    local = {side: _Local(path, source) for side, source in sources if source.path}
    # Read before anything else is done, so that a fault in the last row does not come after hours.
    read = {side: recipe.instances(file.rows, side) for side, file in local.items()}
    tables = {side: _table(source) for side, source in sources if source.hub}

    def load(store: Store) -> Data:
        def instances(side: str) -> list[Instance]:
            if side in read:
                return read[side]
            table = tables.get(side)
            if table is None or (side and not store.has(table)):
                return []
            return recipe.instances(placed(store.rows(table), str(table)), side)

        found = Data(instances("t"), instances(""))
        if not found.test:
            raise MissingTable(f"{tables['']} has no rows", "name another split of it")
        return found

    return Scenario(
        name=config.name,
        description=config.description or f"what {path.name} asks",
        adapters=tuple(_adapter(config, method) for method in config.adapter),
        metrics=config.metrics,
        load=load,
        tables=tuple(table for side, table in tables.items() if not side),
        example_tables=tuple(table for side, table in tables.items() if side),
        made_from=", ".join(
            [f"{path.name} sha256 {_sha256(path)}", *(file.made_from for file in local.values())]
            + [f"{table} @ {table.revision}" for table in tables.values()]
        ),
        guess_rate=_guess_rate(config, read.get("", [])),
    )


class _Local:
    """A file of data."""

    def __init__(self, yaml: Path, source: Source) -> None:
        path = yaml.parent / Path(source.path or "").expanduser()
        self.rows: list[PlacedRow] = file_rows(path)
        self.made_from = f"{path.name} sha256 {_sha256(path)}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _table(source: Source) -> Table:
    return Table(source.hub or "", source.config, source.split, source.revision)


def _adapter(config: OwnConfig, method: str) -> AdapterSpec:
    # Whether there is such an adapter at all is checked where scenarios of all origins are.
    known = METHODS.get(method)
    writes = known.writes if known else "label"
    longest = LONGEST.get(writes, AdapterSpec(method=method).max_tokens)
    stop = () if writes == "reasons" else ("\n",)
    return AdapterSpec(
        method=method,
        layout=_layout(config, RANKING if known and known.needs == "passages" else QUESTION),
        n_shots=config.shots,
        examples_by_kind=config.examples_by_kind,
        sample_train=config.sample_train,
        max_tokens=config.max_tokens or longest,
        stop=stop if config.stop is None else config.stop,
    )


def _layout(config: OwnConfig, base: Layout) -> Layout:
    """The layout with the file's changes. Instructions end with a line break, as HELM's do."""
    layout = dataclasses.replace(base, **config.layout)
    broken = layout.instructions and not layout.instructions.endswith("\n")
    return dataclasses.replace(layout, instructions=f"{layout.instructions}\n") if broken else layout


def _guess_rate(config: OwnConfig, instances: list[Instance]) -> float:
    """Share of right answers that guessing gives, where choices are asked and their number is known."""
    if config.guess_rate is not None:
        return config.guess_rate
    method = METHODS.get(config.adapter[0])
    if method is None or method.needs != "choices":
        return 0.0
    if not instances:  # on the Hub, not yet read
        return 1 / len(config.choices) if len(config.choices) > 1 else 0.0
    return statistics.fmean(len(instance.golds) / len(instance.references) for instance in instances)
