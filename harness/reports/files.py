"""A run on disk. Every file is written into a folder that gets its name only when all of it is there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import UserError


@contextmanager
def run_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` that becomes ``out`` when the block ends well, and vanishes when it does not.

    Raises:
        UserError: ``out`` already holds something, or its parent cannot be written to.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out: {out} already holds something; name a new folder.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise UserError(f"--out: {out} cannot be written: {error.strerror}; name another folder.") from error
    try:
        yield partial
        partial.chmod(0o755)
        partial.replace(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def write_run(
    folder: Path, instances: pd.DataFrame, degradation: pd.DataFrame, run: dict[str, Any], report: str
) -> None:
    """``instances.parquet``, ``degradation.parquet`` and ``.csv``, ``run.json`` and ``report.md``."""
    instances.to_parquet(folder / "instances.parquet", index=False)
    degradation.to_parquet(folder / "degradation.parquet", index=False)
    degradation.to_csv(folder / "degradation.csv", index=False)
    (folder / "run.json").write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n")
    (folder / "report.md").write_text(report)
