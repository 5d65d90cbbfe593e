"""What imported models are called, and which of them is the reference."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import UserError
from harness.interop.imports.answered import ModelTask
from harness.names import unknown

_HASH = re.compile(r"-[0-9a-f]{8}$")
"""What an export of ours puts at the end of a model's name, of its file's hash."""


def labels_of(folders: Sequence[Sequence[ModelTask]], reference: str | None) -> dict[str, str]:
    """By the models' names: what they are called, the reference first.

    A model is called by the last part of its name, or all of it where two end alike. One that our own questions were
    put to is called as in runs of ours, without the hash of its file, unless two would be called alike.

    Args:
        folders: what each folder holds, in the order in which they were named.
        reference: a model's name or label, or what begins one; None for the model of the first folder.

    Raises:
        UserError: there is one model only, or it is not clear which is the reference.
    """
    of_folders = [sorted({task.model for task in tasks}) for tasks in folders]
    names = list(dict.fromkeys(name for of_one in of_folders for name in of_one))
    labels = _distinct(names, {task.model for tasks in folders for task in tasks if task.has_hash})
    if len(labels) < 2:
        raise UserError(
            f"There are results of {names[0]} only, and a comparison takes two models; name the folder of another "
            "(LABEL=FOLDER tells apart two of the same name)."
        )
    if reference is not None:
        first = _find(reference, labels)
    elif len(of_folders[0]) == 1:
        first = of_folders[0][0]
    else:
        raise UserError(
            f"The first folder has results of {len(of_folders[0])} models "
            f"({', '.join(labels[name] for name in of_folders[0])}); say with --reference which one the others are "
            "compared with."
        )
    return {first: labels[first]} | labels


def _distinct(names: Sequence[str], hashed: set[str]) -> dict[str, str]:
    ends = {name: name.rstrip("/").rpartition("/")[2] or name for name in names}
    short = {name: _HASH.sub("", end) if name in hashed else end for name, end in ends.items()}
    found = {}
    for name in names:
        several = [*short.values()].count(short[name]) > 1
        found[name] = name if [*ends.values()].count(ends[name]) > 1 else ends[name] if several else short[name]
    return found


def _find(wanted: str, labels: dict[str, str]) -> str:
    """The name of the one model that is meant: by a name or label in full, without a hash, or by its beginning."""
    ends = {name: {label, name.rpartition("/")[2]} for name, label in labels.items()}
    for found in (
        [name for name, known in ends.items() if wanted in {name, *known}],
        [name for name, known in ends.items() if wanted in {_HASH.sub("", one) for one in known}],
        [name for name, known in ends.items() if any(one.startswith(wanted) for one in known)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(labels[name] for name in found)
            raise UserError(f"--reference: '{wanted}' may be any of {several}; name one of these in full.")
    raise UserError(f"--reference: {unknown('model of these results', wanted, list(labels.values()))}.")
