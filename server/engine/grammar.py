"""Grammars that a completion must follow: GBNF, or a JSON schema made into it."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from llama_cpp import llama_cpp as c
from llama_cpp.llama_grammar import json_schema_to_gbnf

from server.engine.llama import Model

MAX_NESTING = 1000
"""Parentheses in each other that a grammar may have: llama.cpp recurses, and 15,000 use up the stack of 8 MiB."""

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^]\\])*]|#[^\r\n]*', re.DOTALL)
_REPEATED = re.compile(r"\{\s*0*(\d{1,9})\s*,\s*0*(\d{1,9})\s*}")
_CONTROL_CHARACTERS = (r'char ::= [^"\\]', r'char ::= [^"\\\x00-\x1F]')
"""The converter lets JSON strings have them, and JSON does not."""


class BadGrammar(ValueError):
    """llama.cpp does not understand this grammar."""


def read_grammar(model: Model, grammar: str, schema: dict[str, Any] | None) -> str:
    """A GBNF grammar that llama.cpp has accepted, from one or from a JSON schema; empty for neither.

    Raises:
        BadGrammar: llama.cpp understands neither the one nor the other.
    """
    if schema is not None:
        try:
            grammar = json_schema_to_gbnf(json.dumps(schema))
        except Exception as error:  # the converter raises what comes: KeyError, AssertionError, RecursionError
            raise BadGrammar from error
        grammar = grammar.replace(*_CONTROL_CHARACTERS)
    if grammar:
        c.llama_sampler_free(grammar_sampler(model, grammar))
    return grammar


def grammar_sampler(model: Model, grammar: str) -> Any:
    """llama.cpp's sampler that bans what a grammar does not permit; None for an empty grammar.

    Raises:
        BadGrammar: llama.cpp does not understand it.
    """
    if not grammar:
        return None
    if not _is_survived(grammar):
        raise BadGrammar
    sampler = c.llama_sampler_init_grammar(model.vocab, grammar.encode(), b"root")
    if not sampler:
        raise BadGrammar
    return sampler


def _is_survived(grammar: str) -> bool:
    """Whether llama.cpp reads this to its end, and uses up neither its stack nor, as for ``"a"{3,1}``, the memory."""
    rules = _QUOTED.sub(" ", grammar)
    depths = itertools.accumulate((character == "(") - (character == ")") for character in rules)
    goes_up = all(int(low) <= int(high) for low, high in _REPEATED.findall(rules))
    return "\0" not in grammar and max(depths, default=0) <= MAX_NESTING and goes_up
