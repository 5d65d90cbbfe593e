"""From what was asked for on the command line to GGUF files that can be served: the reference and its candidates."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
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
) -> tuple[list[Candidate], list[str]]:
    """Quantize what has to be quantized.

    Args:
        base: GGUF that configs are applied to.
        models: names of configs, paths of configs, or paths of GGUF files.
        reference: the same for the model that the others are compared with; ``None`` takes the base as it is.
        cache_dir: where quantized files are kept.
        threads: for llama.cpp's quantizer.
        say: told what is being done, in a few words.

    Returns:
        The reference first, then the others in the order given; and sentences that a reader must know.

    Raises:
        UserError: a file or config is not usable, or nothing is left to compare.
        RunError: quantizing failed.
    """
    if not models:
        raise UserError("--models names nothing; `harness models` lists what it can name.")
    facts = read_facts(base)
    # Everything is read before the first file is made: a wrong name is told at once.
    named = [_read(name) for name in dict.fromkeys(models)]
    chosen = Candidate(_label_of_base(facts), facts, ServeConfig()) if reference is None else _read(reference)
    labels = [_label(chosen), *(_label(one) for one in named)]
    twice = next((label for label in labels[1:] if labels[1:].count(label) > 1), None)
    if twice:
        raise UserError(f"two different models would be called '{twice}'; rename one of the files.")

    def make(config: Candidate | QuantConfig) -> Candidate:
        if isinstance(config, Candidate):
            return config
        path = quantize(facts, config, cache_dir, threads, say)
        made = facts if path == facts.path else read_facts(path)
        return Candidate(config.name, made, config.serve, config, fallbacks(made, config))

    first = make(chosen)
    made = [make(one) for one in named]
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


def _label(one: Candidate | QuantConfig) -> str:
    return one.label if isinstance(one, Candidate) else one.name


def _is_gguf(name: str) -> bool:
    if name.lower().endswith((".gguf", ".yaml", ".yml")):
        return name.lower().endswith(".gguf")
    with suppress(OSError):  # a name too long for a path, say
        return Path(name).is_file()
    return False


def _read(name: str) -> Candidate | QuantConfig:
    """A file that is there already, or how to make one."""
    if not _is_gguf(name):
        return load_config(name)
    path = Path(name)
    return Candidate(path.name.removesuffix(".gguf"), read_facts(path), ServeConfig())


def _label_of_base(facts: GgufFacts) -> str:
    """``f16`` for an F16 file and so on: short, and what a reader looks for; else the file's name."""
    return facts.file_type.lower() if facts.file_type else facts.path.stem


def _same(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates would give the same answers: asked for twice, or a config that changes nothing."""
    return a.facts.sha256 == b.facts.sha256 and a.serve == b.serve
