"""A run on disk. Every file is written into a folder that gets its name only when all of it is there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import RunError, UserError


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


def write_run(
    folder: Path,
    instances: pa.Table,
    scores: pa.Table,
    degradation: pd.DataFrame,
    run: dict[str, Any],
    report: str,
) -> None:
    """``instances.parquet``, ``scores.parquet``, ``degradation.parquet`` and ``.csv``, ``run.json``, ``report.md``."""
    pq.write_table(instances, folder / "instances.parquet")
    pq.write_table(scores, folder / "scores.parquet")
    degradation.to_parquet(folder / "degradation.parquet", index=False)
    degradation.to_csv(folder / "degradation.csv", index=False)
    (folder / "run.json").write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(report, encoding="utf-8")
