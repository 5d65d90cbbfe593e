r"""Mathematical answers: the same but for how LaTeX writes them.

HELM's rule, after Hendrycks et al. 2021 (arXiv 2103.03874): both texts are brought into one form, which is compared
letter by letter. It knows no algebra: ``1+x`` and ``x+1`` differ. Libraries that do need a time limit, since a short
answer such as ``9^{9^{9^9}}`` keeps them busy for ever, and theirs works by a signal, in a program's main thread only.
"""

from __future__ import annotations

import re

from harness.metrics.base import Metric
from harness.metrics.golds import best_of_golds

_REMOVED = re.compile(r"\n|\\!|\\left|\\right|\^\{\\circ\}|\^\\circ|\\\$|\\%")
_FRACTION = re.compile(r"\\frac([^{])([^{]|(?=\{))")
_SLASH = re.compile(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)")
_BOX = r"\boxed{"


def normal_form(text: str) -> str:
    r"""The form that is compared: without units, spaces, ``x=``; with ``\frac{1}{2}`` for ``1/2`` and ``\frac12``."""
    text = text.replace("\\\\", "\\").replace("tfrac", "frac").replace("dfrac", "frac")
    text = _REMOVED.sub("", text).split("\\text{ ")[0]
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    left, *rights = text.split("=")
    if len(rights) == 1 and len(left) <= len("x "):
        text = rights[0]
    text = re.sub(r"\\sqrt([^{])", r"\\sqrt{\1}", text).replace(" ", "")
    text = _FRACTION.sub(lambda found: f"\\frac{{{found[1]}}}" + (f"{{{found[2]}}}" if found[2] else ""), text)
    text = "\\frac{1}{2}" if text == "0.5" else text
    return _SLASH.sub(r"\\frac{\1}{\2}", text) if _SLASH.fullmatch(text) else text


def boxed(text: str) -> str | None:
    r"""What stands in the last ``\boxed{...}``, braces in it being balanced; None without one that is closed."""
    begin = text.rfind(_BOX)
    if begin < 0:
        return None
    depth = 0
    for end in range(begin + len(_BOX) - 1, len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if depth == 0:
            return text[begin + len(_BOX) : end]
    return None


def _is_equivalent(gold: str, text: str) -> bool:
    return normal_form(gold) == normal_form(text)


def _is_boxed_equivalent(gold: str, text: str) -> bool:
    """A reference may be a whole solution, as in MATH, or just its answer."""
    wanted, given = boxed(gold), boxed(text)
    return given is not None and _is_equivalent(gold if wanted is None else wanted, given)


MATH_EQUIV = Metric("math_equiv", best_of_golds(_is_equivalent), is_binary=True, higher_is_better=True)
MATH_EQUIV_CHAIN_OF_THOUGHT = Metric(
    "math_equiv_chain_of_thought", best_of_golds(_is_boxed_equivalent), is_binary=True, higher_is_better=True
)
