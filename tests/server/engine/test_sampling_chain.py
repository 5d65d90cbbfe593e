from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hand_sampling import HandChain
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.engine.llama import Model
from server.engine.sampler import Sampler, make_sampler
from server.engine.sampling import Sampling

STEPS = 12


def logits(model: Model, seed: int, steps: int = STEPS) -> NDArray[np.float32]:
    """Rows that favour a few tokens, always the same ones, so that a text repeats itself."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 2, (steps, model.n_vocab)).astype(np.float32)
    rows[:, 40:60] += 6
    return rows


@contextlib.contextmanager
def sampling(model: Model, parameters: Sampling, prompt: tuple[int, ...] = ()) -> Iterator[Sampler]:
    sampler = make_sampler(model, parameters, np.array(prompt, np.int32))
    try:
        yield sampler
    finally:
        sampler.close()


def drawn(model: Model, parameters: Sampling, rows: NDArray[np.float32], prompt: tuple[int, ...] = ()) -> list[int]:
    with sampling(model, parameters, prompt) as sampler:
        return [sampler.sample(row) for row in rows]


def drawn_by_hand(
    model: Model, parameters: Sampling, rows: NDArray[np.float32], prompt: tuple[int, ...] = ()
) -> list[int]:
    chain = HandChain(model, parameters, prompt)
    try:
        return [chain.sample(row) for row in rows]
    finally:
        chain.close()


PROMPT = (45, 46, 47, 48, 45, 46, 47, 50, 51, 45, 46)
ONE_EACH: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.3},
    {"temperature": 2.0},
    {"dynatemp_range": 0.8},
    {"dynatemp_range": 2.0, "dynatemp_exponent": 3.0},
    {"temperature": 0.0, "dynatemp_range": 1.5},
    {"top_k": 1},
    {"top_k": 7},
    {"top_k": 10**6},
    {"top_p": 0.01},
    {"top_p": 0.8},
    {"top_p": 0.01, "min_keep": 10},
    {"min_p": 0.05},
    {"min_p": 1.0, "min_keep": 5},
    {"typical_p": 0.5},
    {"typical_p": 0.01, "min_keep": 9},
    {"top_n_sigma": 0.0},
    {"top_n_sigma": 1.0},
    {"xtc_probability": 1.0, "xtc_threshold": 0.02},
    {"xtc_probability": 0.5, "xtc_threshold": 0.05},
    {"xtc_probability": 1.0, "xtc_threshold": 0.02, "min_keep": 1000},
    {"repeat_penalty": 3.0},
    {"repeat_penalty": 0.5},
    {"repeat_penalty": 3.0, "repeat_last_n": 0},
    {"repeat_penalty": 3.0, "repeat_last_n": 3},
    {"repeat_penalty": 3.0, "repeat_last_n": -1},
    {"presence_penalty": 2.0},
    {"presence_penalty": -2.0},
    {"frequency_penalty": 1.5},
    {"frequency_penalty": 1.5, "presence_penalty": 0.5, "repeat_penalty": 1.2},
    {"dry_multiplier": 5.0},
    {"dry_multiplier": 5.0, "dry_base": 3.0, "dry_allowed_length": 1},
    {"dry_multiplier": 5.0, "dry_penalty_last_n": 4},
    {"dry_multiplier": 5.0, "dry_penalty_last_n": 0},
    {"dry_multiplier": 5.0, "dry_sequence_breakers": ()},
    {"dry_multiplier": 5.0, "dry_sequence_breakers": ("a", "the king")},
    {"mirostat": 1},
    {"mirostat": 1, "mirostat_tau": 1.0, "mirostat_eta": 0.9, "temperature": 0.7},
    {"mirostat": 2},
    {"mirostat": 2, "mirostat_tau": 1.0, "mirostat_eta": 0.9, "temperature": 0.7},
    {"logit_bias": ((45, -6.0), (7, 6.0))},
    {"logit_bias": ((45, float("-inf")),)},
    {"ignore_eos": True},
    {"grammar": "root ::= [a-z ]+"},
]


@pytest.mark.parametrize("fields", ONE_EACH, ids=str)
def test_each_parameter_draws_what_llama_cpp_draws(fields: dict[str, Any], world: Model) -> None:
    parameters = Sampling(seed=3, **fields)
    for seed in range(3):
        rows = logits(world, seed)
        assert drawn(world, parameters, rows, PROMPT) == drawn_by_hand(world, parameters, rows, PROMPT)


ANY = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.2, 1.0, 2.0]),
    dynatemp_range=st.sampled_from([0.0, 0.0, 0.5]),
    dynatemp_exponent=st.sampled_from([1.0, 0.5]),
    top_k=st.sampled_from([0, 0, 1, 5, 300]),
    top_p=st.sampled_from([1.0, 0.9, 0.3]),
    min_p=st.sampled_from([0.0, 0.01, 0.3]),
    typical_p=st.sampled_from([1.0, 1.0, 0.4]),
    top_n_sigma=st.sampled_from([-1.0, 0.0, 1.5]),
    xtc_probability=st.sampled_from([0.0, 0.5, 1.0]),
    xtc_threshold=st.sampled_from([0.01, 0.2]),
    min_keep=st.sampled_from([0, 1, 4]),
    repeat_last_n=st.sampled_from([-1, 0, 5, 64]),
    repeat_penalty=st.sampled_from([1.0, 1.0, 1.3]),
    presence_penalty=st.sampled_from([0.0, 0.0, 1.5]),
    frequency_penalty=st.sampled_from([0.0, 0.0, -1.0]),
    dry_multiplier=st.sampled_from([0.0, 0.0, 2.0]),
    dry_allowed_length=st.sampled_from([1, 2]),
    dry_penalty_last_n=st.sampled_from([-1, 0, 6]),
    logit_bias=st.sampled_from([(), ((45, 3.0), (46, float("-inf")))]),
    ignore_eos=st.booleans(),
    grammar=st.sampled_from(["", "", 'root ::= ([a-z] | " ")+']),
    seed=st.integers(0, 2**32 - 2),
)


@settings(max_examples=150, deadline=None)
@given(ANY, st.integers(0, 2**32 - 1), st.lists(st.integers(40, 50), max_size=20).map(tuple))
def test_any_parameters_together_draw_what_llama_cpp_draws(
    world: Model, parameters: Sampling, seed: int, prompt: tuple[int, ...]
) -> None:
    rows = logits(world, seed, steps=6)
    assert drawn(world, parameters, rows, prompt) == drawn_by_hand(world, parameters, rows, prompt)


@settings(max_examples=150, deadline=None)
@given(ANY, st.integers(0, 2**32 - 1))
def test_the_shortcut_for_greedy_draws_is_the_chain(world: Model, parameters: Sampling, seed: int) -> None:
    rows = logits(world, seed, steps=6)
    if parameters.is_greedy:
        assert drawn(world, parameters, rows, PROMPT) == drawn_by_hand(world, parameters, rows, PROMPT)
    assert Sampling(temperature=0.0, top_k=5, top_p=0.5, min_p=0.1, top_n_sigma=1.0, min_keep=3, seed=9).is_greedy


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.5},
        {"dynatemp_range": 1.0},
        {"typical_p": 0.5},
        {"xtc_probability": 0.1},
        {"repeat_penalty": 1.1},
        {"presence_penalty": -0.1},
        {"frequency_penalty": 0.1},
        {"dry_multiplier": 0.1},
        {"mirostat": 1},
        {"mirostat": 2},
        {"grammar": 'root ::= "a"'},
    ],
    ids=str,
)
def test_what_reorders_tokens_takes_no_shortcut(fields: dict[str, Any]) -> None:
    assert not Sampling(**{"temperature": 0.0} | fields).is_greedy
