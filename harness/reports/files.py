"""A run on disk. Every file is written into a folder that gets its name only when all of it is there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.divergence.records import SCHEMA as TOKEN_SCHEMA
from harness.efficiency.samples import efficiency_table
from harness.errors import RunError, UserError
from harness.execution.records import SCHEMA, SCORE_SCHEMA
from harness.models.gguf_facts import file_sha256
from harness.reports.markdown import markdown_report
from harness.reports.page import html_page
from harness.results import Run


@contextmanager
def run_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` that becomes ``out`` when the block ends well, and vanishes when it does not.

    Raises:
        UserError: ``out`` already holds something, or nothing can take its place.
        RunError: somebody else took the place meanwhile; the temporary folder is kept, and named.
    """
    made: list[Path] = []
    try:
        out = out.resolve()  # a link or "." cannot be replaced, but what it stands for can
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"--out: {out} already holds something; name a new folder.")
        if out.is_mount():
            raise UserError(f"--out: {out} is where a disk is mounted; name a new folder in it.")
        for parent in [parent for parent in reversed(out.parents) if not parent.exists()]:
            parent.mkdir(exist_ok=True)
            made.insert(0, parent)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        _remove_empty(made)
        raise UserError(f"--out: {out} cannot be written: {error.strerror}; name another folder.") from error
    try:
        yield partial
        partial.chmod(0o755)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_empty(made)
        raise
    try:
        partial.replace(out)
    except OSError as error:  # hours of answers are not thrown away over a name
        raise RunError(f"{out} was taken while this run was under way; its results are in {partial}.") from error


def _remove_empty(folders: list[Path]) -> None:
    """Take away what was made for nothing, unless somebody else has put something there."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def write_run(folder: Path, run: Run) -> None:
    """``run.json``, the frames as Parquet and those of what was found as CSV too, and the reports.

    The record gets ``remarks``, the notes among what was found, and ``files``, the SHA-256 of every Parquet file.
    """
    for name, schema in (("instances", SCHEMA), ("scores", SCORE_SCHEMA), ("tokens", TOKEN_SCHEMA)):
        measured: pd.DataFrame = getattr(run.measured, name).reindex(columns=schema.names)
        pq.write_table(pa.Table.from_pandas(measured, schema, preserve_index=False), folder / f"{name}.parquet")
    run.measured.efficiency.to_parquet(folder / "efficiency.parquet", index=False)
    efficiency = efficiency_table(run.measured.efficiency, run.models)
    efficiency.to_csv(folder / "efficiency.csv", index=False)
    for name in ("degradation", "slices"):
        found: pd.DataFrame = getattr(run.findings, name)
        found.to_parquet(folder / f"{name}.parquet", index=False)
        found.to_csv(folder / f"{name}.csv", index=False)
    hashes = {path.name: file_sha256(path) for path in sorted(folder.glob("*.parquet"))}
    record = run.record | {"remarks": run.findings.notes, "files": hashes}
    _write(folder / "run.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    write_reports(folder, run)


def write_reports(folder: Path, run: Run) -> None:
    """``report.md`` and ``report.html``, in place of what was there."""
    _write(folder / "report.md", markdown_report(run))
    _write(folder / "report.html", html_page(run))


def _write(path: Path, text: str) -> None:
    """In UTF-8; the halves of a character, which a path may have, as their numbers."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
