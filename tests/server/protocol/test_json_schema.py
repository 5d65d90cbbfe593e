from __future__ import annotations

from typing import Any

import pytest

from server.protocol.json_schema import unfollowed

FOLLOWED: list[Any] = [
    {},
    {"type": "object"},
    {"type": ["string", "null"]},
    {"type": "string", "minLength": 1, "maxLength": 3},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "email", "maxLength": 9},
    {"type": "string", "pattern": "^a$", "title": "A", "description": "", "default": "a"},
    {"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 2},
    {"prefixItems": [{"type": "null"}, {"const": 1}]},
    {"type": "object", "properties": {"a": {"enum": [1, "ä"]}}, "required": ["a"], "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"$defs": {"a": {"type": "null"}}, "anyOf": [{"$ref": "#/$defs/a"}, {"type": "boolean"}]},
    True,  # the converter refuses what is no object by itself
]


@pytest.mark.parametrize("schema", FOLLOWED, ids=str)
def test_followed(schema: Any) -> None:
    assert unfollowed(schema) is None


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "integer", "minimum": 3}, "minimum"),
        ({"type": "string", "format": "date", "maxLength": 3}, "maxLength"),
        ({"type": "string", "pattern": "^a$", "minLength": 1}, "minLength"),
        ({"maxLength": 3}, "maxLength"),
        ({"type": ["string", "null"], "maxLength": 3}, "maxLength"),
        ({"type": ["string", "null"], "enum": ["a"]}, "enum"),
        ({"type": "array", "minItems": 3}, "minItems"),
        ({"prefixItems": [{}], "minItems": 1}, "minItems"),
        ({"items": [{"type": "null"}]}, "items"),
        ({"type": "object", "required": ["a"]}, "required"),
        ({"properties": {"a": {}}, "required": ["b"]}, "required"),
        ({"properties": {"a": {}}, "required": "a"}, "required"),
        ({"properties": {"a": {}}, "anyOf": [{}]}, "properties"),
        ({"$ref": "#/a", "type": "null"}, "type"),
        ({"const": 1, "maximum": 0}, "maximum"),
        ({"enum": ['"']}, "enum"),
        ({"const": {"a": "\n"}}, "const"),
        ({"const": "🙂"}, "const"),
        ({"properties": {"\\": {}}}, "properties"),
        ({"allOf": [{"type": "null"}]}, "allOf"),
        ({"a word of no schema": 1}, "a word of no schema"),
        ({"anyOf": [{"type": "null"}, {"not": {}}]}, "not"),
        ({"$defs": {"a": {"if": {}}}, "$ref": "#/$defs/a"}, "if"),
        ({"definitions": {"a": {"uniqueItems": True}}, "$ref": "#/definitions/a"}, "uniqueItems"),
        ({"items": {"properties": {"a": {"multipleOf": 2}}}}, "multipleOf"),
        ({"additionalProperties": {"maxProperties": 2}}, "maxProperties"),
        ({"prefixItems": [{"contains": {}}]}, "contains"),
    ],
    ids=str,
)
def test_not_followed(schema: dict[str, Any], keyword: str) -> None:
    assert unfollowed(schema) == keyword
