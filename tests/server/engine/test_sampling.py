from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_parts import job, run, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.engine.llama import Model
from server.engine.sampler import RANDOM_SEED, NothingAllowed, make_sampler
from server.engine.sampling import Sampling

BANNED = float("-inf")
A, B, C = 100, 101, 102


def row(model: Model, **likely: float) -> NDArray[np.float32]:
    """Logits of a few tokens, A, B, C and EOS; all others are out of the question."""
    logits = np.full(model.n_vocab, -30, np.float32)
    for name, logit in likely.items():
        logits[{"a": A, "b": B, "c": C, "eos": model.eos}[name]] = logit
    return logits


def draw(
    model: Model, logits: NDArray[np.float32], *prompt: int, steps: int = 1, greedy: bool = True, **fields: Any
) -> list[int]:
    parameters = Sampling(temperature=0.0 if greedy else 1.0, **fields)
    sampler = make_sampler(model, parameters, np.array(prompt, np.int32))
    try:
        return [sampler.sample(logits) for _ in range(steps)]
    finally:
        sampler.close()


def test_draws_come_as_often_as_they_are_likely(world: Model) -> None:
    n = 4000
    tokens = draw(world, row(world, a=1.0, b=0.0, c=-1.0), steps=n, greedy=False, seed=1)
    weights = np.exp([1.0, 0.0, -1.0])
    expected = n * weights / weights.sum()
    counts = np.array([tokens.count(token) for token in (A, B, C)])
    assert counts.sum() == n
    assert (abs(counts - expected) < 4 * np.sqrt(expected)).all()


def test_a_bias_forces_bans_and_weighs(world: Model) -> None:
    logits = row(world, a=5.0, b=4.0)
    assert draw(world, logits, logit_bias=((C, 100.0),)) == [C]
    assert draw(world, logits, logit_bias=((A, BANNED),)) == [B]
    assert draw(world, logits, logit_bias=((A, -0.9),)) == [A]
    assert draw(world, logits, logit_bias=((A, -1.1),)) == [B]


CHAINS: list[dict[str, Any]] = [
    {},
    {"greedy": False},
    {"greedy": False, "dynatemp_range": 1.0},
    {"greedy": False, "top_k": 3},
    {"greedy": False, "top_p": 0.5},
    {"greedy": False, "min_p": 0.5},
    {"greedy": False, "typical_p": 0.5},
    {"greedy": False, "top_n_sigma": 1.0},
    {"greedy": False, "xtc_probability": 1.0},
    {"greedy": False, "mirostat": 1},
    {"greedy": False, "mirostat": 2},
    {"greedy": False, "grammar": "root ::= [a-z]+"},
    {"greedy": False, "repeat_penalty": 2.0, "dry_multiplier": 2.0},
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_with_every_token_banned_there_is_nothing_to_draw(chain: dict[str, Any], world: Model) -> None:
    everything = tuple((token, BANNED) for token in range(world.n_vocab))
    with pytest.raises(NothingAllowed):
        draw(world, row(world, a=5.0), A, B, logit_bias=everything, **chain)


@pytest.mark.parametrize("chain", CHAINS[:-2], ids=str)
def test_with_every_token_but_one_banned_that_one_is_drawn(chain: dict[str, Any], world: Model) -> None:
    others = tuple((token, BANNED) for token in range(world.n_vocab) if token != C)
    assert draw(world, row(world, a=5.0), logit_bias=others, steps=3, **chain) == [C] * 3


@pytest.mark.parametrize("chain", [{}, {"greedy": False}, {"mirostat": 2}, {"logit_bias": ((A, -100.0),)}], ids=str)
def test_an_end_that_is_ignored_is_never_drawn(chain: dict[str, Any], world: Model) -> None:
    logits = row(world, eos=90.0, a=1.0, b=0.5)
    assert world.eos not in draw(world, logits, ignore_eos=True, steps=50, **chain)
    assert draw(world, logits, **chain) == [world.eos]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 6), st.booleans())
def test_the_end_comes_no_sooner_than_is_asked(world: Model, min_tokens: int, greedy: bool) -> None:
    tokens = draw(world, row(world, eos=90.0, a=1.0), min_tokens=min_tokens, steps=8, greedy=greedy)
    assert tokens.index(world.eos) == min_tokens


