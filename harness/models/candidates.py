"""From what was asked for on the command line to GGUF files that can be served: the reference and its candidates."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UserError
from harness.models.config import QuantConfig, ServeConfig, config_names, load_config
from harness.models.ggml_types import FLOAT_TYPES
from harness.models.gguf_facts import GgufFacts, read_facts
from harness.models.hub import Repository, open_repository
from harness.models.hub_names import REFERENCES, HubFile, Published, best, hub_id
from harness.models.quantize import fallbacks, quantize


@dataclass(frozen=True, slots=True)
class Origin:
    """Where on the Hub a candidate's files are from."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model, in one GGUF file or in several parts, and how it is served."""

    label: str
    """What tables call it; unique in a run."""
    facts: GgufFacts
    serve: ServeConfig
    config: QuantConfig | None = None
    """What it was made by, unless it was given as a file."""
    note: str | None = None
    """A sentence that a reader must know before trusting its name."""
    origin: Origin | None = None
    """``None`` for a file that was given, and for one that was made here."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A candidate to be: what it will be called, and how to come by it, which may take hours."""

    label: str
    make: Callable[[], Candidate]


def find_base(model: str) -> Path | Repository:
    """What ``--model`` means: a file, or a repository of the Hub as it is at this moment.

    Raises:
        UserError: the Hub has no such repository, does not show it, or nothing in it can be told apart by name.
        RunError: the Hub cannot be reached.
    """
    path = Path(model)
    hub = None if _exists(path) else hub_id(model)
    return path if hub is None else open_repository(hub)


def prepare(
    base: Path | Repository,
    models: list[str],
    reference: str | None,
    *,
    cache_dir: Path,
    threads: int,
    say: Callable[[str], None],
    null: str | None = None,
) -> tuple[list[Candidate], list[str]]:
    """Download and quantize what has to be.

    Args:
        base: GGUF that configs are applied to; or a repository, whose own quantizations go before ours.
        models: names of configs or of the repository's quantizations, paths of configs, or paths of GGUF files.
        reference: the same for the model that the others are compared with; ``None`` takes the base as it is, and of a
            repository the best of :data:`~harness.models.hub_names.REFERENCES` that it has.
        cache_dir: where quantized files are kept.
        threads: for llama.cpp's quantizer.
        say: told what is being done, in a few words.
        null: what the null run will be called, if there is to be one: no model may have that name.

    Returns:
        The reference first, then the others in the order given; and sentences that a reader must know.

    Raises:
        UserError: a file or config is not usable, or nothing is left to compare.
        RunError: downloading or quantizing failed.
    """
    if not models:
        raise UserError("--models names nothing; `harness models` lists what it can name.")
    how = _How(cache_dir, threads, say)
    source = _HubSource(base, how) if isinstance(base, Repository) else _FileSource(base, how)
    # Everything is read before the first file is made: a wrong name is told at once.
    named = [source.named(name) for name in dict.fromkeys(models)]
    chosen = source.reference() if reference is None else source.named(reference)
    labels = [plan.label for plan in named]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise UserError(f"two different models would be called '{twice}'; rename one of the files.")
    if null in (chosen.label, *labels):
        raise UserError(f"a model would be called '{null}', as --null calls its run; rename the file.")
    first = source.as_reference(chosen.make())
    made = [plan.make() for plan in named]
    others = [candidate for candidate in made if not _same(candidate, first)]
    if not others:
        raise UserError(f"--models names nothing but the reference ({first.label}) itself; name something else too.")
    clash = next((candidate for candidate in others if candidate.label == first.label), None)
    if clash:
        raise UserError(
            f"the reference and another model would both be called '{clash.label}'; rename one of the files."
        )
    left_out = [f"{c.label} is the reference itself and is not compared." for c in made if _same(c, first)]
    return [first, *others], [*left_out, *(candidate.note for candidate in (first, *others) if candidate.note)]


@dataclass(frozen=True, slots=True)
class _How:
    """How models are made: see :func:`prepare`."""

    cache_dir: Path
    threads: int
    say: Callable[[str], None]

    def apply(self, config: QuantConfig, base: Candidate) -> Candidate:
        """The base as a config wants it; quantized now, unless that has been done before or is not asked for."""
        path = quantize(base.facts, config, self.cache_dir, self.threads, self.say)
        if path == base.facts.path:
            return Candidate(config.name, base.facts, config.serve, config, origin=base.origin)
        facts = read_facts(path)
        return Candidate(config.name, facts, config.serve, config, fallbacks(facts, config))


