"""What can be wrong with a store, each a sentence for a person."""

from __future__ import annotations


class StoreError(Exception):
    """A store cannot be used as it is asked for."""


class UnknownStore(StoreError):
    """There is none of this name."""


class StoreBusy(StoreError):
    """Somebody else records into it, or reads it while it is to be written."""


class OtherStore(StoreError):
    """It holds something else than what is asked for: another vocabulary, other tokens, fewer windows."""


class BrokenStore(StoreError):
    """The file is not what it says it is."""


class NoSpace(StoreError):
    """The disk is full."""


class UnusableStore(StoreError):
    """The operating system does not let the server use the file, or the folder."""