def test_penalties_see_the_prompt(world: Model) -> None:
    logits = row(world, a=5.0, b=4.5)
    penalties: list[dict[str, Any]] = [{"presence_penalty": 1.0}, {"frequency_penalty": 1.0}, {"repeat_penalty": 1.5}]
    for penalty in penalties:
        assert draw(world, logits, 7, 8, **penalty) == [A]
        assert draw(world, logits, A, 8, **penalty) == [B]
        assert draw(world, logits, A, 8, repeat_last_n=1, **penalty) == [A]  # it is too long ago
        assert draw(world, logits, A, 8, repeat_last_n=0, **penalty) == [A]
        assert draw(world, logits, A, *[8] * 100, **penalty) == [A]
        assert draw(world, logits, A, *[8] * 100, repeat_last_n=-1, **penalty) == [B]


def test_penalties_see_what_was_drawn(world: Model) -> None:
    logits = row(world, a=5.0, b=4.5, c=4.0)
    assert draw(world, logits, steps=4, frequency_penalty=0.8) == [A, B, A, C]
    assert draw(world, logits, steps=4, presence_penalty=2.0) == [A, B, C, A]


def test_penalties_hold_under_mirostat_too(world: Model) -> None:
    logits = row(world, a=50.0, b=40.0)
    assert draw(world, logits, A, mirostat=2, greedy=False) == [A]
    assert draw(world, logits, A, mirostat=2, greedy=False, presence_penalty=15.0) == [B]


def test_dry_ends_what_repeats_the_prompt(world: Model) -> None:
    text = (210, 211, 212, A, 213, 210, 211, 212)
    logits = row(world, a=5.0, b=4.0)
    assert draw(world, logits, *text) == [A]
    assert draw(world, logits, *text, dry_multiplier=2.0) == [B]
    assert draw(world, logits, *text, dry_multiplier=2.0, dry_allowed_length=9) == [A]
    assert draw(world, logits, *text, dry_multiplier=2.0, dry_penalty_last_n=3) == [A]
    breaker = world.piece(212).decode()
    assert draw(world, logits, *text, dry_multiplier=2.0, dry_sequence_breakers=(breaker,)) == [A]


def test_xtc_leaves_out_all_but_the_last_of_the_likely(world: Model) -> None:
    logits = row(world, a=3.0, b=2.5, c=2.0)
    fields: dict[str, Any] = {"xtc_probability": 1.0, "xtc_threshold": 0.1, "greedy": False, "steps": 30}
    assert set(draw(world, logits, **fields)) == {C}
    assert set(draw(world, logits, min_keep=2000, **fields)) == {A, B, C}  # too few would be left


@pytest.mark.parametrize("seed", [0, 5, RANDOM_SEED - 1, RANDOM_SEED, RANDOM_SEED + 6, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("chain", [{}, {"xtc_probability": 0.5}, {"mirostat": 1}, {"mirostat": 2}], ids=str)
def test_every_seed_draws_the_same_again(seed: int, chain: dict[str, Any], world: Model) -> None:
    logits = np.random.default_rng(0).normal(0, 1, world.n_vocab).astype(np.float32)
    first, second = (draw(world, logits, steps=5, greedy=False, seed=seed, **chain) for _ in range(2))
    assert first == second
    assert first != draw(world, logits, steps=5, greedy=False, seed=seed + 1, **chain)


def test_a_tiny_temperature_is_greedy_and_no_overflow(world: Model) -> None:
    logits = row(world, a=30.0, b=29.9)
    for temperature in (1e-40, 1e-30, 1e-4):
        sampler = make_sampler(world, Sampling(temperature=temperature), np.empty(0, np.int32))
        assert [sampler.sample(logits) for _ in range(5)] == [A] * 5
        sampler.close()


def test_the_scheduler_shows_samplers_the_prompt(model: Model) -> None:
    prompt = (5, 6, 7)
    with scheduling(model) as scheduler:
        free = run(scheduler, job(*prompt, max_tokens=1, k=None))[0].completion[0]
        seen, unseen = run(
            scheduler,
            job(free, *prompt, max_tokens=1, k=None, logit_bias=((free, 50.0),), presence_penalty=100.0),
            job(*prompt, max_tokens=1, k=None, logit_bias=((free, 50.0),), presence_penalty=100.0),
        )
    assert unseen.completion == (free,)
    assert seen.completion != (free,)


def test_stop_strings_wait_for_the_tokens_that_are_asked_for(model: Model) -> None:
    word = model.tokenize("The king")[0]
    stop = model.piece(word).decode().strip()
    forced: dict[str, Any] = {"max_tokens": 6, "k": None, "logit_bias": ((word, 100.0),), "stops": (stop,)}
    with scheduling(model) as scheduler:
        at_once, later = run(scheduler, job(5, 6, **forced), job(5, 6, min_tokens=4, **forced))
    assert (len(at_once.completion), at_once.stop) == (1, stop)
    assert (len(later.completion), later.stop) == (4, stop)
