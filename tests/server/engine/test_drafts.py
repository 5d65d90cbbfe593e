"""Drafts in the engine: what they save, and that near-ties and models that move their rows are decoded plainly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_parts import BROKEN, TIMEOUT, assert_same, bits, job, prompts, run, run_in_turn, scheduling

from server.engine.context import Batch, Context
from server.engine.draft import EPSILON, PROOF, Caution, Trial, epsilon
from server.engine.llama import Model
from server.engine.sequence import Job
from server.engine.ticket import Ticket

LENGTH = 24
AS_SERVED: dict[str, Any] = {"flash_attention": "on"}
TEXTS = (
    "The capital of Susia is",
    "In Joo, the people speak",
    "Question: What is the money of Susia?\nAnswer:",
    "The ruler of",
)


@pytest.fixture(scope="module")
def q8(quantized: Callable[[str], Path]) -> Iterator[Model]:
    """Tokens can be decoded together without moving a bit."""
    model = Model(quantized("Q8_0"), gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="module")
def q4(quantized: Callable[[str], Path]) -> Iterator[Model]:
    """From four tokens on, rows move."""
    model = Model(quantized("Q4_K_M"), gpu_layers=0)
    yield model
    model.close()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """What is decoded."""
    found: list[Batch] = []
    decode = Context.decode

    def watched(context: Context, batch: Batch) -> Any:
        found.append(batch)
        return decode(context, batch)

    monkeypatch.setattr(Context, "decode", watched)
    return found


def jobs(model: Model, **fields: Any) -> list[Job]:
    """Greedy completions, each by itself."""
    common: dict[str, Any] = {"max_tokens": LENGTH, "score_from": None, "k": 2, "cache": None, "ignore_eos": True}
    return [job(model.bos or 1, *model.tokenize(text), **common | fields) for text in TEXTS]


def drafted(plain: Job, draft: tuple[int, ...]) -> Job:
    """The same with a draft."""
    return Job(**{name: getattr(plain, name) for name in Job.__slots__} | {"draft": draft})


@pytest.mark.parametrize("overlap", [False, True])
def test_a_right_draft_takes_few_batches(q8: Model, batches: list[Batch], overlap: bool) -> None:
    with scheduling(q8, overlap=overlap, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(q8))
        right = [drafted(result.job, result.completion) for result in plain]
        run_in_turn(scheduler, *right)  # the first of these are looked at token by token
        batches.clear()
        found = run_in_turn(scheduler, *right)
    assert [bits(result) for result in found] == [bits(result) for result in plain]
    # The prompt, all tokens but the last together, and the last of these again.
    assert [len(batch.tokens) for batch in batches[1:3]] == [LENGTH - 1, 1]
    assert len(batches) == 3 * len(found)
    assert all(result.accepted == LENGTH for result in found)


@pytest.mark.parametrize("overlap", [False, True])
def test_after_a_wrong_token_it_goes_on_one_by_one(q8: Model, batches: list[Batch], overlap: bool) -> None:
    with scheduling(q8, overlap=overlap, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(q8))
        run_in_turn(scheduler, *(drafted(result.job, result.completion) for result in plain * 2))
        batches.clear()
        wrong = [(*said[:10], (said[10] + 1) % 1000, *said[11:]) for said in (result.completion for result in plain)]
        found = run_in_turn(scheduler, *map(drafted, jobs(q8), wrong))
    assert [bits(result) for result in found] == [bits(result) for result in plain]
    assert {result.accepted for result in found} == {10}
    singles = LENGTH - 11  # the trial chose the right token at the place of the wrong one
    assert len(batches) == (3 + singles) * len(found)


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("limit", [EPSILON, 4.0, 1e6, math.inf])
@pytest.mark.parametrize("name", ["world", "q4"])
def test_near_ties_are_decoded_plainly(request: pytest.FixtureRequest, name: str, limit: float, overlap: bool) -> None:
    model: Model = request.getfixturevalue(name)
    limit = limit if name == "world" else math.inf
    with scheduling(model, epsilon=limit, overlap=overlap, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(model))
        for _ in range(3):
            found = run_in_turn(scheduler, *(drafted(result.job, result.completion) for result in plain))
            assert [result.completion for result in found] == [result.completion for result in plain]
            if limit >= 1e6:  # nothing is far enough ahead, so all is as if there were no draft
                assert [bits(result) for result in found] == [bits(result) for result in plain]


@pytest.mark.parametrize("overlap", [False, True])
def test_several_are_drafted_at_once(q8: Model, overlap: bool) -> None:
    with scheduling(q8, rows=16, overlap=overlap, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(q8))
        right = [drafted(result.job, result.completion) for result in plain]
        for _ in range(3):
            assert [result.completion for result in run(scheduler, *right)] == [result.completion for result in plain]


@pytest.mark.parametrize("rows", [2, LENGTH, LENGTH + 1])
def test_trials_may_be_cut_to_any_length(world: Model, rows: int) -> None:
    """With room for the first trial, of ``LENGTH - 1`` tokens, and one or two rows more."""
    with scheduling(world, rows=rows, epsilon=1.0, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(world))
        right = [drafted(result.job, result.completion) for result in plain]
        for _ in range(3):
            assert [result.completion for result in run(scheduler, *right)] == [result.completion for result in plain]


@pytest.mark.parametrize("overlap", [False, True])
def test_scores_of_drafts_are_not_mixed_up_with_those_of_others(world: Model, overlap: bool) -> None:
    """Of prompts that are scored meanwhile, of drafts that are right, wrong, or doubted, and of none."""
    with scheduling(world, epsilon=0.05, overlap=overlap, slots=16, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(world), *(job(*prompt, k=2) for prompt in prompts(4, 150)))
        right = [drafted(result.job, result.completion) for result in plain[:4]]
        wrong = [drafted(each, (*each.draft[:7], 5, *each.draft[8:])) for each in right]
        for _ in range(3):
            found = run(scheduler, *right, *wrong, *(result.job for result in plain))
            assert_same(found, [*plain[:4], *plain[:4], *plain], tolerance=0.1)


def test_rows_of_trials_are_held_for_one_batch(q8: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are under way, and whether believed or looked at token by token."""
    rows = 40
    tickets: list[Ticket] = []
    held: list[int] = []
    decode = Context.decode

    def watched(context: Context, batch: Batch) -> Any:
        trials = [ticket.sequence.trial for ticket in tickets]
        held.append(sum(len(trial.rows) for trial in trials if trial is not None and trial.rows is not None))
        return decode(context, batch)

    with scheduling(q8, rows=rows, slots=8, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(q8, max_tokens=100))
        right = [drafted(result.job, result.completion) for result in plain]
        monkeypatch.setattr(Context, "decode", watched)
        for _ in range(3):
            run_in_turn(scheduler, *right)  # after which they are believed, until some beside others fail
            tickets = scheduler.submit(right * 2)
            for ticket in tickets:
                assert len(ticket.future.result(TIMEOUT).completion) == 100
                assert (ticket.sequence.audit, ticket.sequence.opening) == (None, None)
    assert 0 < max(held) <= rows


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("believed", [False, True])
@pytest.mark.parametrize("flash_attention", ["off", "on"])
def test_a_draft_that_is_not_numbers_harms_nobody(
    broken_model: Model, overlap: bool, believed: bool, flash_attention: str
) -> None:
    """Neither where it begins to be wrong, nor behind that; alone, beside others, and where some of it was shown."""
    with scheduling(broken_model, overlap=overlap, flash_attention=flash_attention) as scheduler:
        plain = run_in_turn(scheduler, *jobs(broken_model))
        if believed:
            run_in_turn(scheduler, *(drafted(result.job, result.completion) for result in plain * 2))
        for place in (3, 12, LENGTH - 2, LENGTH - 1):
            bad = [
                drafted(result.job, (*result.completion[:place], BROKEN, *result.completion[place + 1 :]))
                for result in plain
            ]
            bad[1] = drafted(bad[1], (*bad[1].draft[:8], BROKEN, *bad[1].draft[9:]))
            for found in (run_in_turn(scheduler, *bad), run(scheduler, *bad, plain[0].job)):
                assert [result.completion for result in found[: len(bad)]] == [result.completion for result in plain]
            (ticket,) = scheduler.submit(bad[:1], lambda: None)
            assert ticket.future.result(TIMEOUT).completion == plain[0].completion


