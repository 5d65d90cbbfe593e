from __future__ import annotations

import math
import random
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.efficiency.samples import COLUMNS, Quantity, Sample, efficiency_table, samples_frame

MODELS = [{"label": label, "bytes": size, "bits_per_weight": size / 100} for label, size in (("b", 1600), ("a", 850))]
SAMPLES = st.lists(
    st.builds(
        Sample,
        st.sampled_from(["a", "b", "unknown"]),
        st.integers(0, 5),
        st.sampled_from(list(Quantity)),
        st.floats(0.001, 1e6) | st.just(math.nan),
    ),
    max_size=40,
)


def table_of(*samples: Sample) -> pd.DataFrame:
    return efficiency_table(samples_frame(samples), MODELS).set_index("model").astype({"bytes": float})


def test_medians_and_spreads_are_those_of_the_rounds() -> None:
    speeds = {1: [10.0, 30.0], 2: [40.0], 3: [1000.0], 4: [50.0], 5: [60.0]}
    prefill = [Sample("a", n, Quantity.PREFILL, value) for n, values in speeds.items() for value in values]
    first = [Sample("a", n % 5 + 1, Quantity.FIRST_TOKEN, n / 100) for n in range(101)]
    memory = [Sample("a", n, Quantity.PEAK_RSS, value) for n, value in ((0, 700.0), (5, 500.0))]
    row = table_of(*prefill, *first, *memory, Sample("a", 0, Quantity.GPU, 0.0)).loc["a"]
    assert row["prefill_tokens_per_second"] == 50  # of 20, 40, 1000, 50, 60
    assert row["prefill_iqr"] == 20
    assert row["first_token_p50"] == pytest.approx(0.5)
    assert row["first_token_p95"] == pytest.approx(0.95)
    assert (row["peak_rss_bytes"], row["gpu_bytes"], row["rounds"]) == (700, 0, 5)
    assert math.isnan(row["decode_tokens_per_second"])


def test_one_round_has_no_spread() -> None:
    row = table_of(Sample("a", 1, Quantity.DECODE, 12.5)).loc["a"]
    assert (row["decode_tokens_per_second"], row["rounds"]) == (12.5, 1)
    assert math.isnan(row["decode_iqr"])


@pytest.mark.parametrize("empty", [pd.DataFrame(), samples_frame([])], ids=["no columns", "no rows"])
def test_without_samples_files_are_known_yet(empty: pd.DataFrame) -> None:
    table = efficiency_table(empty, MODELS)
    assert tuple(table.columns) == tuple(column.name for column in COLUMNS)
    assert table["model"].tolist() == ["b", "a"]
    assert table["bytes"].tolist() == [1600, 850]
    assert table["rounds"].tolist() == [0, 0]
    assert table.drop(columns=["model", "bytes", "bits_per_weight", "rounds"]).isna().all(axis=None)


def test_what_is_no_file_has_no_size() -> None:
    unknown = {"label": "c", "bytes": None, "bits_per_weight": None}
    table = efficiency_table(samples_frame([Sample("c", 1, Quantity.DECODE, 12.5)]), [*MODELS, unknown])
    assert table["bytes"].tolist()[:2] == [1600, 850]  # and no fractions in the file
    assert table[["bytes", "bits_per_weight"]].isna().all(axis=1).tolist() == [False, False, True]
    assert table["decode_tokens_per_second"].tolist()[2] == 12.5


@settings(deadline=None)
@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(samples: list[Sample], rng: random.Random) -> None:
    shuffled = rng.sample(samples, len(samples))
    pd.testing.assert_frame_equal(table_of(*samples), table_of(*shuffled))


@settings(deadline=None)
@given(SAMPLES)
def test_samples_that_are_none_change_nothing(samples: list[Sample]) -> None:
    table = table_of(*samples)
    pd.testing.assert_frame_equal(table, table_of(*(s for s in samples if not math.isnan(s.value))))
    spreads = table[["prefill_iqr", "decode_iqr"]]
    assert (spreads.isna() | (spreads >= 0)).all(axis=None)
    known = table.dropna(subset="first_token_p50")
    assert (known["first_token_p95"] >= known["first_token_p50"]).all()
    assert table.index.tolist() == ["b", "a"]


@settings(deadline=None)
@given(SAMPLES)
def test_models_have_nothing_to_do_with_each_other(samples: list[Sample]) -> None:
    alone = table_of(*(sample for sample in samples if sample.model == "a"))
    pd.testing.assert_frame_equal(table_of(*samples).loc[["a"]], alone.loc[["a"]])


PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"


def test_the_docs_list_every_column_with_its_meaning() -> None:
    section = PAGE.read_text(encoding="utf-8").split("\n## Efficiency\n")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)) == {c.name: c.meaning for c in COLUMNS}