class _FileSource:
    """Everything is a file that was given, or is made from the one that is the base."""

    def __init__(self, path: Path, how: _How) -> None:
        facts = read_facts(path)
        self._base = Candidate(_label_of_base(facts), facts, ServeConfig())
        self._how = how

    def reference(self) -> _Plan:
        """What the others are compared with where nothing else is named."""
        return _Plan(self._base.label, lambda: self._base)

    def named(self, name: str) -> _Plan:
        """What a word on the command line asks for."""
        if _is_gguf(name):
            return _given(name)
        config = load_config(name)
        return _Plan(config.name, lambda: self._how.apply(config, self._base))

    def as_reference(self, candidate: Candidate) -> Candidate:
        """The same, with what a reader must know of it as the reference."""
        return candidate


class _HubSource:
    """What a repository publishes is taken as it is; anything else is made from the best that it publishes."""

    def __init__(self, repo: Repository, how: _How) -> None:
        self._repo = repo
        self._how = how
        self._taken: dict[str, Candidate] = {}

    def reference(self) -> _Plan:
        """The best that there is."""
        return self._published(self._best())

    def named(self, name: str) -> _Plan:
        """What a word on the command line asks for: the publisher's own, before a config of that name."""
        if found := self._repo.find(name):
            return self._published(found)
        if _is_gguf(name):
            return _given(name)
        is_path = Path(name).name != name or name.lower().endswith((".yaml", ".yml"))
        if not is_path and name.lower() not in config_names():
            raise UserError(
                f"{self._repo.id.repo} publishes no {name!r} but {self._repo.listing}, and it is no quantization "
                f"config either (known: {', '.join(config_names())})."
            )
        return self._made(load_config(name))

    def as_reference(self, candidate: Candidate) -> Candidate:
        """The same, with a note of which file it is."""
        if candidate.origin is None or candidate.config is not None:
            return candidate
        files = ", ".join(file.name for file in candidate.origin.files)
        which = f"the reference is {files} of {candidate.origin.repo}, as published (commit {self._repo.commit[:12]})"
        return replace(candidate, note=f"{candidate.label}: {which}.")

    def _best(self) -> Published:
        found = best(self._repo.published)
        if found is None:
            raise UserError(
                f"{self._repo.id.repo} publishes {self._repo.listing} and none of {', '.join(REFERENCES)} to compare "
                f"with; choose one with --reference."
            )
        return found

    def _published(self, one: Published) -> _Plan:
        def take() -> Candidate:
            if one.label not in self._taken:
                facts = self._repo.facts(one, self._how.say)
                origin = Origin(self._repo.id.repo, self._repo.commit, one.files)
                note = f"{one.label}: as published by {origin.repo}."
                self._taken[one.label] = Candidate(one.label, facts, ServeConfig(), note=note, origin=origin)
            return self._taken[one.label]

        return _Plan(one.label, take)

    def _made(self, config: QuantConfig) -> _Plan:
        basis = self._best()
        if config.quantize is not None and basis.quantization not in FLOAT_TYPES:
            raise UserError(
                f"{self._repo.id.repo} does not publish {config.name}, and it cannot be made here, because the best "
                f"that is published is quantized already; there are {self._repo.listing}."
            )

        def make() -> Candidate:
            base = self._published(basis).make()
            made = self._how.apply(config, base)
            if made.facts == base.facts:
                return made
            here = f"{config.name}: not published by {self._repo.id.repo}, quantized here from its {basis.label}."
            return replace(made, note=" ".join(filter(None, (here, made.note))))

        return _Plan(config.name, make)


def _given(name: str) -> _Plan:
    """A file on this machine, read now."""
    path = Path(name)
    candidate = Candidate(path.name.removesuffix(".gguf"), read_facts(path), ServeConfig())
    return _Plan(candidate.label, lambda: candidate)


def _is_gguf(name: str) -> bool:
    if name.lower().endswith((".gguf", ".yaml", ".yml")):
        return name.lower().endswith(".gguf")
    return _exists(Path(name)) and Path(name).is_file()


def _exists(path: Path) -> bool:
    with suppress(OSError):  # a name too long for a path, say
        return path.exists()
    return False


def _label_of_base(facts: GgufFacts) -> str:
    """``f16`` for an F16 file and so on: short, and what a reader looks for; else the file's name."""
    return facts.file_type.lower() if facts.file_type else facts.path.stem


def _same(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates would give the same answers: asked for twice, or a config that changes nothing."""
    return a.facts.sha256 == b.facts.sha256 and a.serve == b.serve
