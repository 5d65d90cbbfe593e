"""length_constraints: how many words, sentences and paragraphs a response has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import BadArgument, holds, number, text
from harness.metrics.ifeval.segmentation import sentences, words


def number_words(response: str, kwargs: Mapping[str, Any]) -> bool:
    """Less than, or at least, ``num_words`` words (``relation``)."""
    return holds(len(words(response)), kwargs, "relation", "num_words")


def number_sentences(response: str, kwargs: Mapping[str, Any]) -> bool:
    """Less than, or at least, ``num_sentences`` sentences (``relation``)."""
    return holds(len(sentences(response)), kwargs, "relation", "num_sentences")


def number_paragraphs(response: str, kwargs: Mapping[str, Any]) -> bool:
    """Exactly ``num_paragraphs`` paragraphs with ``***`` between them; it may stand before and after all of them too.

    Nothing between two dividers is no paragraph, and wrong.
    """
    wanted = number(kwargs, "num_paragraphs")
    filled = [bool(part.strip()) for part in response.split("***")]
    return all(filled[1:-1]) and sum(filled) == wanted


def nth_paragraph_first_word(response: str, kwargs: Mapping[str, Any]) -> bool:
    """``num_paragraphs`` paragraphs with an empty line between them, and number ``nth_paragraph`` opens with a word.

    The word, ``first_word``, is what comes before the first ``. , ? ! ' "`` in the paragraph's first piece between
    spaces, quotation marks in front left out. Blank paragraphs do not count, but have a number, as in IFEval's code.
    """
    wanted, nth = number(kwargs, "num_paragraphs"), number(kwargs, "nth_paragraph")
    first_word = text(kwargs, "first_word").lower()
    if not 1 <= nth <= wanted:
        raise BadArgument(f"'nth_paragraph' should lie between 1 and {wanted}, but is {nth}")
    paragraphs = [paragraph.strip() for paragraph in response.split("\n\n")]
    if sum(map(bool, paragraphs)) != wanted or not paragraphs[nth - 1]:
        return False
    opening = paragraphs[nth - 1].split()[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", opening, maxsplit=1)[0].lower() == first_word
