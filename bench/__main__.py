"""``python -m bench``: measure the server against llama.cpp's own tools, and print the ratios."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from bench import decode, divergence, draft, memory, multiple_choice, scoring, whole_harness
from bench.measure import Comparison
from bench.setup import BenchError, Inputs, Setup, cores
from bench.table import as_json, as_markdown, insert, print_table

EXIT_MISSED = 1
EXIT_USAGE = 2


class Row(NamedTuple):
    """A family of comparisons that is chosen by one name."""

    measure: Callable[[Inputs], list[Comparison]]
    needs: tuple[str, ...]
    """Fields of :class:`Inputs` that must be given."""


ROWS = {
    "decode": Row(decode.measure, ("tools", "model")),
    "scoring": Row(scoring.measure, ("model",)),
    "choice": Row(multiple_choice.measure, ("tools", "model", "hellaswag")),
    "divergence": Row(divergence.measure, ("tools", "model")),
    "harness": Row(whole_harness.measure, ("tools", "model", "hellaswag")),
    "wide": Row(scoring.measure_wide, ("wide_model",)),
    "memory": Row(memory.measure, ("wide_model",)),
    "draft": Row(draft.measure, ("draft_model",)),
}
OPTIONS = {
    "tools": "--llama-tools",
    "model": "--model",
    "wide_model": "--wide-model",
    "hellaswag": "--hellaswag",
    "draft_model": "--draft-model",
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    llama_tools: Annotated[
        Path | None, typer.Option(help="Folder with llama-batched-bench, llama-server and llama-perplexity.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="GGUF file; docs/benchmarks.md says how to make it.")] = None,
    wide_model: Annotated[Path | None, typer.Option(help="GGUF file with a vocabulary of 152,000 tokens.")] = None,
    hellaswag: Annotated[Path | None, typer.Option(help="HellaSwag's validation split as a Parquet file.")] = None,
    draft_model: Annotated[
        Path | None, typer.Option(help="F16 GGUF whose answers its quantizations get as predictions.")
    ] = None,
    draft_text: Annotated[
        Path | None, typer.Option(help="What they go on from.", show_default="the bundled model's world")
    ] = None,
    rows: Annotated[
        str, typer.Option(help=f"What to measure, by commas: {', '.join(ROWS)}.", show_default="all that can be")
    ] = "",
    rounds: Annotated[int, typer.Option(min=1, help="How often each side is measured.")] = 3,
    clients: Annotated[str, typer.Option(help="Numbers of parallel clients that decode, by commas.")] = "1,4,8,16",
    prompts: Annotated[int, typer.Option(min=1, help="512-token prompts scored in a round.")] = 16,
    items: Annotated[int, typer.Option(min=1, help="Items of HellaSwag, in all rounds together.")] = 400,
    threads: Annotated[int, typer.Option(min=0, help="Threads on each side; 0: all cores.")] = 0,
    batch: Annotated[int, typer.Option(min=32, help="n_batch and n_ubatch on each side.")] = 512,
    flash_attention: Annotated[bool, typer.Option(help="Use flash attention on each side.")] = True,
    kv_unified: Annotated[
        bool, typer.Option("--kv-unified", help="Let llama.cpp's tools share one KV cache among all sequences.")
    ] = False,
    bare_rows: Annotated[
        int | None, typer.Option(min=1, help="Rows of logits in a batch of the bare loop, at most.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random prompts.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the raw figures here.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Put the table into this document, between its two marks.")
    ] = None,
) -> None:
    """Measure the server against llama.cpp's own tools: both sides in turn, on the same cores, judged by medians."""
    signal.signal(signal.SIGTERM, _stop)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        try:
            inputs = Inputs(
                setup=Setup(
                    threads=threads or cores(),
                    batch=batch,
                    peers_unified=kv_unified,
                    slots=max(16, *numbers(clients)),
                    flash_attention="on" if flash_attention else "off",
                ),
                scratch=Path(scratch),
                rounds=rounds,
                seed=seed,
                say=_say,
                tools=llama_tools,
                model=_file(model, "--model"),
                wide_model=_file(wide_model, "--wide-model"),
                hellaswag=_file(hellaswag, "--hellaswag"),
                draft_model=_file(draft_model, "--draft-model"),
                draft_text=_file(draft_text, "--draft-text"),
                clients=numbers(clients),
                prompts=prompts,
                items=items,
                bare_rows=bare_rows,
            )
            comparisons = [found for row in chosen(rows, inputs) for found in ROWS[row].measure(inputs)]
            print_table(comparisons, Console(highlight=False, markup=False))
            command = _command()
            if json_file is not None:
                json_file.write_text(as_json(comparisons, inputs, command), encoding="utf-8")
            if markdown is not None:
                insert(markdown, as_markdown(comparisons, inputs, command))
        except (BenchError, OSError) as error:
            _say(f"error: {error}")
            raise typer.Exit(EXIT_USAGE) from None
    if not all(comparison.holds for comparison in comparisons):
        raise typer.Exit(EXIT_MISSED)


def chosen(rows: str, inputs: Inputs) -> list[str]:
    """Names of the rows to measure; where none is named, those whose inputs are there.

    Raises:
        BenchError: a name is unknown, or what its row needs is not given.
    """
    named = [name for part in rows.split(",") if (name := part.strip())]
    for name in named:
        if name not in ROWS:
            raise BenchError(f"there is no row {name!r}; choose from {', '.join(ROWS)}.")
    found = []
    for name in named or ROWS:
        missing = [OPTIONS[field] for field in ROWS[name].needs if getattr(inputs, field) is None]
        if not missing:
            found.append(name)
        elif named:
            raise BenchError(f"row {name!r} needs {' and '.join(missing)}.")
        else:
            inputs.say(f"{name}: left out, it needs {' and '.join(missing)}")
    if not found:
        raise BenchError(f"there is nothing to measure; give {OPTIONS['model']} or {OPTIONS['wide_model']}.")
    return found


def numbers(text: str) -> tuple[int, ...]:
    """Positive whole numbers by commas.

    Raises:
        BenchError: it is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise BenchError(f"--clients takes whole numbers by commas, such as 1,4,16, not {text!r}.")
    return tuple(map(int, parts))


def _file(path: Path | None, option: str) -> Path | None:
    if path is not None and not path.is_file():
        raise BenchError(f"{option}: there is no file {path}.")
    return path


def _stop(number: int, _frame: FrameType | None) -> None:
    """End as by an exception, so that no server is left behind."""
    sys.exit(128 + number)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _command() -> str:
    """The command as it was given, without the folders of this machine."""
    arguments = " ".join(sys.argv[1:])
    return f"python -m bench {re.sub(r'[^ =]*/', '', arguments)}"


if __name__ == "__main__":
    app(prog_name="python -m bench")
