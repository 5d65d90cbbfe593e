from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.degradation.advice import advice, noise_floor
from harness.degradation.verdict import Verdict


@pytest.mark.parametrize(
    ("verdict", "n_more", "lost", "sentence"),
    [
        (
            Verdict.BEYOND,
            None,
            ["sums", "facts"],
            "Do not take it: it loses 2.5 points, more than the margin, in sums and facts above all.",
        ),
        (Verdict.BEYOND, None, [], "Do not take it: it loses 2.5 points, more than the margin."),
        (
            Verdict.DEGRADED,
            None,
            [],
            "Take it only if you must: it loses 2.5 points; ask more to see if that is beyond the margin.",
        ),
        (
            Verdict.SMALL,
            None,
            [],
            "Take it if you can spare 2.5 points: the loss is shown, and shown to be within the margin.",
        ),
        (
            Verdict.EQUIVALENT,
            None,
            [],
            "Fit for use: over all questions, any difference is shown to be within the margin.",
        ),
        (
            Verdict.NONINFERIOR,
            None,
            ["a", "b", "c", "d", "e"],
            "Fit for use, but not for a, b, c and 2 more, where a loss is shown: over all questions, any loss is shown "
            "to be within the margin.",
        ),
        (
            Verdict.INCONCLUSIVE,
            1640,
            [],
            "Ask 1,640 more instances: what it loses may be within the margin or beyond.",
        ),
        (
            Verdict.INCONCLUSIVE,
            None,
            ["sums"],
            "Do not count on it: it lost 2.5 points so far, in sums above all; more instances would rather show that "
            "loss.",
        ),
        (Verdict.REFERENCE, None, [], "What the others are compared with."),
        ("", None, ["text"], "No question was right or wrong; it lost in text."),
    ],
)
def test_each_verdict_has_its_sentence(verdict: str, n_more: int | None, lost: list[str], sentence: str) -> None:
    assert advice(verdict, -0.025, n_more, lost) == sentence


def test_the_noise_floor_tells_flips_if_there_are_any_to_tell() -> None:
    assert noise_floor(0.0125) == "The noise floor: the reference, asked once more, and 1.2% of its answers flipped."
    assert noise_floor(math.nan) == "The noise floor: the reference, asked once more."


@given(
    st.sampled_from([*Verdict, ""]),
    st.floats(-1, 1),
    st.none() | st.integers(1, 10**6),
    st.lists(st.sampled_from(["sums", "facts", "text", "older"]), unique=True),
)
def test_it_is_always_one_sentence(verdict: str, delta: float, n_more: int | None, lost: list[str]) -> None:
    found = advice(verdict, delta, n_more, lost)
    assert re.fullmatch(r"[A-Z](?:[^.]|\.\d)*\.", found)
    assert "nan" not in found
