"""How the next token is chosen: llama.cpp's own samplers, in its order, one chain a sequence.

The order (``common_sampler_init`` in llama.cpp) decides which text a seed gives: biases, penalties, DRY, top-n-sigma,
top-k, typical, top-p, min-p, XTC, temperature, draw; with mirostat: biases, penalties, temperature, mirostat.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as c
from llama_cpp.llama_grammar import json_schema_to_gbnf
from numpy.typing import NDArray

from server.engine.llama import Model

MIN_TEMPERATURE = 1e-4
"""Below this, logits divided by the temperature may leave the range of float32; the draw is greedy long before."""
RANDOM_SEED = 0xFFFFFFFF
"""What llama.cpp takes for "choose a seed": never passed on, since every seed is reported."""

MAX_NESTING = 1000
"""Parentheses in each other that a grammar may have: llama.cpp recurses, and 15,000 use up the stack of 8 MiB."""

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^]\\])*]|#[^\r\n]*', re.DOTALL)
_REPEATED = re.compile(r"\{\s*0*(\d{1,9})\s*,\s*0*(\d{1,9})\s*}")
_CONTROL_CHARACTERS = (r'char ::= [^"\\]', r'char ::= [^"\\\x00-\x1F]')
"""The converter lets JSON strings have them, and JSON does not."""
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # struct llama_token_data


class BadGrammar(ValueError):
    """llama.cpp does not understand this grammar."""


class NothingAllowed(ValueError):
    """Grammar and biases leave no token to choose."""

    def __init__(self) -> None:
        super().__init__("the grammar or the biases allow no token here")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Parameters of the chain under llama.cpp's names; the defaults change nothing but the draw."""

    temperature: float = 1.0
    """0 is greedy, unless ``dynatemp_range`` raises it."""
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_k: int = 0
    """0: all."""
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    min_keep: int = 0
    repeat_last_n: int = 64
    """How many of the latest tokens, the prompt's included, the penalties look at; -1: all."""
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[int, float], ...] = ()
    ignore_eos: bool = False
    min_tokens: int = 0
    """Tokens before which the model may not end."""
    grammar: str = ""
    """GBNF that the completion must follow."""
    seed: int = 0

    @property
    def penalizes(self) -> bool:
        """Whether what was said before changes what is said next."""
        return self.repeat_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def is_argmax(self) -> bool:
        """Whether the most likely token is all that is asked for."""
        reshapes = self.penalizes or self.dry_multiplier > 0 or self.xtc_probability > 0 or self.typical_p < 1
        constrained = bool(self.logit_bias) or self.ignore_eos or self.min_tokens > 0 or bool(self.grammar)
        is_cold = self.temperature == 0 and self.dynatemp_range == 0
        return is_cold and self.mirostat == 0 and not reshapes and not constrained


NEUTRAL = Sampling()
"""A plain draw from the model's own distribution."""


class Sampler:
    """The chain of one sequence. Holds memory of llama.cpp's: call :meth:`close`."""

    def __init__(self, model: Model, sampling: Sampling, prompt: NDArray[np.int32]) -> None:
        """Build the chain and show it the prompt, which penalties count.

        Raises:
            BadGrammar: the grammar is none.
        """
        self._banned = model.end_tokens if sampling.min_tokens > 0 else np.empty(0, np.int32)
        self._min_tokens = sampling.min_tokens
        self._chosen = 0
        self._grammar = _grammar(model, sampling.grammar)
        self._chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        for link in _links(model, sampling):
            c.llama_sampler_chain_add(self._chain, link)
        self._candidates = np.empty(model.n_vocab, _CANDIDATE)
        if sampling.penalizes or sampling.dry_multiplier > 0:
            for token in prompt.tolist():
                c.llama_sampler_accept(self._chain, token)

    def sample(self, row: NDArray[np.float32]) -> int:
        """Choose a token from its logits ``[n_vocab]``.

        Raises:
            NothingAllowed: no token is left to choose.
        """
        token = self._draw(row, constrained=False)
        # As llama.cpp does: a grammar is asked about the one token first, and about all of them only if it refuses.
        if self._grammar and not self._permits(token):
            token = self._draw(row, constrained=True)
        c.llama_sampler_accept(self._chain, token)
        if self._grammar:
            c.llama_sampler_accept(self._grammar, token)  # throws through ctypes on a token that it does not permit
        self._chosen += 1
        return token

    def _draw(self, row: NDArray[np.float32], *, constrained: bool) -> int:
        candidates = self._candidates
        candidates["id"] = np.arange(len(row), dtype=np.int32)
        candidates["logit"] = row
        candidates["p"] = 0
        if self._chosen < self._min_tokens:
            candidates["logit"][self._banned] = -np.inf
        array = _pointer_to(candidates)
        if constrained:
            c.llama_sampler_apply(self._grammar, ctypes.byref(array))
        if not np.isfinite(candidates["logit"].max()):
            raise NothingAllowed
        c.llama_sampler_apply(self._chain, ctypes.byref(array))
        if not 0 <= array.selected < array.size:
            raise NothingAllowed
        chosen = array.data[array.selected]  # XTC moves `data`: it need not be where `candidates` begin
        if chosen.logit == -math.inf:
            raise NothingAllowed
        return int(chosen.id)

    def _permits(self, token: int) -> bool:
        one = np.array([(token, 1, 0)], _CANDIDATE)
        c.llama_sampler_apply(self._grammar, ctypes.byref(_pointer_to(one)))
        return bool(one["logit"][0] != -np.inf)

    def close(self) -> None:
        """Free the chain."""
        c.llama_sampler_free(self._chain)
        if self._grammar:
            c.llama_sampler_free(self._grammar)


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
        c.llama_sampler_free(_grammar(model, grammar))
    return grammar


