"""Runs of lm-eval: the judgements that it made of every document, and what the model said.

Perplexities are no means over documents, but their logarithms are, if they are weighted by words or bytes; so
``word_perplexity`` comes as ``ln_word_perplexity``. A metric whose mean over the documents is not what lm-eval reports
(BLEU of a corpus, Matthews' correlation ...) cannot be compared answer by answer: it is left out, and told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UserError
from harness.interop.exported import ExportedTask, exported_instance, exported_task
from harness.interop.imports.answered import Answered, ModelTask, Score, fingerprint
from harness.interop.imports.foreign import reading
from harness.interop.imports.lm_eval_answers import ROLLING, adapter_of, columns_of
from harness.interop.imports.lm_eval_files import (
    AGAIN,
    PROGRAM,
    Results,
    Sample,
    SampleFile,
    read_results,
    read_samples,
    sample_files,
)
from harness.interop.imports.ours import by_our_names, groups_of

NO_FILTER = "none"
MAIN_OF_TEXT = "bits_per_byte"
"""What running text is judged by where it is there, as ours is."""
CLOSE = 1e-6
"""So closely, relatively, a mean has to be what lm-eval reports."""


class _Sum(NamedTuple):
    """How a figure of a whole text becomes one of each document."""

    name: str
    per_unit: Callable[[float], float]
    """From the log-probability per word or byte, nats."""
    reported: Callable[[float], float]
    """From the weighted mean to what lm-eval reports."""


SUMS = {
    "perplexity": _Sum("ln_perplexity", lambda nats: -nats, math.exp),
    "word_perplexity": _Sum("ln_word_perplexity", lambda nats: -nats, math.exp),
    "byte_perplexity": _Sum("ln_byte_perplexity", lambda nats: -nats, math.exp),
    "bits_per_byte": _Sum("bits_per_byte", lambda nats: -nats / math.log(2), float),
}
"""By lm-eval's name; of a document it writes the log-probability, or a pair of that and the number of units."""


def read_lm_eval(folder: Path, label: str | None = None) -> list[ModelTask]:
    """All runs at or below a folder.

    Args:
        folder: what ``--output_path`` named.
        label: what their model is called, instead of what lm-eval calls it.

    Raises:
        UserError: there are none, or one is not whole.
    """
    known: dict[Path, Results] = {}
    found: list[ModelTask] = []
    for file in sample_files(folder):
        if file.results not in known:
            known[file.results] = read_results(file.results)
        found.append(_task(file, known[file.results], label, folder.name))
    return found


def _task(file: SampleFile, results: Results, label: str | None, otherwise: str) -> ModelTask:
    task = file.task
    if task not in results.results:
        raise UserError(f"{file.results} says nothing of {task}, whose answers are in {file.path.name}; {AGAIN}.")
    samples = read_samples(file.path)
    if not samples:
        raise UserError(f"{file.path} has no documents; {AGAIN}.")
    documents: dict[int, list[Sample]] = {}
    for sample in samples:
        documents.setdefault(sample.doc_id, []).append(sample)
    n_asked = results.n_samples.get(task, {}).get("effective", len(documents))
    if len(documents) != n_asked:
        raise UserError(f"{file.path} has {len(documents):,} of {n_asked:,} documents; {AGAIN}.")
    scores = {}
    for number, of_one in documents.items():
        with reading(file.path, PROGRAM, AGAIN, f"document {number}"):
            scores[number] = _scores(of_one, file)
    with reading(file.results, PROGRAM, AGAIN):
        metrics, notes = _means(scores.values(), results.results[task])
    if adapter_of(samples[0]) == ROLLING:
        metrics = tuple(sorted(metrics, key=lambda name: name != MAIN_OF_TEXT))
    config = results.configs.get(task, {})
    ours = exported_task(config.get("metadata"))
    renamed = _renamed(metrics, ours)
    theirs = {name: known for known, name in renamed.items()}
    scores = {
        number: {renamed.get(name, name): score for name, score in of_one.items()} for number, of_one in scores.items()
    }
    return ModelTask(
        model=label or results.model_name or otherwise,
        scenario=ours.scenario if ours else task,
        adapter=ours.adapter if ours else adapter_of(samples[0]),
        source=file.path,
        metrics=tuple(renamed.get(name, name) for name in metrics),
        answers=lambda main: [
            _answered(of_one, scores[number], theirs.get(main, main), file, ours)
            for number, of_one in documents.items()
        ],
        conditions={
            task: {
                "the version": results.versions.get(task),
                "the number of examples": results.n_shot.get(task),
                "generation_kwargs": config.get("generation_kwargs"),
                "--gen_kwargs": results.config.get("gen_kwargs") or None,
            }
        },
        higher_is_better=_better(results.higher_is_better.get(task, {})),
        versions={"lm-eval": results.lm_eval_version},
        notes=notes,
        groups=groups_of(ours) if ours else {},
        has_hash=ours is not None and not label,
        guess_rate=ours.guess_rate if ours else None,
    )


