"""llama.cpp's samplers, driven by hand: every sampler of its chain is there, whether it does anything or not."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Iterator

import llama_cpp as c
import numpy as np
from numpy.typing import NDArray

from server.engine.llama import Model
from server.engine.sampling import Sampling


class HandChain:
    """The chain of one sequence, in the order of llama.cpp's own programs."""

    def __init__(self, model: Model, s: Sampling, prompt: Iterable[int]) -> None:
        self._chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        self._n_context = model.n_ctx_train
        links = self._mirostat(model, s) if s.mirostat else self._default(model, s)
        for link in (self._biases(model, s), *links):
            c.llama_sampler_chain_add(self._chain, link)
        self._grammar = c.llama_sampler_init_grammar(model.vocab, s.grammar.encode(), b"root") if s.grammar else None
        for token in prompt:
            c.llama_sampler_accept(self._chain, token)

    @staticmethod
    def _biases(model: Model, s: Sampling) -> c.llama_sampler_p:
        pairs = [*s.logit_bias, *((int(token), -math.inf) for token in model.end_tokens if s.ignore_eos)]
        array = (c.llama_logit_bias * max(len(pairs), 1))()
        for i, (token, bias) in enumerate(pairs):
            array[i].token, array[i].bias = token, bias
        return c.llama_sampler_init_logit_bias(model.n_vocab, len(pairs), array)

    @staticmethod
    def _mirostat(model: Model, s: Sampling) -> Iterator[c.llama_sampler_p]:
        yield c.llama_sampler_init_temp(s.temperature)
        if s.mirostat == 1:
            yield c.llama_sampler_init_mirostat(model.n_vocab, s.seed, s.mirostat_tau, s.mirostat_eta, 100)
        else:
            yield c.llama_sampler_init_mirostat_v2(s.seed, s.mirostat_tau, s.mirostat_eta)

    def _default(self, model: Model, s: Sampling) -> Iterator[c.llama_sampler_p]:
        yield c.llama_sampler_init_penalties(
            model.n_vocab, self._reach(s.repeat_last_n), s.repeat_penalty, s.frequency_penalty, s.presence_penalty
        )
        breakers = [text.encode() for text in s.dry_sequence_breakers]
        yield c.llama_sampler_init_dry(
            model.vocab,
            s.dry_multiplier,
            s.dry_base,
            s.dry_allowed_length,
            self._reach(s.dry_penalty_last_n),
            (ctypes.c_char_p * len(breakers))(*breakers),
            len(breakers),
        )
        yield c.llama_sampler_init_top_n_sigma(s.top_n_sigma)
        yield c.llama_sampler_init_top_k(s.top_k)
        yield c.llama_sampler_init_typical(s.typical_p, s.min_keep)
        yield c.llama_sampler_init_top_p(s.top_p, s.min_keep)
        yield c.llama_sampler_init_min_p(s.min_p, s.min_keep)
        yield c.llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, s.min_keep, s.seed)
        yield c.llama_sampler_init_temp_ext(s.temperature, s.dynatemp_range, s.dynatemp_exponent)
        yield c.llama_sampler_init_dist(s.seed)

    def _reach(self, last_n: int) -> int:
        return self._n_context if last_n == -1 else last_n

    def sample(self, row: NDArray[np.float32]) -> int:
        """Draw; where the grammar refuses what was drawn, draw again from what it permits."""
        token = self._draw(row, first=None)
        if self._grammar is not None:
            one = (c.llama_token_data * 1)(c.llama_token_data(token, 1.0, 0.0))
            array = c.llama_token_data_array(one, 1, -1, False)
            c.llama_sampler_apply(self._grammar, ctypes.byref(array))
            if one[0].logit == -math.inf:
                token = self._draw(row, first=self._grammar)
            c.llama_sampler_accept(self._grammar, token)
        c.llama_sampler_accept(self._chain, token)
        return token

    def _draw(self, row: NDArray[np.float32], first: c.llama_sampler_p | None) -> int:
        data = (c.llama_token_data * len(row))()
        for i, logit in enumerate(row.tolist()):
            data[i].id, data[i].logit = i, logit
        array = c.llama_token_data_array(data, len(row), -1, False)
        if first is not None:
            c.llama_sampler_apply(first, ctypes.byref(array))
        c.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def close(self) -> None:
        c.llama_sampler_free(self._chain)
        if self._grammar is not None:
            c.llama_sampler_free(self._grammar)
