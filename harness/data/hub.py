"""Tables from the Hugging Face Hub through ``datasets``, each kept as one Parquet file once it has been downloaded.

They are kept by their commit in a folder of our own within the cache of ``datasets``, so that it is known without the
network what is here, and a table that is here means the same rows for ever. A branch stands for the commit that it was
at when a table of it was first downloaded (:mod:`harness.data.branches`).

``datasets`` is imported late: it takes a second, which a run on local tables need not wait for.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.data.branches import branches_file, is_commit, known_commit, remember
from harness.data.parquet import count_rows, read_rows
from harness.data.table import CONVERTED, MIRROR_ONLY, Row, Table
from harness.errors import MissingTable
from harness.http_errors import TRANSPORT_ERRORS
from harness.hub_cache import cache_folder
from harness.names import is_plain_name

REMEDY = "once that is mended, `harness scenarios prefetch {scenario}` gets it"


class Hub:
    """The Hub and what has been downloaded from it. ``HF_ENDPOINT`` and the Hub's other settings are honoured."""

    def __init__(self, say: Callable[[str], None] = lambda _line: None, cache: Path | None = None) -> None:
        """``say`` gets a line for each download."""
        self._say = say
        self._cache = cache or default_cache()
        self._unreachable = False

    def rows(self, table: Table) -> Iterable[Row]:
        """All rows; the table is downloaded if it is not here.

        Raises:
            MissingTable: it cannot be downloaded, or what is here is damaged.
        """
        path = self._path(table)
        return read_rows([path if path and path.is_file() else self._download(table)])

    def has(self, table: Table) -> bool:
        """Whether the table is here; the network is not asked."""
        try:
            path = self._path(table)
        except MissingTable:  # whoever asks for its rows is told
            return False
        return path is not None and path.is_file()

    def count(self, table: Table) -> int | None:
        """Rows, without reading them; None where the table is not here."""
        path = self._path(table) if self.has(table) else None
        return count_rows([path]) if path else None

    def provenance(self, table: Table) -> dict[str, Any]:
        """For a run's record, of a table that is here: its name, its commit on the Hub and its number of rows.

        Raises:
            MissingTable: it is damaged.
        """
        commit = known_commit(self._folder(table), table.revision)
        return table.name() | {"rows": self.count(table), "source": "hub", "revision": table.revision, "commit": commit}

    def _download(self, table: Table) -> Path:
        if table.revision == MIRROR_ONLY:
            raise MissingTable(f"{table} is not on the Hub", "--dataset-dir names a folder that has it")
        folder = self._folder(table)
        known = known_commit(folder, table.revision)
        # The library tries for half a minute, which a run with forty scenarios is not to wait for forty times.
        if not self._unreachable:
            self._say(f"downloading {table}")
            try:
                commit = known or _commit(table)
                path = _path(folder, commit, table)
                _download(table, commit, path)
                if not known:
                    remember(folder, table.revision, commit)
                return path
            except Exception as error:  # the library raises errors of many kinds of its own and of those below it
                if not _is_unreachable(error):
                    remedy = REMEDY if known in (None, table.revision) else _follow_again(folder, table)
                    raise MissingTable(f"{table} cannot be downloaded ({_reason(error)})", remedy) from error
                self._unreachable = True
        raise MissingTable(f"{table} cannot be downloaded, because the Hub is out of reach", REMEDY)

    def _folder(self, table: Table) -> Path:
        # All of them become parts of paths, and a scenario's file may come from anybody.
        for name in (*table.dataset.split("/"), table.config, table.split):
            if not is_plain_name(name):
                raise MissingTable(f"{table} cannot be kept, {name!r} is no plain name", "write it as the Hub does")
        return self._cache / table.dataset

    def _path(self, table: Table) -> Path | None:
        """Where the table is, if it is here; None for a branch of which nothing is."""
        folder = self._folder(table)
        commit = known_commit(folder, table.revision)
        return _path(folder, commit, table) if commit else None


def _path(folder: Path, commit: str, table: Table) -> Path:
    return folder / commit / table.config / f"{table.split}.parquet"


def _follow_again(folder: Path, table: Table) -> str:
    return f"{REMEDY}; if that commit is gone, remove {branches_file(folder)} to take {table.revision} as it is now"


def default_cache() -> Path:
    """A folder in the cache of ``datasets``, which ``HF_DATASETS_CACHE`` and ``HF_HOME`` move."""
    return cache_folder("datasets", "HF_DATASETS_CACHE") / "quant-harness"


def _commit(table: Table) -> str:
    """The commit that a branch or tag is at now."""
    _library()
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        found = huggingface_hub.HfApi().dataset_info(table.dataset, revision=table.revision, timeout=60).sha or ""
    except GatedRepoError as error:
        raise ValueError("it is gated: accept its terms on the Hub and log in with `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise ValueError(f"it has no revision {table.revision!r}") from error
    except RepositoryNotFoundError as error:
        raise ValueError("it doesn't exist on the Hub, or may not be seen") from error
    if not is_commit(found):  # it becomes part of a path
        raise ValueError(f"the Hub names no commit of {table.revision!r}")
    return found


def _download(table: Table, commit: str, path: Path) -> None:
    datasets = _library()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
        part = {"data_dir" if table.revision == CONVERTED else "name": table.config}
        builder = datasets.load_dataset_builder(table.dataset, revision=commit, cache_dir=folder, **part)
        files = builder.config.data_files
        if table.split not in files:
            raise ValueError(f"it has no split {table.split!r}, but {', '.join(map(repr, files))}")
        # The library would download all splits, of which the training data may be a thousand times as large.
        builder.config.data_files = datasets.data_files.DataFilesDict({table.split: files[table.split]})
        stated = (builder.info.splits or {}).get(table.split)
        builder.download_and_prepare(verification_mode="no_checks")
        found = builder.as_dataset(split=table.split)
        # With all splits there the library itself would check this.
        if stated and stated.num_examples != len(found):
            raise ValueError(f"its card states {stated.num_examples} rows and there are {len(found)}")
        made = Path(folder, "table.parquet")
        found.to_parquet(str(made))
        made.replace(path)


def _library() -> Any:
    """``datasets``, silent and without the requests by which it counts its users."""
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
    import datasets
    import huggingface_hub

    datasets.disable_progress_bars()
    # What goes wrong comes as an error too, and reaches the user as one sentence.
    datasets.logging.set_verbosity(logging.CRITICAL)
    huggingface_hub.logging.set_verbosity(logging.CRITICAL)
    return datasets


def _reason(error: BaseException) -> str:
    """The first line of an error; of one that only says that generating failed, the error behind it."""
    while type(error).__name__.startswith("DatasetGeneration") and error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).splitlines()), "").rstrip(". ") or type(error).__name__


def _is_unreachable(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, is that nobody answered or that nobody may be asked."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    while error is not None:
        if isinstance(error, (*TRANSPORT_ERRORS, ConnectionError, OfflineModeIsEnabled)):
            return True
        error = error.__cause__ or error.__context__
    return False
