"""The folder of stores: a request names one, and never a path."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

from server.divergence.errors import (
    BrokenStore,
    NoSpace,
    OtherStore,
    StoreBusy,
    StoreError,
    UnknownStore,
    UnusableStore,
)
from server.divergence.layout import Layout
from server.divergence.llama_file import MAGIC as LLAMA_MAGIC
from server.divergence.llama_file import PARTIAL, LlamaLayout
from server.divergence.own_file import MAGIC, OwnLayout
from server.divergence.store import Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Directory:
    """Stores by name, each a file of that name without an ending."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def read(self, name: str, n_vocab: int) -> Store:
        """A store to compare with; nobody can write it until it is closed.

        Raises:
            StoreError: there is none, it is damaged, another vocabulary's, or being written.
        """
        fd = self._open(name, os.O_RDONLY, fcntl.LOCK_SH)
        return _guarded(fd, name, n_vocab, lambda: _read(fd, name))

    def extend(self, name: str, n_vocab: int, begin: int) -> Store:
        """A store to append to, which holds ``begin`` windows.

        Raises:
            StoreError: as for :meth:`read`, or it holds more or fewer.
        """
        fd = self._open(name, os.O_RDWR, fcntl.LOCK_EX)

        def layout() -> Layout:
            found = _read(fd, name)
            if found.windows != begin:
                raise OtherStore(
                    f"The store '{name}' holds {found.windows} windows, so the next one is not number {begin}; go on "
                    "where it ends, or begin with 0 to record it anew."
                )
            return found

        return _guarded(fd, name, n_vocab, layout)

    def create(self, name: str, n_vocab: int, make: Callable[[int], Layout]) -> Store:
        """A new store in place of any of this name; ``make`` lays out the file that it is given.

        Raises:
            StoreError: it is in use, or cannot be written.
        """
        fd = self._open(name, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX)
        return _guarded(fd, name, n_vocab, lambda: make(fd))

    def _open(self, name: str, flags: int, lock: int) -> int:
        if not NAME.fullmatch(name):
            raise UnknownStore("A store's name has up to 64 letters, digits, '_' and '-', and begins with no sign.")
        path = (self._path / name).resolve()
        if not path.is_relative_to(self._path):
            raise UnknownStore(f"The store '{name}' is a link out of the server's folder of stores.")
        try:
            fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except FileNotFoundError:
            if not self._path.is_dir():
                raise UnusableStore("The server's folder of stores is gone; its operator must make it again.") from None
            raise UnknownStore(f"There is no store '{name}'; record it first.") from None
        except OSError as error:
            raise cannot(name, error) from None
        try:
            fcntl.flock(fd, lock | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            doing = "used" if lock == fcntl.LOCK_EX else "recorded"
            raise StoreBusy(f"The store '{name}' is being {doing} by another request; wait for it.") from None
        return fd


def cannot(name: str, error: OSError) -> StoreError:
    """Why a file cannot be used."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoSpace(f"There is no room on the server's disk for the store '{name}' ({error.strerror}).")
    return UnusableStore(
        f"The server cannot use the file of the store '{name}' ({error.strerror}); take another name, or let "
        "its operator see to it."
    )


def _read(fd: int, name: str) -> Layout:
    begin = os.pread(fd, len(MAGIC), 0)
    if begin == MAGIC:
        return OwnLayout.read(fd, name)
    if begin == LLAMA_MAGIC or begin.startswith(PARTIAL):
        return LlamaLayout.read(fd, name)
    raise BrokenStore(f"The file '{name}' is no store, or was not written to its end; record it again.")


def _guarded(fd: int, name: str, n_vocab: int, layout: Callable[[], Layout]) -> Store:
    """The store, or a closed file."""
    try:
        found = layout()
        if found.n_vocab != n_vocab:
            raise OtherStore(
                f"The store '{name}' is of a vocabulary of {found.n_vocab} tokens, and this model's has {n_vocab}."
            )
        return Store(fd, name, found)
    except OSError as error:
        os.close(fd)
        raise cannot(name, error) from None
    except BaseException:
        os.close(fd)
        raise