def _grammar(model: Model, grammar: str) -> Any:
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


def _pointer_to(candidates: NDArray[np.void]) -> Any:
    data = ctypes.cast(candidates.ctypes.data, c.llama_token_data_p)
    return c.llama_token_data_array(data, len(candidates), -1, False)


def _links(model: Model, s: Sampling) -> list[Any]:
    """The samplers that do anything, in llama.cpp's order."""
    temperature = s.temperature if s.temperature == 0 else max(s.temperature, MIN_TEMPERATURE)
    heat = c.llama_sampler_init_temp_ext(temperature, s.dynatemp_range, s.dynatemp_exponent)
    seed = s.seed % RANDOM_SEED
    links = [_biases(model, s)]
    if s.penalizes:
        last_n = model.n_ctx_train if s.repeat_last_n < 0 else s.repeat_last_n
        links.append(
            c.llama_sampler_init_penalties(
                model.n_vocab, last_n, s.repeat_penalty, s.frequency_penalty, s.presence_penalty
            )
        )
    if s.mirostat == 1:
        return [*links, heat, c.llama_sampler_init_mirostat(model.n_vocab, seed, s.mirostat_tau, s.mirostat_eta, 100)]
    if s.mirostat == 2:
        return [*links, heat, c.llama_sampler_init_mirostat_v2(seed, s.mirostat_tau, s.mirostat_eta)]
    if s.dry_multiplier > 0:
        links.append(_dry(model, s))
    return [*links, *_truncations(s, seed), heat, c.llama_sampler_init_dist(seed)]


def _truncations(s: Sampling, seed: int) -> list[Any]:
    """The samplers that leave less likely tokens out."""
    keep = max(s.min_keep, 1)
    links = []
    if s.top_n_sigma >= 0:
        links.append(c.llama_sampler_init_top_n_sigma(s.top_n_sigma))
    if s.top_k > 0:
        links.append(c.llama_sampler_init_top_k(s.top_k))
    if s.typical_p < 1:
        links.append(c.llama_sampler_init_typical(s.typical_p, keep))
    if s.top_p < 1:
        links.append(c.llama_sampler_init_top_p(s.top_p, keep))
    if s.min_p > 0:
        links.append(c.llama_sampler_init_min_p(s.min_p, keep))
    if s.xtc_probability > 0:
        links.append(c.llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, keep, seed))
    return links


def _biases(model: Model, s: Sampling) -> Any:
    biases = dict(s.logit_bias)
    if s.ignore_eos:
        biases |= dict.fromkeys(model.end_tokens.tolist(), -np.inf)
    array = (c.llama_logit_bias * len(biases))(*biases.items())
    return c.llama_sampler_init_logit_bias(model.n_vocab, len(biases), array)


def _dry(model: Model, s: Sampling) -> Any:
    breakers = (ctypes.c_char_p * len(s.dry_sequence_breakers))(*(text.encode() for text in s.dry_sequence_breakers))
    last_n = model.n_ctx_train if s.dry_penalty_last_n < 0 else s.dry_penalty_last_n
    return c.llama_sampler_init_dry(
        model.vocab, s.dry_multiplier, s.dry_base, s.dry_allowed_length, last_n, breakers, len(s.dry_sequence_breakers)
    )
