"""YAML files that people write, and one sentence for whatever is wrong with one."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import UserError
from harness.names import unknown


class Section(BaseModel):
    """Keys of a YAML file, or of one of its sections: no others are allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_yaml(path: Path, what: str, keys: str, remedy: str) -> dict[str, Any]:
    """The keys of a YAML file.

    Args:
        path: the file.
        what: what such a file is called, such as ``config``.
        keys: the keys that it is mainly to have, for people.
        remedy: what to do where there is no such file.

    Raises:
        UserError: it cannot be read, is no YAML, repeats a key, or holds no keys.
    """
    try:
        data = yaml.load(path.read_bytes(), _Loader)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; {remedy}.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        hint = "; a template needs quotes around it" if error.problem == "found unhashable key" else ""
        raise UserError(f"{path}, line {line}, is not YAML as a {what} needs it: {error.problem}{hint}.") from error
    # Beyond its own errors, PyYAML lets through what Python says of impossible dates and of bottomless nesting.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a YAML text: {error}.") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold keys ({keys}) and holds {reprlib.repr(data)}.")
    return data


def first_fault(
    error: ValidationError, top: type[BaseModel], sections: Mapping[str, type[BaseModel]], missing: Mapping[str, str]
) -> str:
    """The first fault of a file: key, what is wrong and what would be right.

    Args:
        error: what pydantic says.
        top: the whole file.
        sections: by key, those of its values that hold keys themselves.
        missing: by key with its sections, what to do where the key is missing.
    """
    fault = error.errors()[0]
    location = [str(part) for part in fault["loc"]]
    key = ".".join(location)
    if fault["type"] == "missing":
        return f"key '{key}' is missing; {missing[key]}"
    if fault["type"] == "extra_forbidden":
        known = sections.get(location[0], top).model_fields.keys() - {"name"}
        return f"key '{key}': {unknown('key here', location[-1], known)}"
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"key '{key}': {said}"
    return f"key '{key}' is {reprlib.repr(fault['input'])}: {said[0].lower()}{said[1:]}"


class _Loader(yaml.SafeLoader):
    """YAML without repeated keys, of which PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
