"""A test that may be looked at after every instance."""

from __future__ import annotations

import math

from scipy.special import betaln


def e_value(to_wrong: int, to_right: int) -> float:
    """Evidence that the flips' directions are not those of a fair coin; 1 is none, 20 is enough at 5%, at any time.

    How much better the flips so far are explained by a coin of unknown bias (uniform between 0 and 1) than by a fair
    one: 2^m B(to_wrong + 1, to_right + 1), with m flips. Under a fair coin its mean is 1 however one stops, so by
    Ville's inequality it ever reaches 1/alpha with a chance of at most alpha. It is two-sided, supposes that instances
    are independent and come in random order, and no e-value can show that two models are equivalent. Infinite where
    it is too large for a float.
    """
    log = (to_wrong + to_right) * math.log(2) + float(betaln(to_wrong + 1, to_right + 1))
    return math.exp(log) if log < 709 else math.inf
