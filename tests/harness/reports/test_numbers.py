from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reports import numbers

SHARES = st.floats(-1, 1)
ANY = st.floats(-1000, 1000)


@pytest.mark.parametrize(
    ("n_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (535_872, "535.9 kB"),
        (6_032_768, "6.0 MB"),
        (999_900_000, "999.9 MB"),
        (4_920_000_000, "4.9 GB"),
        (1_500_000_000_000, "1500.0 GB"),
    ],
)
def test_sizes(n_bytes: int, shown: str) -> None:
    assert numbers.size(n_bytes) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0.000"), (1, "1.000"), (0.81234, "0.812"), (math.nan, "")])
def test_figures(value: float, shown: str) -> None:
    assert numbers.figure(value) == shown


@pytest.mark.parametrize(
    ("values", "is_share", "shown"),
    [
        ((-0.006, -0.012, 0.001), True, "-0.6 pp (-1.2 .. +0.1)"),
        ((0.0, -0.001, 0.001), True, "+0.0 pp (-0.1 .. +0.1)"),
        ((-0.0004, -0.0012, 0.0004), True, "+0.0 pp (-0.1 .. +0.0)"),
        ((-1.0, -1.0, -0.9612), True, "-100.0 pp (-100.0 .. -96.1)"),
        ((1.08889, 1.0512, 1.13), False, "+1.0889 (+1.0512 .. +1.1300)"),
        ((-0.00003, -0.00003, -0.00003), False, "+0.0000 (+0.0000 .. +0.0000)"),
        ((0.25, math.nan, math.nan), False, "+0.2500 (no interval)"),
        ((math.nan, math.nan, math.nan), True, ""),
    ],
)
def test_differences(values: tuple[float, float, float], is_share: bool, shown: str) -> None:
    assert numbers.difference(*values, is_share=is_share) == shown


@given(SHARES, SHARES, SHARES)
def test_shares_always_carry_a_sign_and_zero_is_never_negative(delta: float, low: float, high: float) -> None:
    shown = numbers.difference(delta, low, high, is_share=True)
    match = re.fullmatch(r"([+-]\d+\.\d) pp \(([+-]\d+\.\d) \.\. ([+-]\d+\.\d)\)", shown)
    assert match
    assert "-0.0" not in match.groups()
    assert [float(group) for group in match.groups()] == pytest.approx([100 * delta, 100 * low, 100 * high], abs=0.051)


@given(ANY, ANY, ANY)
def test_other_differences_too(delta: float, low: float, high: float) -> None:
    shown = numbers.difference(delta, low, high, is_share=False)
    match = re.fullmatch(r"([+-]\d+\.\d{4}) \(([+-]\d+\.\d{4}) \.\. ([+-]\d+\.\d{4})\)", shown)
    assert match
    assert "-0.0000" not in match.groups()
    assert [float(group) for group in match.groups()] == pytest.approx([delta, low, high], abs=0.000051)


@pytest.mark.parametrize(
    ("delta", "low", "high", "higher", "lower"),
    [
        (0.15, 0.1, 0.2, "↑", "↓"),
        (-0.15, -0.2, -0.1, "↓", "↑"),
        (0.01, -0.1, 0.1, "(↑)", "(↓)"),
        (-0.01, -0.1, 0.1, "(↓)", "(↑)"),
        (0.05, 0.0, 0.1, "(↑)", "(↓)"),
        (-0.05, math.nan, math.nan, "(↓)", "(↑)"),
        (0.0, -0.1, 0.1, "", ""),
        (math.nan, math.nan, math.nan, "", ""),
    ],
)
def test_arrows_say_worse_or_better(delta: float, low: float, high: float, higher: str, lower: str) -> None:
    assert numbers.arrow(delta, low, high, higher_is_better=True, is_share=True) == higher
    assert numbers.arrow(delta, low, high, higher_is_better=False, is_share=True) == lower


@pytest.mark.parametrize(
    ("delta", "shown"), [(0.0004, (False, True)), (-0.00004, (False, False)), (0.001, (True, True))]
)
def test_what_is_shown_as_zero_has_no_arrow(delta: float, shown: tuple[bool, bool]) -> None:
    limits = {"low": delta - 0.00001, "high": delta + 0.00001}
    arrows = [numbers.arrow(delta, **limits, higher_is_better=True, is_share=is_share) for is_share in (True, False)]
    assert tuple(map(bool, arrows)) == shown


def test_ratios() -> None:
    assert numbers.ratio(1.3760009, 1.2946, 1.44728) == "1.3760 (1.2946 .. 1.4473)"
    assert numbers.ratio(0.9994, math.nan, math.nan) == "0.9994 (no interval)"
    assert numbers.ratio(1234567.0, 999.9, math.inf) == "1.235e+06 (999.9000 .. inf)"
    assert numbers.ratio(math.nan, math.nan, math.nan) == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.0%"), (0.0001, "<0.1%"), (0.003, "0.3%"), (0.0213, "2.1%"), (1.0, "100.0%"), (math.nan, "")],
)
def test_shares(value: float, shown: str) -> None:
    assert numbers.share(value) == shown


@given(st.floats(0, 1))
def test_a_share_reads_back_and_only_zero_is_zero(value: float) -> None:
    shown = numbers.share(value)
    assert shown == "<0.1%" or float(shown.removesuffix("%")) / 100 == pytest.approx(value, abs=0.00051)
    assert (shown == "0.0%") == (value == 0)


@pytest.mark.parametrize(
    ("nats", "shown"),
    [
        (0.0, "0"),
        (1e-8, "<0.0001"),
        (0.00061, "0.0006"),
        (0.0213, "0.021"),
        (0.612, "0.61"),
        (3.21, "3.2"),
        (12.3, "12"),
        (math.inf, "infinite"),
        (math.nan, ""),
    ],
)
def test_divergences(nats: float, shown: str) -> None:
    assert numbers.divergence(nats) == shown


@given(st.floats(5e-5, 1e4))
def test_a_divergence_reads_back(nats: float) -> None:
    shown = numbers.divergence(nats)
    assert "e" not in shown
    assert float(shown) == pytest.approx(nats, rel=0.051, abs=0.000051)


@pytest.mark.parametrize(
    ("value", "shown"), [(655.4, "655"), (9.96, "10"), (9.94, "9.9"), (0.04, "0.0"), (math.nan, "")]
)
def test_speeds(value: float, shown: str) -> None:
    assert numbers.speed(value) == shown


@given(st.floats(0.01, 1e6))
def test_a_ratio_reads_back(ratio: float) -> None:
    assert float(numbers.times(ratio)) == pytest.approx(ratio, rel=0.006, abs=0.051)


@given(st.integers(0, 10**9))
def test_a_count_reads_back(count: int) -> None:
    assert int(numbers.count(count).replace(",", "")) == count


@given(st.floats(0, 1))
def test_a_p_value_is_never_shown_as_zero(value: float) -> None:
    shown = numbers.p_value(value)
    assert shown == "<0.001" or (float(shown) > 0 and float(shown) == pytest.approx(value, abs=0.00051))
    assert (shown == "<0.001") == (value < 0.0005)


def test_a_missing_p_value_is_empty() -> None:
    assert numbers.p_value(math.nan) == ""
