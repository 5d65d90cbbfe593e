"""How questions look on paper, after HELM's defaults: one place for the adapters and for the training corpus."""

from __future__ import annotations

import string
from collections.abc import Sequence

LETTERS = string.ascii_uppercase


def question(text: str) -> str:
    """A question up to the point where its answer is to follow."""
    return f"Question: {text}\nAnswer:"


def lettered(text: str, choices: Sequence[str]) -> str:
    """The same with its choices under it, one a line: ``A. ...``."""
    lines = (f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
    return question(text + "".join(lines))


def with_examples(solved: Sequence[str], asked: str) -> str:
    """Solved questions, an empty line after each, and then the one that is asked."""
    return "".join(f"{example}\n\n" for example in solved) + asked
