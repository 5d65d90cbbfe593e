"""`harness models`: the quantizations that are known by name."""

from __future__ import annotations

from harness.commands.shared import AsJson, print_list
from harness.models.config import config_names, load_config


def models(as_json: AsJson = False) -> None:
    """List the quantizations that `--models` knows by name."""
    configs = [load_config(name) for name in config_names()]
    print_list(("name", "description"), [(c.name, c.description) for c in configs], as_json=as_json)
