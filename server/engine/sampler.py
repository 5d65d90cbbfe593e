"""How the next token is chosen: llama.cpp's own samplers, in its order, one chain a sequence.

The order (``common_sampler_init`` in llama.cpp) decides which text a seed gives: biases, penalties, DRY, top-n-sigma,
top-k, typical, top-p, min-p, XTC, temperature, draw; with mirostat: biases, penalties, temperature, mirostat.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, Protocol

import numpy as np
from llama_cpp import llama_cpp as c
from numpy.typing import NDArray

from server.engine.grammar import grammar_sampler
from server.engine.llama import Model
from server.engine.sampling import Sampling

MIN_TEMPERATURE = 1e-4
"""Below this, logits divided by the temperature may leave the range of float32; the draw is greedy long before."""
RANDOM_SEED = 0xFFFFFFFF
"""What llama.cpp takes for "choose a seed": never passed on, since every seed is reported."""

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # struct llama_token_data


class NothingAllowed(ValueError):
    """Grammar and biases leave no token to choose."""

    def __init__(self) -> None:
        super().__init__("the grammar or the biases allow no token here")


class Sampler(Protocol):
    """What chooses the tokens of one sequence."""

    def sample(self, row: NDArray[np.float32]) -> int:
        """Choose a token from its logits ``[n_vocab]``.

        Raises:
            NothingAllowed: no token is left to choose.
        """

    def lead(self, row: NDArray[np.float32]) -> float:
        """By how many logits the token that would be chosen is ahead of the next; of no use for random draws."""

    def close(self) -> None:
        """Free what llama.cpp holds for it."""


def make_sampler(model: Model, sampling: Sampling, prompt: NDArray[np.int32]) -> Sampler:
    """A sampler for one sequence, which is shown the prompt since penalties count it.

    Raises:
        BadGrammar: the grammar is none.
    """
    return Greedy(model, sampling) if sampling.is_greedy else Chain(model, sampling, prompt)


class Greedy:
    """The first of the most likely tokens, as the chain finds it, without its walk through all candidates.

    That walk takes 0.3 ms at a vocabulary of 32,000, more than the rest of the work on a token.
    """

    def __init__(self, model: Model, sampling: Sampling) -> None:
        biases = _biases(model, sampling)
        self._biased = np.array(list(biases), np.intp)
        self._biases = np.array(list(biases.values()), np.float32)
        self._banned = model.end_tokens if sampling.min_tokens > 0 else np.empty(0, np.int32)
        self._min_tokens = sampling.min_tokens
        self._chosen = 0

    def sample(self, row: NDArray[np.float32]) -> int:
        """The token."""
        row = self._adjusted(row)
        self._chosen += 1
        token = int(np.argmax(row))
        if row[token] == -np.inf:
            raise NothingAllowed
        return token

    def lead(self, row: NDArray[np.float32]) -> float:
        """By how many logits the next token is ahead of the second best."""
        second, best = np.partition(self._adjusted(row), -2)[-2:]
        return float(best - second)

    def _adjusted(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        """The row after biases and bans."""
        if len(self._biased) or self._chosen < self._min_tokens:
            row = row.copy()
            row[self._biased] += self._biases
            if self._chosen < self._min_tokens:
                row[self._banned] = -np.inf
        return row

    def close(self) -> None:
        """Nothing is held."""


class Chain:
    """llama.cpp's chain of one sequence. Holds memory of llama.cpp's: call :meth:`close`."""

    def __init__(self, model: Model, sampling: Sampling, prompt: NDArray[np.int32]) -> None:
        """Build the chain and show it the prompt, which penalties count.

        Raises:
            BadGrammar: the grammar is none.
        """
        self._banned = model.end_tokens if sampling.min_tokens > 0 else np.empty(0, np.int32)
        self._min_tokens = sampling.min_tokens
        self._chosen = 0
        self._grammar = grammar_sampler(model, sampling.grammar)
        self._chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        for link in _links(model, sampling):
            c.llama_sampler_chain_add(self._chain, link)
        self._candidates = np.empty(model.n_vocab, _CANDIDATE)
        self._unsorted = np.zeros(model.n_vocab, _CANDIDATE)
        self._unsorted["id"] = np.arange(model.n_vocab)
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

    def lead(self, row: NDArray[np.float32]) -> float:  # noqa: ARG002
        """None that could be relied on: what was said before, or chance, may turn any."""
        return 0.0

    def _draw(self, row: NDArray[np.float32], *, constrained: bool) -> int:
        candidates = self._candidates
        candidates[:] = self._unsorted
        candidates["logit"] = row
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


def _pointer_to(candidates: NDArray[np.void]) -> Any:
    data = ctypes.cast(candidates.ctypes.data, c.llama_token_data_p)
    return c.llama_token_data_array(data, len(candidates), -1, False)


def _links(model: Model, s: Sampling) -> list[Any]:
    """The samplers that do anything, in llama.cpp's order."""
    temperature = s.temperature if s.temperature == 0 else max(s.temperature, MIN_TEMPERATURE)
    heat = c.llama_sampler_init_temp_ext(temperature, s.dynatemp_range, s.dynatemp_exponent)
    seed = s.seed % RANDOM_SEED
    links = [_bias_link(model, s)]
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


def _biases(model: Model, s: Sampling) -> dict[int, float]:
    ended = dict.fromkeys(model.end_tokens.tolist(), -math.inf) if s.ignore_eos else {}
    return dict(s.logit_bias) | ended


def _bias_link(model: Model, s: Sampling) -> Any:
    biases = _biases(model, s)
    array = (c.llama_logit_bias * len(biases))(*biases.items())
    return c.llama_sampler_init_logit_bias(model.n_vocab, len(biases), array)


def _dry(model: Model, s: Sampling) -> Any:
    breakers = (ctypes.c_char_p * len(s.dry_sequence_breakers))(*(text.encode() for text in s.dry_sequence_breakers))
    last_n = model.n_ctx_train if s.dry_penalty_last_n < 0 else s.dry_penalty_last_n
    return c.llama_sampler_init_dry(
        model.vocab, s.dry_multiplier, s.dry_base, s.dry_allowed_length, last_n, breakers, len(s.dry_sequence_breakers)
    )
