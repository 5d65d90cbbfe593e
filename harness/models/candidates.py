"""From what was asked for on the command line to GGUF files that can be served: the reference and its candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.models.config import QuantConfig, ServeConfig, load_config
from harness.models.gguf_facts import GgufFacts, read_facts
from harness.models.quantize import fallbacks, quantize


@dataclass(frozen=True, slots=True)
class Candidate:
    """One GGUF file and how it is served."""

    label: str
    """What tables call it; unique in a run."""
    facts: GgufFacts
    serve: ServeConfig
    config: QuantConfig | None = None
    """What it was made by, unless it was given as a file."""
    note: str | None = None
    """A sentence that a reader must know before trusting its name."""


def prepare(
    base: Path, models: list[str], reference: str | None, *, cache_dir: Path, threads: int, say: Callable[[str], None]
) -> list[Candidate]:
    """Quantize what has to be quantized.

    Args:
        base: GGUF that configs are applied to.
        models: names of configs, paths of configs, or paths of GGUF files.
        reference: the same for the model that the others are compared with; ``None`` takes the base as it is.
        cache_dir: where quantized files are kept.
        threads: for llama.cpp's quantizer.
        say: told what is being done, in a few words.

    Returns:
        The reference first, then the others in the order given.

    Raises:
        UserError: a file or config is not usable, or nothing is left to compare.
        RunError: quantizing failed.
    """
    facts = read_facts(base)
    # All configs are read before the first file is made: a wrong name is told at once.
    named = [(name, None if _is_gguf(name) else load_config(name)) for name in dict.fromkeys(models)]
    chosen = None if reference is None or _is_gguf(reference) else load_config(reference)

    def make(name: str, config: QuantConfig | None) -> Candidate:
        if config is None:
            return _given(Path(name))
        say(f"quantizing to {config.name}")
        path = quantize(facts, config, cache_dir, threads)
        made = facts if path == facts.path else read_facts(path)
        return Candidate(config.name, made, config.serve, config, fallbacks(made, config))

    first = Candidate(_label_of_base(facts), facts, ServeConfig()) if reference is None else make(reference, chosen)
    others = [made for name, config in named if not _same(made := make(name, config), first)]
    if not others:
        raise UserError(
            f"--models names nothing but the reference ({first.label}) itself; name something to compare it with."
        )
    labels = [candidate.label for candidate in (first, *others)]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise UserError(f"two different models would be called '{twice}'; rename one of the files.")
    return [first, *others]


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf") or (Path(name).is_file() and not name.lower().endswith((".yaml", ".yml")))


def _given(path: Path) -> Candidate:
    return Candidate(path.name.removesuffix(".gguf"), read_facts(path), ServeConfig())


def _label_of_base(facts: GgufFacts) -> str:
    """``f16`` for an F16 file and so on: short, and what a reader looks for; else the file's name."""
    return facts.file_type.lower() if facts.file_type else facts.path.stem


def _same(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates would give the same answers: asked for twice, or a config that changes nothing."""
    return a.facts.sha256 == b.facts.sha256 and a.serve == b.serve
