"""What the names of a repository's GGUF files say: which quantization each is, and which files belong together.

Publishers write ``Model-Q4_K_M.gguf``, ``model.q4_k_m.gguf``, ``Q4_K_M/Model-00001-of-00003.gguf`` or
``Model-UD-Q4_K_XL.gguf``. What is left of a name without its quantization is the model's name, and a repository whose
files name several models is refused, since a quantization would not say which file is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import UserError
from harness.models.gguf_splits import PART

REFERENCES = ("BF16", "F16", "F32", "Q8_0")
"""Quantizations that others are compared with, the first choice first."""

_TYPE = re.compile(
    r"(?<![A-Z0-9])"
    r"((?:UD-)?(?:BF16|FP?16|FP?32|NVFP4|MXFP4(?:_MOE)?|TQ\d_\d"
    r"|I?Q\d(?:_(?:\d|K|KS|KT|KV|KSS|NL|XXS|XS|S|M|L|XL|XXL|R\d|G\d+))+))"
    r"(?![A-Z0-9])",
    re.IGNORECASE,
)
_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*?)(?:@([\w./-]+))?", re.ASCII)
_SEPARATORS = "-._ "


@dataclass(frozen=True, slots=True)
class HubId:
    """A repository as it is named on the command line: ``OWNER/REPO`` or ``OWNER/REPO@REVISION``."""

    repo: str
    revision: str = "main"
    """Branch, tag or commit."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository."""

    name: str
    """With its folders, as the Hub writes it."""
    bytes: int
    sha256: str | None
    """What the Hub says that the file hashes to; ``None`` for a file that it does not keep in large-file storage."""


@dataclass(frozen=True, slots=True)
class Published:
    """One quantization of a repository: one file, or the parts of one."""

    quantization: str
    """In capitals, such as ``Q4_K_M`` or ``UD-Q4_K_XL``."""
    model: str
    """The file's name without quantization and number of the part."""
    n_parts: int
    files: tuple[HubFile, ...]
    """In the order of the parts."""

    @property
    def label(self) -> str:
        """What ``--models`` and tables call it."""
        return self.quantization.lower()


def hub_id(text: str) -> HubId | None:
    """The repository that is meant, or ``None`` for what can only be a path: other characters, or a file's ending."""
    found = _HUB_ID.fullmatch(text)
    if found is None or ".." in text or text.lower().endswith((".gguf", ".yaml", ".yml")):
        return None
    return HubId(found[1], found[2] or "main")


def published(repo: str, files: Iterable[HubFile]) -> tuple[Published, ...]:
    """The quantizations of a repository, in the order of their files; projectors and importance matrices left out.

    Raises:
        UserError: there is none, or a quantization would not say which file is meant.
    """
    parts: dict[tuple[str, str, str, int], list[HubFile]] = {}
    nameless = []
    for file in files:
        if not _is_model(file.name):
            continue
        folder, stem, count = _stem(file.name)
        named = _last(stem) or _last(folder)
        if named is None:
            nameless.append(file.name)
            continue
        key = (folder, _without(stem), re.sub(r"^FP", "F", named[1].upper()), count)
        parts.setdefault(key, []).append(file)
    found = tuple(
        Published(quantization, model, count, tuple(sorted(of_it, key=lambda file: file.name)))
        for (_, model, quantization, count), of_it in parts.items()
    )
    _check(repo, found, nameless)
    return found


def best(found: Iterable[Published]) -> Published | None:
    """What the others are compared with: the highest precision of :data:`REFERENCES`, or ``None``."""
    by_name = {one.quantization: one for one in found}
    return next((by_name[name] for name in REFERENCES if name in by_name), None)


def _is_model(name: str) -> bool:
    folded = name.lower()
    if not folded.endswith(".gguf") or "mmproj" in folded:
        return False
    # A model quantized with an importance matrix may say so in its name; the matrix itself is no Q4_K_M.
    return "imatrix" not in folded or _last(folded) is not None


def _stem(name: str) -> tuple[str, str, int]:
    """Folder, name without ending and part, and the number of parts."""
    folder, _, base = name.rpartition("/")
    stem = base[: -len(".gguf")]
    part = PART.search(stem)
    return folder, stem[: part.start()] if part else stem, int(part[2]) if part else 1


def _last(text: str) -> re.Match[str] | None:
    """The last quantization in a text: earlier ones may belong to the model's name."""
    return max(_TYPE.finditer(text), key=re.Match.start, default=None)


def _without(stem: str) -> str:
    """A stem without its quantization: the name of the model."""
    found = _last(stem)
    if found is None:
        return stem
    before, after = stem[: found.start()].rstrip(_SEPARATORS), stem[found.end() :].lstrip(_SEPARATORS)
    return "-".join(filter(None, (before, after)))


def _check(repo: str, found: tuple[Published, ...], nameless: list[str]) -> None:
    """Refuse a repository in which a quantization's name does not lead to one file."""
    if not found:
        what = f"no GGUF file named by its quantization, only {', '.join(nameless)}" if nameless else "no GGUF file"
        raise UserError(f"{repo} has {what}; name a repository with files such as Model-Q4_K_M.gguf.")
    advice = f"download what you want (`hf download {repo} FILE`) and give the paths of the files"
    models = {one.model.casefold(): one for one in found}
    if len(models) > 1:
        each = "; ".join(
            f"{first.model or '(no name)'}: {', '.join(one.label for one in found if one.model.casefold() == model)}"
            for model, first in models.items()
        )
        raise UserError(f"{repo} has GGUF files of several models ({each}), so {advice}.")
    by_name: dict[str, Published] = {}
    for one in found:
        other = by_name.setdefault(one.quantization, one)
        if other is not one:
            names = f"{other.files[0].name} and {one.files[0].name}"
            raise UserError(f"{repo} has two files of one quantization, {names}, so {advice}.")
