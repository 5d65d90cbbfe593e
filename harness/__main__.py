"""The console script, and ``python -m harness``. What it needs takes seconds to import, and may be interrupted too."""

from __future__ import annotations

import sys

EXIT_INTERRUPTED = 130


def main() -> None:
    """Entry point."""
    try:
        from harness.cli import main as run
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
