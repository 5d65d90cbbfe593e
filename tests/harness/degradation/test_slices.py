"""Losses are attributed to slices: made up ones first, and with properties that hold for all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.columns import SLICES
from harness.degradation.slices import FEWEST, Counts, lost, lost_more, slice_table
from harness.errors import RunError

Values = Mapping[str, Sequence[float | None]]


def answers(model: str, kinds: Values, scenario: str = "facts", *, trial: int = 0, **more: str) -> pd.DataFrame:
    """Rows of ``instances`` of one model: by kind, whether each answer is right; None where that is not known."""
    rows = [
        {"instance_id": f"{scenario}-{kind}-{i}", "kind": kind, "correct": None if value is None else value == 1}
        for kind, values in kinds.items()
        for i, value in enumerate(values)
    ]
    what = {"model": model, "scenario": scenario, "adapter": "generation", "perturbation": "", "metric": "exact_match"}
    return pd.DataFrame(rows).astype({"correct": "boolean"}).assign(**(what | more), trial=trial)


def table(*parts: pd.DataFrame) -> pd.DataFrame:
    return slice_table(pd.concat(parts, ignore_index=True), "f16")


def attributed(found: pd.DataFrame) -> list[tuple[str, str]]:
    return [(row["model"], row["kind"]) for row in found.to_dict("records") if row["attributed"]]


GOOD, BAD = [1.0] * 20, [0.0] * 20


def test_a_slice_that_lost_is_found_and_no_other() -> None:
    kinds = ("capital", "ruler", "money")
    found = table(
        answers("f16", dict.fromkeys(kinds, GOOD)), answers("q2_k", dict.fromkeys(kinds, GOOD) | {"ruler": BAD})
    )
    assert found.dtypes.astype(str).to_dict() == {column.name: column.type for column in SLICES}
    assert found["kind"].tolist() == list(kinds)
    assert found["delta"].tolist() == [0, -1, 0]
    assert attributed(found) == [("q2_k", "ruler")]


def test_two_slices_that_lost_are_both_found() -> None:
    kinds = {kind: GOOD for kind in "abcdefgh"}
    found = table(answers("f16", kinds), answers("q2_k", kinds | {"b": BAD, "e": BAD}))
    assert attributed(found) == [("q2_k", "b"), ("q2_k", "e")]


def test_damage_that_is_everywhere_alike_is_no_slices_own() -> None:
    found = table(answers("f16", {kind: GOOD for kind in "abcd"}), answers("q2_k", {kind: BAD for kind in "abcd"}))
    assert attributed(found) == []
    assert found["p_value"].tolist() == pytest.approx([1.0] * 4)


def test_a_whole_scenario_is_a_slice_where_it_has_no_kinds() -> None:
    parts = [answers(m, {"": v}, s) for m, s, v in (("f16", "sums", GOOD), ("f16", "facts", GOOD))]
    found = table(*parts, answers("q2_k", {"": BAD}, "sums"), answers("q2_k", {"": GOOD}, "facts"))
    assert found[["scenario", "attributed"]].to_numpy().tolist() == [["sums", True], ["facts", False]]


def test_gains_and_gains_elsewhere_are_no_loss() -> None:
    found = table(answers("f16", {"a": BAD, "b": BAD}), answers("q8_0", {"a": GOOD, "b": BAD}))
    assert attributed(found) == []


def test_each_model_is_looked_at_by_itself() -> None:
    kinds = {"a": GOOD, "b": GOOD}
    found = table(answers("f16", kinds), answers("q2_k", kinds | {"a": BAD}), answers("null", kinds))
    assert found["model"].tolist() == ["q2_k", "q2_k", "null", "null"]
    assert attributed(found) == [("q2_k", "a")]


def test_slices_of_few_instances_are_part_of_the_rest_only() -> None:
    few = [0.0] * (FEWEST - 1)
    found = table(answers("f16", {"a": GOOD, "b": [1.0] * len(few)}), answers("q2_k", {"a": GOOD, "b": few}))
    assert found[["kind", "n"]].to_numpy().tolist() == [["a", 20]]


def test_a_run_of_one_slice_has_no_rest_to_lose_more_than() -> None:
    found = table(answers("f16", {"a": GOOD}), answers("q2_k", {"a": BAD}))
    assert found[["delta", "p_value", "attributed"]].to_numpy().tolist() == [[-1, 1, False]]


def test_trials_of_one_instance_count_once() -> None:
    kinds = {"a": [1.0] * 12, "b": [1.0] * 12}
    right = [answers(model, kinds, trial=trial) for model in ("f16",) for trial in (0, 1, 2)]
    first, others = kinds | {"a": [0.0] * 12}, kinds
    found = table(*right, *(answers("q2_k", one, trial=trial) for trial, one in enumerate((first, others, others))))
    assert found["n"].tolist() == [12, 12]
    assert found["delta"].tolist() == [-1, 0]  # right less often than the reference, if only in one trial of three
    assert found["p_value"][0] == pytest.approx(max(0.5**12, 1 / math.comb(24, 12)))


@pytest.mark.parametrize("more", [{"perturbation": "lowercase"}, {"metric": "f1_score"}, {"metric": "bits_per_byte"}])
def test_only_originals_that_are_right_or_wrong_are_looked_at(more: dict[str, str]) -> None:
    found = table(answers("f16", {"a": GOOD}, **more), answers("q2_k", {"a": BAD}, **more))
    assert len(found) == 0
    assert list(found.columns) == [column.name for column in SLICES]


def test_answers_without_a_judgement_are_left_out_of_n() -> None:
    found = table(answers("f16", {"a": GOOD, "b": GOOD}), answers("q8_0", {"a": [None] * 5 + GOOD[5:], "b": GOOD}))
    assert found["n"].tolist() == [15, 20]
    nothing = table(answers("f16", {"a": GOOD}), answers("q8_0", {"a": [None] * 20}))
    assert len(nothing) == 0


def test_one_model_alone_and_nothing_at_all_have_empty_tables() -> None:
    assert len(table(answers("f16", {"a": GOOD}))) == 0
    assert len(slice_table(answers("f16", {"a": GOOD}).iloc[:0], "f16")) == 0


def test_an_instance_without_its_pair_is_named() -> None:
    with pytest.raises(RunError, match=r"^facts: instance 'facts-a-19' was not asked of both q8_0 and the reference"):
        table(answers("f16", {"a": GOOD}), answers("q8_0", {"a": GOOD[:-1]}))


def test_an_answer_that_is_there_twice_is_named() -> None:
    with pytest.raises(RunError, match=r"^facts: the answer to 'facts-a-0' is there twice"):
        table(answers("f16", {"a": GOOD}), *[answers("q8_0", {"a": GOOD})] * 2)


def test_lost_is_the_binomial_tail() -> None:
    assert lost(Counts(0, 0, 5)) == 1
    assert lost(Counts(5, 0, 9)) == pytest.approx(1 / 32)
    assert lost(Counts(0, 5, 9)) == 1


counts = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).map(lambda c: Counts(c[0], c[1], sum(c)))


@settings(max_examples=60, deadline=None)
@given(counts, counts)
def test_lost_more_counts_all_permutations(inside: Counts, outside: Counts) -> None:
    changes = [
        value
        for part in (inside, outside)
        for value, times in ((1, part.to_wrong), (-1, part.to_right), (0, part.n - part.to_wrong - part.to_right))
        for _ in range(times)
    ]
    seen = inside.to_wrong - inside.to_right
    drawn = list(itertools.combinations(changes, inside.n)) if len(changes) <= 12 else []
    found = lost_more(inside, outside)
    assert 0 <= found <= 1
    if drawn:
        assert found == pytest.approx(np.mean([sum(one) >= seen for one in drawn]))


@settings(max_examples=20, deadline=None)
@given(
    rates=st.lists(st.floats(0, 0.3), min_size=2, max_size=6),
    seed=st.integers(0, 99),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(rates: list[float], seed: int, random: object) -> None:
    rng = np.random.default_rng(seed)
    kinds = {f"k{i}": list((rng.random(15) > rate).astype(float)) for i, rate in enumerate(rates)}
    whole = pd.concat([answers("f16", {kind: [1.0] * 15 for kind in kinds}), answers("q2_k", kinds)], ignore_index=True)
    order = list(whole.index)
    random.shuffle(order)  # type: ignore[attr-defined]
    straight, shuffled = (
        slice_table(rows, "f16").sort_values("kind", ignore_index=True) for rows in (whole, whole.loc[order])
    )
    pd.testing.assert_frame_equal(straight, shuffled)
    assert (straight["p_bh"] >= straight["p_value"] - 1e-12).all()


def test_noise_is_attributed_to_nothing_in_most_runs() -> None:
    # Flips of 5% in either direction, 10 slices of 30: of null runs, one in twenty at most may find something.
    rng = np.random.default_rng(0)
    finds = 0
    for _ in range(25):
        reference = {f"k{i}": list((rng.random(30) < 0.8).astype(float)) for i in range(10)}
        flipped = {k: [1 - v if rng.random() < 0.05 else v for v in values] for k, values in reference.items()}
        finds += bool(attributed(table(answers("f16", reference), answers("null", flipped))))
    assert finds <= 2
