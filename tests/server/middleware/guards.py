"""What the server of these tests is guarded with."""

from __future__ import annotations

KEYS = ["first-key", "schl\u00fcssel", "from the file"]
"""The last of them comes from a file."""
