"""The forms that texts are brought into before they are compared."""

from __future__ import annotations

import re
import string

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalize(text: str, *, articles: bool = False) -> str:
    """Lower case, no ASCII punctuation, no articles unless ``articles``, single spaces.

    The rule of the SQuAD and QuAC scorers, which HELM's ``quasi_exact_match`` and ``f1_score`` follow.
    """
    text = text.lower().translate(_PUNCTUATION)
    return " ".join((text if articles else _ARTICLES.sub(" ", text)).split())