def test_drafts_are_no_longer_than_what_may_be_said(q8: Model) -> None:
    with scheduling(q8, **AS_SERVED) as scheduler:
        plain = run_in_turn(scheduler, *jobs(q8))
        for n in (0, 1, 2, 5, LENGTH - 1):
            short = [
                drafted(each, result.completion) for each, result in zip(jobs(q8, max_tokens=n), plain, strict=True)
            ]
            found = run_in_turn(scheduler, *short)
            assert [result.completion for result in found] == [result.completion[:n] for result in plain]


def test_only_unquantized_weights_have_a_safe_lead(world: Model, q8: Model, q4: Model) -> None:
    assert (epsilon(world), epsilon(q8), epsilon(q4)) == (EPSILON, math.inf, math.inf)


def test_a_trial_moves_by_its_worse_end() -> None:
    rows = np.zeros((3, 4), np.float32)
    other = np.array([0, 0, 0.5, 0], np.float32)
    trial = Trial(10, np.arange(3, dtype=np.int32), alone=rows[0].copy(), rows=rows)
    assert (trial.end, trial.moved(rows[0]), trial.moved(other)) == (13, 0, 0.5)
    trial.alone = -3 * other
    assert trial.moved(other) == 1.5
    rows[-1, 0] = -math.inf
    assert trial.moved(rows[-1] + other) == math.inf


def test_an_audit_knows_the_bits_of_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    audit = Trial(10, np.array([5, 6, 7], np.int32), alone=None, rows=rows).audit()
    assert [audit.has(position, 6) for position in (10, 11, 12, 13)] == [False, True, False, False]
    assert all(audit.agrees(10 + i, row) for i, row in enumerate(rows.copy()))
    assert not audit.agrees(11, np.nextafter(rows[1], np.float32(9)))


def test_failing_trials_become_seldom() -> None:
    caution = Caution()
    tried = 0
    for _ in range(1000):
        if caution.lets_try():
            tried += 1
            caution.failed()
    assert 10 < tried < 30
    for _ in range(100):
        caution.lets_try()
    caution.succeeded()
    assert all(caution.lets_try() for _ in range(10))


def test_ends_are_believed_after_enough_rows_between_them() -> None:
    caution = Caution()
    for _ in range(PROOF):
        assert not caution.believes
        caution.saw_same()
    assert caution.believes
    caution.saw_other()
    assert not caution.believes
