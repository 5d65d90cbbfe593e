from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.measure import Comparison
from bench.setup import BenchError, Inputs, Setup
from bench.table import BEGIN, END, as_json, as_markdown, insert, number, print_table

COMPARISONS = [
    Comparison(
        row="decode",
        work="decode ×16, streamed",
        against="batched-bench",
        unit="tokens/s",
        ours=(600, 610, 620),
        theirs=(640, 650, 630),
        bound=0.90,
        notes=("the client took 3% of a core",),
    ),
    Comparison(
        row="choice",
        work="choice, rows needed",
        against="perplexity",
        unit="items/s",
        ours=(6.0, 6.2),
        theirs=(6.5, 6.5),
        bound=1.00,
    ),
    Comparison(
        row="memory",
        work="peak memory",
        against="model + cache",
        unit="MiB",
        ours=(1390,),
        theirs=(420,),
        bound=1024,
        excess=True,
    ),
]
COMMAND = "python -m bench --model narrow.gguf"


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(setup=Setup(threads=2), scratch=tmp_path, rounds=3, seed=0, say=print)


def test_the_table_fits_a_terminal() -> None:
    written = io.StringIO()
    print_table(COMPARISONS, Console(file=written, width=80, highlight=False, markup=False))
    assert [line.rstrip() for line in written.getvalue().splitlines()] == [
        "",
        " work                  against         ours  theirs    ratio (spread)     bound",
        " ──────────────────────────────────────────────────────────────────────────────",
        " decode ×16, streamed  batched-bench    610     640  0.94 (0.94-0.98)     ≥0.90",
        " choice, rows needed   perplexity      6.10    6.50  0.94 (0.92-0.95)  ≥1.00 no",
        " peak memory           model + cache  1,390     420              +970   ≤+1,024",
        "",
        "decode: tokens/s; choice: items/s; memory: MiB",
        "decode ×16, streamed: the client took 3% of a core",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.905, "0.91"), (9.99, "9.99"), (48.25, "48.2"), (1585.4, "1,585"), (-3, "-3.00")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_json_holds_every_figure_and_what_it_was_measured_by(inputs: Inputs) -> None:
    report = json.loads(as_json(COMPARISONS, inputs, COMMAND))
    assert report["command"] == COMMAND
    assert report["setup"]["batch"] == 512
    assert report["machine"]["cores"]
    first = report["comparisons"][0]
    assert (first["ours"], first["theirs"], first["bound"]) == ([600, 610, 620], [640, 650, 630], 0.9)
    assert first["score"] == pytest.approx(610 / 650)
    assert [line["holds"] for line in report["comparisons"]] == [True, False, True]


def test_markdown_goes_between_the_marks_and_again_in_place_of_itself(inputs: Inputs) -> None:
    document = inputs.scratch / "benchmarks.md"
    document.write_text(f"# Figures\n\n{BEGIN}\nold\n{END}\n\nLast words\n", encoding="utf-8")
    for _ in range(2):
        insert(document, as_markdown(COMPARISONS, inputs, COMMAND))
        text = document.read_text(encoding="utf-8")
        assert text.startswith(f"# Figures\n\n{BEGIN}\n\n    {COMMAND}\n\nMeasured over 3 rounds. cpu: ")
        assert text.endswith(f"- decode ×16, streamed: the client took 3% of a core\n\n{END}\n\nLast words\n")
        assert "\n| choice, rows needed | perplexity | 6.10 | 6.50 | 0.94 (0.92-0.95) | ≥1.00 no |\n" in text
        assert "old" not in text


def test_a_document_without_marks_is_left_alone(inputs: Inputs) -> None:
    document = inputs.scratch / "benchmarks.md"
    document.write_text(f"{BEGIN}\nno end\n", encoding="utf-8")
    with pytest.raises(BenchError, match="it has no lines"):
        insert(document, "figures")
    assert document.read_text(encoding="utf-8") == f"{BEGIN}\nno end\n"


def test_the_page_has_the_marks() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert page.index(BEGIN) < page.index(END)
