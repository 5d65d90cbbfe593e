"""Models in GGUF files, each served by a process that the run starts for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.child_process import usable_cores
from harness.execution.abilities import Ability
from harness.models.bundled import BUNDLED_MODEL
from harness.models.candidates import Candidate, prepare
from harness.models.hub import Repository
from harness.models.null_run import NULL, null_candidate
from harness.served.base import Prepared
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A candidate, served alone."""

    candidate: Candidate
    folder: Path
    """Where its server's log is."""

    @property
    def label(self) -> str:
        """The candidate's."""
        return self.candidate.label

    @property
    def ability(self) -> Ability:
        """Our own server can do everything; :meth:`open` sees that it does it right."""
        return Ability(self.label)

    @property
    def vocabulary_size(self) -> int | None:
        """As its metadata say."""
        return self.candidate.facts.vocabulary_size

    @property
    def bytes_to_load(self) -> int | None:
        """Of the file, or of all its parts."""
        return self.candidate.facts.bytes

    @property
    def record(self) -> dict[str, Any]:
        """All that is known of the file, how it was made and how it is served."""
        facts, config, origin = self.candidate.facts, self.candidate.config, self.candidate.origin
        return {
            "label": self.label,
            "file": facts.path.name,
            "name": facts.name,
            "architecture": facts.architecture,
            "sha256": facts.sha256,
            "bytes": facts.bytes,
            "files": [{"name": file.path.name, "bytes": file.bytes, "sha256": file.sha256} for file in facts.files],
            "hub": origin and {"repo": origin.repo, "commit": origin.commit, "files": [f.name for f in origin.files]},
            "parameters": facts.parameters,
            "bits_per_weight": facts.bits_per_weight,
            "tensor_types": facts.tensor_types,
            "context_length": facts.context_length,
            "vocabulary_size": facts.vocabulary_size,
            "quantize": config.quantize.model_dump(mode="json") if config and config.quantize else None,
            "serve": self.candidate.serve.model_dump(mode="json"),
            "note": self.candidate.note,
        }

    @contextmanager
    def open(self, *, slots: int, store: Path | None) -> Iterator[Endpoint]:
        """A server of its own, found fit for scoring."""
        label, log = self.label, self.folder / f"server-{self.label}.log"
        with (
            ServerProcess(
                self.candidate.facts.path, label, self.candidate.serve, log, slots=slots, store=store
            ) as server,
            Endpoint(server.base_url, label, alive=server.check_alive) as endpoint,
        ):
            endpoint.self_test()
            yield endpoint


@dataclass(frozen=True, slots=True)
class Files:
    """What ``--model`` and ``--models`` name."""

    base: Path | Repository
    models: tuple[str, ...]
    cache_dir: Path

    def words(self) -> list[str]:
        """As :func:`harness.served.base.Source.words`."""
        return ["--models", ",".join(self.models), *(["--model", str(self.base)] if self.base != BUNDLED_MODEL else [])]

    def plain(self) -> dict[str, Any]:
        """Paths and names."""
        return {"base": str(self.base), "models": self.models, "cache_dir": str(self.cache_dir)}

    def prepare(self, reference: str | None, *, null: int | None, folder: Path, say: Callable[[str], None]) -> Prepared:
        """Download and quantize what has to be: :func:`harness.models.candidates.prepare`."""
        candidates, notes = prepare(
            self.base,
            list(self.models),
            reference,
            cache_dir=self.cache_dir,
            threads=usable_cores(),
            say=say,
            null=None if null is None else NULL,
        )
        if null is not None:
            again = null_candidate(candidates[0])
            candidates, notes = [*candidates, again], [*notes, *filter(None, [again.note])]
        return Prepared([ServedFile(candidate, folder) for candidate in candidates], notes)
