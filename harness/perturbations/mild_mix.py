"""HELM's standard for robustness: several perturbations together, each so mild that people would hardly notice."""

from __future__ import annotations

from functools import partial
from random import Random

from harness.perturbations.base import Change
from harness.perturbations.contraction import contraction
from harness.perturbations.lowercase import lowercase
from harness.perturbations.misspelling import misspellings
from harness.perturbations.spaces import space

STEPS: tuple[Change, ...] = (
    lowercase,
    contraction,
    partial(misspellings, probability=0.1),
    partial(space, max_spaces=3),
)
"""HELM's steps, in HELM's order and strength."""


def mild_mix(text: str, rng: Random) -> str:
    """The text after all steps, which draw from the one generator in turn."""
    for step in STEPS:
        text = step(text, rng)
    return text
