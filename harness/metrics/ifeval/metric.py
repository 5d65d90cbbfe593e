"""IFEval's accuracies: the share of an instance's instructions that the answer follows, and whether it follows all.

Strict takes the answer as it is, without the spaces around it as HELM does. Loose takes the best of eight variants for
each instruction: the first line left out or not, the last line left out or not, asterisks left out or not, since models
open with "Sure, here is ..." and add Markdown. That is the paper's definition, and that of google-research's
``evaluation_lib``. The paper's instruction-level accuracy weighs instructions alike; HELM's, and this one, instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.errors import RunError
from harness.metrics.base import Metric
from harness.metrics.ifeval.arguments import BadArgument
from harness.metrics.ifeval.instructions import INSTRUCTIONS
from harness.types import Answer, Instance


def loose_variants(response: str) -> list[str]:
    """The response, then what else the loose accuracies accept; no two alike."""
    lines = response.split("\n")
    shortened = ("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))
    kept = (response, *shortened)
    return list(dict.fromkeys((*kept, *(variant.replace("*", "") for variant in kept))))


def prompt_level_strict(instance: Instance, answer: Answer) -> float:
    """1 if the answer follows every instruction, else 0."""
    return float(all(_followed(instance, [answer.text.strip()])))


def instruction_level_strict(instance: Instance, answer: Answer) -> float:
    """Share of the instructions that the answer follows (HELM's ``ifeval_strict_accuracy``)."""
    return _share(_followed(instance, [answer.text.strip()]))


def prompt_level_loose(instance: Instance, answer: Answer) -> float:
    """1 if, for every instruction, some variant of the answer follows it, else 0."""
    return float(all(_followed(instance, loose_variants(answer.text.strip()))))


def instruction_level_loose(instance: Instance, answer: Answer) -> float:
    """Share of the instructions that some variant of the answer follows."""
    return _share(_followed(instance, loose_variants(answer.text.strip())))


def _share(followed: list[bool]) -> float:
    return sum(followed) / len(followed)


def _followed(instance: Instance, responses: Iterable[str]) -> list[bool]:
    """For each instruction, whether any response follows it. An empty response follows none.

    Raises:
        RunError: the instance has no instructions, an unknown one, or one without its arguments.
    """
    variants = list(responses)
    return [
        # All are asked, even of an empty response, so that what is wrong with the data shows at once.
        any([_follows(instance, name, kwargs, variant) and bool(variant.strip()) for variant in variants])
        for name, kwargs in _instructions(instance)
    ]


def _instructions(instance: Instance) -> list[tuple[str, Mapping[str, Any]]]:
    names = list(instance.details.get("instruction_id_list", ()))
    arguments = list(instance.details.get("kwargs", ()))
    if not names or len(names) != len(arguments):
        raise RunError(
            f"The instance '{instance.id}' should have one entry of 'kwargs' for each of 'instruction_id_list', and "
            f"one or more of them; it has {len(arguments)} and {len(names)}."
        )
    return [(name, kwargs or {}) for name, kwargs in zip(names, arguments, strict=True)]


def _follows(instance: Instance, name: str, kwargs: Mapping[str, Any], response: str) -> bool:
    check = INSTRUCTIONS.get(name)
    if check is None:
        raise RunError(f"The instance '{instance.id}' has the instruction '{name}', which is none of IFEval's.")
    try:
        return check(response, kwargs)
    except BadArgument as problem:
        raise RunError(f"The instance '{instance.id}', instruction '{name}': {problem}.") from None


def _metric(name: str, judge: Callable[[Instance, Answer], float], *, is_binary: bool) -> Metric:
    return Metric(name, judge, is_binary=is_binary, higher_is_better=True, reads_details=True)


IFEVAL_STRICT_ACCURACY = _metric("ifeval_strict_accuracy", instruction_level_strict, is_binary=False)
IFEVAL_LOOSE_ACCURACY = _metric("ifeval_loose_accuracy", instruction_level_loose, is_binary=False)
IFEVAL_PROMPT_STRICT_ACCURACY = _metric("ifeval_prompt_strict_accuracy", prompt_level_strict, is_binary=True)
IFEVAL_PROMPT_LOOSE_ACCURACY = _metric("ifeval_prompt_loose_accuracy", prompt_level_loose, is_binary=True)
IFEVAL_METRICS = (
    IFEVAL_STRICT_ACCURACY,
    IFEVAL_LOOSE_ACCURACY,
    IFEVAL_PROMPT_STRICT_ACCURACY,
    IFEVAL_PROMPT_LOOSE_ACCURACY,
)