def _renamed(metrics: Sequence[str], ours: ExportedTask | None) -> dict[str, str]:
    """Our name of the one metric that judges as our main one does, by lm-eval's name and filter."""
    same = [name for name in metrics if ours and ours.theirs and name.partition(",")[0] == ours.theirs]
    return {same[0]: ours.metric} if ours and len(same) == 1 and ours.metric not in metrics else {}


def _answered(
    samples: Sequence[Sample],
    scores: Mapping[str, Score | None],
    main: str,
    file: SampleFile,
    ours: ExportedTask | None,
) -> Answered:
    """One document; of its filters it is told what the one made of it that the main metric looks at."""
    metric, _, after = main.partition(",")
    first = next((one for one in samples if one.filter == (after or NO_FILTER)), samples[0])
    with reading(file.path, PROGRAM, AGAIN, f"document {first.doc_id}"):
        columns = columns_of(first, metric)
    known = {name: score for name, score in scores.items() if score}
    answer = Answered(str(first.doc_id), fingerprint(first.doc_hash, first.target_hash), known, columns)
    told = first.doc if isinstance(first.doc, dict) else {}
    return by_our_names(answer, ours, exported_instance(told)) if ours else answer


def _better(told: Mapping[str, bool | None]) -> dict[str, bool]:
    """By our names of the metrics, without their filters."""
    names = {name: SUMS[name].name if name in SUMS else name for name in told}
    return {names[name]: better for name, better in told.items() if better is not None}


def _scores(samples: Sequence[Sample], file: SampleFile) -> dict[str, Score | None]:
    """By metric and filter, of one document; None where a value is no number."""
    found: dict[str, Score | None] = {}
    for sample in samples:
        for metric in sample.metrics:
            if metric not in (sample.model_extra or {}):
                raise UserError(f"{file.path}: document {sample.doc_id} lacks its {metric}; {AGAIN}.")
            name = SUMS[metric].name if metric in SUMS else metric
            key = name if sample.filter == NO_FILTER else f"{name},{sample.filter}"
            if key in found:
                raise UserError(f"{file.path}: document {sample.doc_id} is there twice; {AGAIN}.")
            found[key] = _score(metric, (sample.model_extra or {})[metric])
    return found


def _score(metric: str, value: Any) -> Score | None:
    n_units = 1.0
    if metric in SUMS and isinstance(value, list) and len(value) == 2:
        value, n_units = value
    if not isinstance(value, (int, float)):
        return None
    if metric not in SUMS:
        return Score(float(value))
    return Score(SUMS[metric].per_unit(value / n_units) if n_units else math.nan, float(n_units))


def _means(scores: Any, reported: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The metrics that are means over documents, in lm-eval's order, and half a sentence on the others."""
    documents = list(scores)
    kept: list[str] = []
    others: list[str] = []
    for key in documents[0] if documents else ():
        values = [of_one.get(key) for of_one in documents]
        known = [value for value in values if value is not None]
        (kept if len(known) == len(values) and _is_reported(key, known, reported) else others).append(key)
    notes = [f"{' and '.join(others)} {'is' if len(others) == 1 else 'are'} no mean over documents, and left out"]
    return tuple(kept), tuple(notes if others else ())


def _is_reported(key: str, scores: Sequence[Score], reported: Mapping[str, Any]) -> bool:
    name, _, after = key.partition(",")
    original, back = next(((theirs, one.reported) for theirs, one in SUMS.items() if one.name == name), (name, float))
    figure = reported.get(f"{original},{after or NO_FILTER}")
    weight = math.fsum(score.weight for score in scores)
    if not isinstance(figure, (int, float)) or not weight:
        return False
    try:
        mean = back(math.fsum(score.value * score.weight for score in scores) / weight)
    except OverflowError:
        mean = math.inf
    return math.isclose(mean, figure, rel_tol=CLOSE, abs_tol=1e-9) or (math.isnan(mean) and math.isnan(figure))
