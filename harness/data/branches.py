"""Which commit a branch of the Hub stands for here: the one that it was at when a table of it was first downloaded.

This is kept in ``branches.json`` beside the data set's tables, so that all tables of a branch are of one commit however
the branch moves, and no network is needed to know which one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness.errors import MissingTable

_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_commit(revision: str) -> bool:
    """Whether a revision is a whole commit, and not a branch or a tag."""
    return bool(_COMMIT.fullmatch(revision))


def known_commit(folder: Path, revision: str) -> str | None:
    """The commit of a revision: itself if it is one; None for a branch of which nothing has been downloaded.

    Args:
        folder: the data set's.
        revision: commit, branch or tag.

    Raises:
        MissingTable: the note is damaged.
    """
    return revision if is_commit(revision) else _read(branches_file(folder)).get(revision)


def remember(folder: Path, revision: str, commit: str) -> None:
    """Write down at which commit a branch was."""
    path = branches_file(folder)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(_read(path) | {revision: commit}, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def branches_file(folder: Path) -> Path:
    """Where the commits of a data set's branches are kept."""
    return folder / "branches.json"


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not isinstance(found, dict) or not all(isinstance(one, str) and is_commit(one) for one in found.values()):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> MissingTable:
    return MissingTable(f"{path} does not name the commits of branches", "remove it and get its tables again")
