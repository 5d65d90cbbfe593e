"""Which keywords of a JSON schema its grammar follows: the converter to grammars leaves the others out in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_SAY_NOTHING = frozenset(
    "$comment $defs $id $schema default definitions deprecated description discriminator example examples format name "
    "readOnly strict title writeOnly".split()
)
"""Keywords that forbid no value."""
_FOLLOWED_BESIDE: dict[str, frozenset[str]] = {
    "$ref": frozenset(),
    "oneOf": frozenset(),
    "anyOf": frozenset(),
    "const": frozenset({"type"}),
    "enum": frozenset({"type"}),
    "properties": frozenset({"type", "required", "additionalProperties"}),
    "additionalProperties": frozenset({"type"}),
    "prefixItems": frozenset({"type"}),
    "items": frozenset({"type", "minItems", "maxItems"}),
    "pattern": frozenset({"type"}),
}
"""What decides the form of a value, in the converter's order, and the keywords that are followed beside it."""
_FORMATS = frozenset("date time date-time uuid uuid1 uuid2 uuid3 uuid4 uuid5".split())


def unfollowed(schema: Any) -> str | None:
    """A keyword that a grammar made from ``schema`` would not follow; None if it follows all of them."""
    if not isinstance(schema, dict):
        return None
    followed = _followed(schema)
    for keyword, value in schema.items():
        if keyword in _SAY_NOTHING:
            continue
        if keyword not in followed or not _is_followed(keyword, value, schema):
            return str(keyword)
    return next((found for part in _parts(schema) if (found := unfollowed(part)) is not None), None)


def _followed(schema: dict[str, Any]) -> frozenset[str]:
    kind = schema.get("type")
    if isinstance(kind, list):
        return frozenset({"type"})
    for keyword, beside in _FOLLOWED_BESIDE.items():
        if keyword in schema:
            return beside | {keyword}
    if kind == "string" and schema.get("format") not in _FORMATS:
        return frozenset({"type", "minLength", "maxLength"})
    return frozenset({"type"})


def _is_followed(keyword: str, value: Any, schema: dict[str, Any]) -> bool:
    if keyword == "required":
        return isinstance(value, list) and all(name in schema["properties"] for name in value)
    if keyword in ("const", "enum"):
        return _is_written_right(value)
    if keyword == "properties":
        return isinstance(value, dict) and _is_written_right([*value])
    return keyword != "items" or not isinstance(value, list)


def _is_written_right(constant: Any) -> bool:
    """Whether the grammar has it as JSON has it: not where JSON escapes a character."""
    text = json.dumps(constant, ensure_ascii=False)
    return "\\" not in text and all(ord(character) < 1 << 16 for character in text)


def _parts(schema: dict[str, Any]) -> Iterator[Any]:
    """The schemas in a schema."""
    for keyword in ("$defs", "definitions", "properties"):
        if isinstance(schema.get(keyword), dict):
            yield from schema[keyword].values()
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        if isinstance(schema.get(keyword), list):
            yield from schema[keyword]
    yield schema.get("items")
    yield schema.get("additionalProperties")
