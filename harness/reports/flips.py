"""Answers that changed, for the browser of flips: as plain data, with what they were asked once for all models."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from harness.keys import QUESTION
from harness.methods import short_name
from harness.reports.rows import records
from harness.results import Run

MOST = 2000
"""Flips in a page."""
BUDGET = 2_000_000
"""Characters of JSON that they may take."""
LONGEST_PROMPT = 4000
"""Characters of a prompt that are kept: of a longer one the beginning and, three times as much, the end."""
MOST_TOKENS = 400
"""Of an answer."""
DIRECTIONS = ("to wrong", "to right", "still wrong, other answer")

Json = dict[str, Any]


def flips_of(run: Run, most: int = MOST, budget: int = BUDGET) -> Json:
    """What changed, and how much of it is here.

    Where there is more than fits, every model and scenario keeps its first ones, and flips come before wrong answers
    that became other wrong answers.

    Returns:
        ``reference``, ``models``, ``directions``, ``questions`` (each asked once, with the reference's answer),
        ``flips`` (of a question by number, a model and its answer), ``total`` and ``counts`` by direction.
    """
    instances = run.measured.instances
    changed = _changed(instances, run.reference)
    page = _Page(run.reference, budget)
    for flip in records(changed.head(most)):
        if not page.add(instances.iloc[flip["reference_row"]], instances.iloc[flip["row"]], int(flip["direction"])):
            break
    counts = changed["direction"].value_counts()
    return {
        "reference": run.reference,
        "models": [model["label"] for model in run.models if (changed["model"] == model["label"]).any()],
        "directions": list(DIRECTIONS),
        "questions": page.questions,
        "flips": page.flips,
        "total": len(changed),
        "counts": [int(counts.get(number, 0)) for number in range(len(DIRECTIONS))],
    }


def embed(data: Json) -> str:
    """JSON that can stand in an HTML page: ASCII only, without any character that HTML knows."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _changed(instances: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Pairs of rows whose answers are not the same, those to show first in front."""
    columns = [*QUESTION, "model", "correct", "answer"]
    judged = instances.reset_index(drop=True)[columns].rename_axis("row").reset_index()
    judged = judged[judged["correct"].notna()]
    pairs = judged[judged["model"] != reference].merge(
        judged[judged["model"] == reference].drop(columns="model"), on=QUESTION, suffixes=("", "_of_reference")
    )
    before, after = pairs["correct_of_reference"].astype(bool), pairs["correct"].astype(bool)
    other = ~before & ~after & (pairs["answer"] != pairs["answer_of_reference"])
    pairs["direction"] = (~before & after) * 1 + other * 2
    pairs = pairs[(before != after) | other].rename(columns={"row_of_reference": "reference_row"})
    place = pairs.groupby(["model", "scenario", "adapter", "direction"], sort=False).cumcount()
    pairs = pairs.assign(late=pairs["direction"] == 2, place=place)
    return pairs.sort_values(["late", "place"], kind="stable")


class _Page:
    """What is in the page so far."""

    def __init__(self, reference: str, budget: int) -> None:
        self.reference = reference
        self.left = budget
        self.questions: list[Json] = []
        self.flips: list[Json] = []
        self.number: dict[tuple[Any, ...], int] = {}

    def add(self, base: pd.Series, row: pd.Series, direction: int) -> bool:
        """One flip, and its question if that is new; False where there is no room left."""
        key = tuple(base[name] for name in QUESTION)
        question = None if key in self.number else _question(base)
        flip = {"m": row["model"], "d": direction, **_answer(row)}
        self.left -= len(json.dumps(flip)) + (len(json.dumps(question)) if question else 0)
        if self.left < 0:
            return False
        if question:
            self.number[key] = len(self.questions)
            self.questions.append(question)
        self.flips.append({"q": self.number[key], **flip})
        return True


def _question(row: pd.Series) -> Json:
    prompt, cut = _shortened(row["prompt"])
    forms = [text for text in (short_name(row["adapter"]), row["perturbation"]) if text]
    return {
        "s": row["scenario"],
        "id": row["instance_id"],
        "how": ", ".join([*forms, f"trial {row['trial']}"] if row["trial"] else forms),
        "kind": row["kind"],
        "prompt": prompt,
        "cut": cut,
        "golds": list(row["golds"]),
        "choices": list(row["choices"]),
        **_answer(row),
    }


def _answer(row: pd.Series) -> Json:
    tokens = list(row["tokens"]) if row["tokens"] is not None else []
    logprobs = [_rounded(value) for value in row["token_logprobs"]]
    return {
        "a": row["answer"],
        "tokens": tokens[:MOST_TOKENS],
        "logprobs": logprobs[:MOST_TOKENS],
        "more": max(0, len(logprobs) - MOST_TOKENS),
        "scores": list(_scores(row)),
    }


def _scores(row: pd.Series) -> Iterator[float | None]:
    """By what the choices were compared, where they were scored apart."""
    lengths = row["choice_lengths"]
    lengths = lengths if lengths is not None and len(lengths) else [1] * len(row["choice_logprobs"])
    return (_rounded(value / length) for value, length in zip(row["choice_logprobs"], lengths, strict=True))


def _rounded(value: float) -> float | None:
    return round(float(value), 3) if math.isfinite(value) else None


def _shortened(prompt: str) -> tuple[str, int]:
    """What is kept of a prompt, and how many characters are left out in its middle, where a ``\\0`` stands."""
    left_out = len(prompt) - LONGEST_PROMPT
    if left_out <= 0:
        return prompt.replace("\0", "\ufffd"), 0
    head, tail = prompt[: LONGEST_PROMPT // 4], prompt[-(LONGEST_PROMPT - LONGEST_PROMPT // 4) :]
    return f"{head.replace(chr(0), chr(0xFFFD))}\0{tail.replace(chr(0), chr(0xFFFD))}", left_out
