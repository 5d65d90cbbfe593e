"""Make the quantized GGUF that a config asks for, once: afterwards it comes from the cache.

llama.cpp does the work in a process of its own (:mod:`harness.models.quantize_child`), writes under a temporary name,
and the file gets its own name only when it is whole.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from harness.child_process import command, environment
from harness.errors import RunError, UserError
from harness.models.config import QuantConfig, QuantizeConfig
from harness.models.ggml_types import FILE_TYPES, FLOAT_TYPES, block_size
from harness.models.gguf_facts import GgufFacts, Tensor, file_sha256, shares
from harness.models.imatrix import read_imatrix
from harness.models.quantize_child import Job

COMMAND = command("harness.models.quantize_child")
"""What runs one job."""

_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"


def quantize(
    source: GgufFacts, config: QuantConfig, cache_dir: Path, threads: int, say: Callable[[str], None] = lambda _: None
) -> Path:
    """Path of the model as the config wants it: the source itself, a file from the cache, or one made now.

    ``say`` is told, in a few words, when one is being made.
    """
    section = config.quantize
    if section is None or _is_so_already(source, section):
        return source.path
    _check(source, section)
    key = _cache_key(source, section)
    target = cache_dir / f"{source.path.stem}-{config.name}-{key[:12]}.gguf"
    if target.is_file():
        return target
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{cache_dir} cannot hold quantized models: {error.strerror}; give another folder.") from error
    say(f"quantizing to {config.name}")
    # A name of its own, since another run may be making the same file at this moment.
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    try:
        _run(Job(source=source.path.absolute(), output=partial.absolute(), threads=threads, quantize=section))
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def fallbacks(facts: GgufFacts, config: QuantConfig) -> str | None:
    """One sentence when a file made by this config does not hold what its name promises; ``None`` when it does.

    Rows must be whole blocks of a type. Where they are not, llama.cpp takes another type and merely logs it.
    """
    section = config.quantize
    if section is None:
        return None
    blocks = {tensor: block_size(_wanted(tensor, facts, section)) for tensor in facts.matrices}
    # F32 is what llama.cpp leaves alone on purpose, such as the routers of experts.
    fallen = tuple(tensor for tensor in blocks if tensor.type != "F32" and tensor.shape[0] % blocks[tensor])
    if not fallen:
        return None
    share = sum(tensor.parameters for tensor in fallen) / sum(tensor.parameters for tensor in facts.matrices)
    sizes = " or ".join(str(size) for size in sorted({blocks[tensor] for tensor in fallen}))
    stored = ", ".join(f"{part:.1%} {name}" for name, part in shares(fallen).items())
    return (
        f"{facts.path.name} is not what {section.type} promises: {len(fallen)} of {len(facts.matrices)} matrices, with "
        f"{share:.1%} of the weights, have rows that do not divide into blocks of {sizes}, and llama.cpp stored them "
        f"in other types ({stored})."
    )


def _ends(facts: GgufFacts, section: QuantizeConfig) -> dict[str, str]:
    """The ggml types that the config names for the embedding and the output matrix, by name of the matrix."""
    found: dict[str, str] = {}
    if section.output_tensor_type:
        tied = all(tensor.name != _OUTPUT for tensor in facts.matrices)
        found[_EMBEDDING if tied else _OUTPUT] = section.output_tensor_type
    # Of two types for one matrix that is both, llama.cpp takes this.
    if section.token_embedding_type:
        found[_EMBEDDING] = section.token_embedding_type
    return found


def _wanted(tensor: Tensor, facts: GgufFacts, section: QuantizeConfig) -> str:
    """The ggml type that the config names for a matrix, before llama.cpp's mixture raises it for some."""
    if named := _ends(facts, section).get(tensor.name):
        return named
    for pattern, name in section.tensor_overrides.items():
        if re.search(pattern, tensor.name):
            return name
    return FILE_TYPES[section.type]


def _is_so_already(source: GgufFacts, section: QuantizeConfig) -> bool:
    """Whether the source has the floating-point type wanted, so that a copy would only cost room."""
    if section.type not in FLOAT_TYPES or section.output_tensor_type or section.token_embedding_type:
        return False
    types = {tensor.type for tensor in source.matrices}
    # The routers of experts stay F32 in a file that is F16, by the converter's and by llama.cpp's rules.
    return types == {section.type} or (types <= {section.type, "F32"} and source.file_type == section.type)


def _check(source: GgufFacts, section: QuantizeConfig) -> None:
    """Refuse what llama.cpp would do wrongly, or without effect, and not say so."""
    if source.is_quantized:
        raise UserError(
            f"{source.path} is quantized already ({', '.join(source.tensor_types)}), and quantizing it once more would "
            f"measure both losses together; give the F16, BF16 or F32 GGUF that it was made from."
        )
    for pattern in section.tensor_overrides:
        if not any(re.search(pattern, tensor.name) for tensor in source.matrices):
            example = source.matrices[-1].name if source.matrices else "none at all"
            raise UserError(
                f"tensor_overrides: {pattern!r} matches no matrix of {source.path}; they have names such as {example}."
            )
    ends = _ends(source, section)
    for tensor in source.matrices:
        # Seen in llama.cpp: no fallback for these two matrices; it writes past the end of its memory.
        if tensor.name in ends and tensor.shape[0] % block_size(ends[tensor.name]):
            raise UserError(
                f"{tensor.name} of {source.path} has rows of {tensor.shape[0]} weights, and {ends[tensor.name]} takes "
                f"multiples of {block_size(ends[tensor.name])}; choose another type for it, such as F16."
            )
    if section.imatrix and not read_imatrix(section.imatrix).keys() & {tensor.name for tensor in source.matrices}:
        raise UserError(f"{section.imatrix} was measured on another model: no name in it is of {source.path}.")


def _cache_key(source: GgufFacts, section: QuantizeConfig) -> str:
    """Hash of all that decides what the file will hold."""
    # Defaults are left out, so that a new option does not void the cache. Overrides go by their order.
    wanted = section.model_dump(mode="json", exclude_defaults=True)
    wanted["tensor_overrides"] = list(section.tensor_overrides.items())
    wanted["imatrix"] = section.imatrix and file_sha256(section.imatrix)
    version = importlib.metadata.version("llama-cpp-python")
    return hashlib.sha256(json.dumps([source.sha256, wanted, version], sort_keys=True).encode()).hexdigest()


def _run(job: Job) -> None:
    """Run the job in a child process; a :class:`~harness.errors.RunError` with llama.cpp's reason when it fails."""
    pipe = subprocess.PIPE
    # Not subprocess.run: after Ctrl-C that kills the child and does not wait until it is gone.
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, env=environment()) as child:
        try:
            _, log = child.communicate(job.model_dump_json().encode())
        except BaseException:
            child.kill()
            child.wait()
            raise
    if child.returncode != 0:
        reason = _reason(log.decode("utf-8", "replace"), child.returncode)
        raise RunError(f"llama.cpp could not quantize {job.source} to {job.quantize.type}: {reason}.")
    if not job.output.is_file():
        raise RunError(f"llama.cpp quantized {job.source} to {job.quantize.type} and left no file {job.output}.")


def _reason(log: str, returncode: int) -> str:
    """Why the child failed: its last line, without what was already in that line."""
    lines = [line for line in log.splitlines() if line.strip()]
    reason = re.sub(r"^.*(failed to quantize: | \.\. )", "", lines[-1]).strip() if lines else "it said nothing"
    if "iostream error" in reason:
        reason += " (which it also says when the disk is full)"
    return reason if returncode > 0 else f"{reason} (ended by {signal.Signals(-returncode).name})"
