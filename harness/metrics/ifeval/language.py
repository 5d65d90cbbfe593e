"""language: which language a response is in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from harness.metrics.ifeval.arguments import text


@functools.cache
def _detector() -> Callable[[], Any]:
    # Imported where it is used: it reads 55 language profiles.
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    # A factory of our own: the seed of langdetect's shared one is everybody's. Unseeded, answers change between runs.
    factory = DetectorFactory()
    factory.set_seed(0)
    factory.load_profile(PROFILES_DIRECTORY)
    create: Callable[[], Any] = factory.create
    return create


def is_in_language(response: str, language: str) -> bool:
    """Whether the language with this ISO 639-1 code is the likeliest one, or the text has nothing to tell it by."""
    from langdetect import LangDetectException

    detector = _detector()()
    try:
        detector.append(response)
        return bool(detector.detect() == language)
    except LangDetectException:  # digits and punctuation only; IFEval counts that as followed
        return True


def response_language(response: str, kwargs: Mapping[str, Any]) -> bool:
    """The language is ``language``."""
    return is_in_language(response, text(kwargs, "language"))
