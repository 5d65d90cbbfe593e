"""Typing errors: letters become their neighbours on an English keyboard, with HELM's idea of a neighbour."""

from __future__ import annotations

from random import Random

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours(row: int, column: int) -> str:
    # Each row is shifted to the right by half a key or less: above a key are those of its column and the next, below
    # it those of its column and the one before. From the first row HELM counts the next one below, too.
    near = [(row, column - 1), (row, column + 1), (row - 1, column), (row - 1, column + 1)]
    near += [(row + 1, column - 1), (row + 1, column)] + ([(row + 1, column + 1)] if row == 0 else [])
    return "".join(_ROWS[r][c] for r, c in near if 0 <= r < len(_ROWS) and 0 <= c < len(_ROWS[r]))


NEIGHBOURS: dict[str, str] = {
    key: _neighbours(row, column) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)
}
"""The keys beside each letter's key."""


def typos(text: str, rng: Random, *, probability: float) -> str:
    """Hit a neighbouring key instead of each letter with this probability; what is no letter of the keyboard stays."""

    def typed(letter: str) -> str:
        near = NEIGHBOURS.get(letter.lower())
        if near is None or rng.random() >= probability:
            return letter
        wrong = rng.choice(near)
        return wrong.upper() if letter.isupper() else wrong

    return "".join(map(typed, text))
