from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_helm import apart_run, joint_run, text_run
from made_lm_eval import WORDS, quiz, text_sample, write_lm_eval, written_samples

from harness.interop.imports.run import ImportSpec, import_run
from harness.results import Run

Import = Callable[..., Run]


@pytest.fixture(scope="session")
def imported() -> Import:
    """The run that folders make."""

    def make(harness: str, *words: Path | str, **options: Any) -> Run:
        known = {"reference": None, "metrics": (), "margin": 0.01, "seed": 0}
        return import_run(ImportSpec(harness, tuple(map(str, words)), **(known | options)))

    return make


@pytest.fixture
def lm_eval_folders(tmp_path: Path) -> Path:
    """What lm-eval wrote of two models, in one folder."""
    for model, wrong, nats in (("org/f16", 1, -100.0), ("org/q4", 6, -110.0)):
        tasks = {
            "quiz": quiz(wrong=wrong),
            "text": [text_sample(i, nats - i, WORDS + i) for i in range(8)],
            "facts": [one for i in range(12) for one in written_samples(i, " tea" if i < wrong else "oil")],
        }
        write_lm_eval(tmp_path / "lm" / model.replace("/", "__"), model, tasks)
    return tmp_path / "lm"


@pytest.fixture
def helm_suite(tmp_path: Path) -> Path:
    """What HELM wrote of two models."""
    suite = tmp_path / "benchmark_output" / "runs" / "v1"
    for model, wrong, nats in (("local/f16", 1, -20.0), ("local/q4", 7, -22.0)):
        joint_run(suite, model, wrong)
        apart_run(suite, model, wrong)
        apart_run(suite, model, wrong, calibrated=True)
        text_run(suite, model, nats)
    return suite


@pytest.fixture(scope="session")
def rewrite() -> Callable[[Path, Callable[[Any], Any]], None]:
    """Change what is in a JSON file."""

    def change(path: Path, how: Callable[[Any], Any]) -> None:
        path.write_text(json.dumps(how(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")

    return change
