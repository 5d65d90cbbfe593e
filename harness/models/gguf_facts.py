"""What a GGUF file says of itself: size, hash, architecture, parameters and the types of its tensors.

Whatever is wrong with a file becomes one sentence of a :class:`~harness.errors.UserError`, before llama.cpp, which may
abort the process, sees it.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gguf import GGUFReader, LlamaFileType, ReaderField
from gguf.constants import GGUFValueType, Keys

from harness.errors import UserError
from harness.models.ggml_types import block_size
from harness.models.gguf_reader import CutShort, Reader
from harness.models.gguf_splits import check_parts, number, part_paths

_FILE_TYPE_NAMES = {kind.value: kind.name.removeprefix("ALL_").removeprefix("MOSTLY_") for kind in LlamaFileType}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a GGUF file."""

    name: str
    type: str
    """ggml type, such as ``Q4_K``."""
    shape: tuple[int, ...]
    """ggml's order: the length of a row first."""
    bytes: int

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One of the files that a model is in."""

    path: Path
    bytes: int
    sha256: str
    """In hexadecimal."""


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """What a GGUF file says of itself; of a model in several files, what they say together."""

    path: Path
    """The file, or the first of several."""
    bytes: int
    """Size of all files."""
    sha256: str
    """Hash of the file, in hexadecimal; of several, the hash of their hashes' hexadecimal digits, one after another."""
    architecture: str
    name: str
    """``general.name``, or the file's name without ``.gguf``."""
    file_type: str | None
    """llama.cpp file type that the file claims, such as ``Q4_K_M``; the tensors may be otherwise."""
    parameters: int
    bits_per_weight: float
    """Bits of tensor data per parameter, norms and scales included, metadata not."""
    tensor_types: dict[str, float]
    """Share of the parameters stored in each ggml type, the largest first."""
    context_length: int
    """Tokens that the model was trained for."""
    vocabulary_size: int
    """Number of tokens; 0 when the file holds no vocabulary."""
    has_bos: bool
    """Whether the file names a token for the beginning of a text."""
    tensors: tuple[Tensor, ...] = field(repr=False)
    files: tuple[ModelFile, ...] = field(default=(), repr=False)
    """All files, in order."""

    @property
    def matrices(self) -> tuple[Tensor, ...]:
        """The tensors that a quantizer is for: those of two dimensions and more."""
        return tuple(tensor for tensor in self.tensors if len(tensor.shape) > 1)

    @property
    def is_quantized(self) -> bool:
        """Whether any matrix is stored in blocks, and so has lost precision that no second quantizing can give back."""
        return any(block_size(tensor.type) > 1 for tensor in self.matrices)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in pieces."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def open_gguf(path: Path) -> GGUFReader:
    """A reader over the memory-mapped file, with every fault told in one sentence."""
    try:
        # Opening a pipe would wait for somebody to write into it.
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is a {'folder' if path.is_dir() else 'device'}; give the path of a GGUF file.")
        with path.open("rb") as file:
            magic = file.read(4)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; give the path of a GGUF file.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path} cannot be read: {reason}; give the path of a GGUF file.") from error
    if size == 0:
        raise UserError(f"{path} is empty; fetch or make the GGUF file again.")
    if magic != b"GGUF"[: len(magic)]:
        raise UserError(f"{path} is no GGUF file: it begins with {magic!r}, not with b'GGUF'; give one that does.")
    try:
        return Reader(path)
    except CutShort as error:
        needed = f"{error.part} needs {error.needed:,} bytes and the file has {size:,}"
        raise UserError(f"{path} is cut short: {needed}; fetch or make it again.") from error
    # The reader checks little and fails in as many ways as a file can be wrong.
    except Exception as error:
        raise UserError(f"{path} is damaged, or newer than this program: {error}; fetch or make it again.") from error


def read_facts(path: str | Path, hashes: Sequence[str] | None = None) -> GgufFacts:
    """Facts of the language model in a GGUF file, or in several of which this is the first.

    Hashes all of it, so call it once for each; ``hashes`` are those of its files where they are known.
    """
    path = Path(path)
    reader = open_gguf(path)
    parts = part_paths(path, reader)  # first, since only the first part has an architecture
    architecture = _text(reader, Keys.General.ARCHITECTURE)
    kind = _text(reader, Keys.General.TYPE)
    if kind not in (None, "model") or architecture is None:
        raise UserError(f"{path} holds no language model but {kind or 'something without architecture'}; give a model.")
    readers = [reader, *(open_gguf(part) for part in parts[1:])]
    check_parts(parts, readers)
    tensors = tuple(
        Tensor(str(found.name), found.tensor_type.name, tuple(int(n) for n in found.shape), int(found.n_bytes))
        for one in readers
        for found in one.tensors
    )
    parameters = sum(tensor.parameters for tensor in tensors)
    context_length = number(reader, Keys.LLM.CONTEXT_LENGTH.format(arch=architecture), 0)
    if parameters == 0 or context_length <= 0:
        lacks = "tensors" if parameters == 0 else f"the key {architecture}.context_length"
        raise UserError(f"{path} is no complete model: it lacks {lacks}; give one that llama.cpp can load.")
    known = hashes or [file_sha256(part) for part in parts]
    files = tuple(ModelFile(part, part.stat().st_size, sha256) for part, sha256 in zip(parts, known, strict=True))
    return GgufFacts(
        path=path,
        bytes=sum(file.bytes for file in files),
        sha256=known[0] if len(known) == 1 else hashlib.sha256("".join(known).encode()).hexdigest(),
        architecture=architecture,
        name=_text(reader, Keys.General.NAME) or path.stem,
        file_type=_FILE_TYPE_NAMES.get(number(reader, Keys.General.FILE_TYPE, -1)),
        parameters=parameters,
        bits_per_weight=8 * sum(tensor.bytes for tensor in tensors) / parameters,
        tensor_types=shares(tensors),
        context_length=context_length,
        vocabulary_size=_length(reader.get_field(Keys.Tokenizer.LIST)),
        has_bos=reader.get_field(Keys.Tokenizer.BOS_ID) is not None,
        tensors=tensors,
        files=files,
    )


def shares(tensors: tuple[Tensor, ...]) -> dict[str, float]:
    """Share of the parameters stored in each ggml type, the largest first."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.type] += tensor.parameters
    return {name: count / counts.total() for name, count in counts.most_common()}


def _text(reader: GGUFReader, key: str) -> str | None:
    """A string of the metadata; ``None`` when there is none of that key, or it is no string."""
    found = reader.get_field(key)
    if found is None or found.types != [GGUFValueType.STRING]:
        return None
    return bytes(found.parts[-1]).decode("utf-8", "replace")


def _length(found: ReaderField | None) -> int:
    """Length of an array of the metadata; 0 when there is none."""
    return int(found.parts[-1][0]) if found is not None and found.types[0] == GGUFValueType.ARRAY else 0
