"""Renders chat templates from standard input to standard output, as a process of its own.

Each line in is a JSON object of ``source`` and ``variables``, each line out one of ``text`` or ``error``, a reason
without a full stop. Imports Jinja alone, and nothing of this package: it runs as a script, isolated (``python -I``).
"""

from __future__ import annotations

import codecs
import contextlib
import json
import pprint
import resource
import sys
import time
from datetime import datetime
from typing import Any, NoReturn

import jinja2.debug
from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 512 << 20
CPU_SECONDS = 3
"""For one conversation. The parent's clock is stricter; this one ends an orphan."""
MAX_OUTPUT_CHARACTERS = 4_000_000
MAX_REASON_CHARACTERS = 300


class Refused(Exception):
    """The template itself refuses the conversation, by ``raise_exception``."""


class _Generation(Extension):
    """``{% generation %}`` marks the assistant's words for training; here it does nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def _environment() -> ImmutableSandboxedEnvironment:
    """Jinja as Hugging Face's ``apply_chat_template`` sets it up, which templates are written for."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own escapes HTML, which would change what a tool's definition says."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: object) -> NoReturn:
    raise Refused(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


class _Renderer:
    """Keeps the last template compiled."""

    def __init__(self) -> None:
        self._environment = _environment()
        self._source: str | None = None
        self._template: Template | None = None

    def render(self, source: str, variables: dict[str, Any]) -> str:
        if self._template is None or source != self._source:
            self._template = self._environment.from_string(source)
            self._source = source
        parts, length = [], 0
        for part in self._template.generate(variables):
            parts.append(part)
            length += len(part)
            if length > MAX_OUTPUT_CHARACTERS:
                raise Refused(f"its prompt is longer than {MAX_OUTPUT_CHARACTERS:,} characters")
        return "".join(parts)


def _reason(error: Exception) -> str:
    """What went wrong, in one line that is part of a sentence."""
    words = " ".join(str(error).split())[:MAX_REASON_CHARACTERS].rstrip(".")
    match error:
        case Refused():
            return words or "it gives no reason"
        case TemplateSyntaxError():
            return f"it is no valid Jinja: {words} (line {error.lineno})"
        case SecurityError():
            return f"it does what templates may not: {words}"
        case UndefinedError():
            return f"something that it needs is missing: {words}"
        case MemoryError():
            return "it takes too much memory"
        case RecursionError():
            return "it is nested too deeply"
        case TemplateError():
            return words or type(error).__name__
        case _:
            return f"{type(error).__name__}: {words}"


def _confine() -> None:
    """No files, no processes, little memory. What Jinja imports late was imported above, or is here."""
    assert jinja2.debug
    assert pprint
    codecs.lookup("unicode-escape")
    _strftime_now("%c")
    limits = {"AS": MEMORY_BYTES, "CORE": 0, "FSIZE": 0, "NOFILE": 0, "NPROC": 0}
    for name, limit in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system has every limit
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))


def _grant_seconds() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_SECONDS, hard))


def main() -> None:
    """Say that all is ready by an empty line; then answer until standard input ends."""
    renderer = _Renderer()
    _confine()
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        _grant_seconds()
        try:
            answer = json.dumps({"text": renderer.render(**json.loads(line))}, ensure_ascii=False).encode()
        except Exception as error:
            answer = json.dumps({"error": _reason(error)}).encode()
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
