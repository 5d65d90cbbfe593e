"""The main job, from a specification to a folder of results: prepare, serve, ask, compare, write."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.analysis import analyse
from harness.child_process import usable_cores
from harness.data.store import open_store
from harness.data.table import Store
from harness.display import Display
from harness.divergence.comparison import Comparison
from harness.divergence.plan import Reading, make_plan
from harness.divergence.records import no_tokens
from harness.divergence.text import Text, read_text
from harness.efficiency.rounds import Subject, Timings, measure
from harness.efficiency.samples import samples_frame
from harness.execution.concurrency import Concurrency
from harness.execution.gather import frame, gather
from harness.execution.known import known_scenarios, own_scenarios
from harness.execution.plan import plan
from harness.execution.runner import Asked, run_task
from harness.execution.tasks import Task
from harness.models.candidates import Candidate, prepare
from harness.models.null_run import NULL, null_candidate, null_concurrency
from harness.reports.files import run_folder, write_run
from harness.results import Measured, Run
from harness.run_spec import RunSpec, run_record
from harness.scenarios.base import Scenario
from harness.scenarios.selection import find_scenarios
from harness.scenarios.suites import suite
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.serving.timing import Memory


def run(spec: RunSpec, display: Display) -> Run:
    """Do the whole job; what is returned is on disk too.

    Raises:
        UserError: something in the specification is wrong, or a model cannot be served; nothing was asked or written.
        RunError: a server or an answer failed; no server is left running and no folder half-written.
    """
    started = datetime.datetime.now(datetime.UTC)
    store = open_store(spec.dataset_dir, display.say)
    planned = plan(_chosen(spec, store), store, spec.asking)
    text = read_text(spec.divergence_text) if spec.divergence else None
    tasks = planned.tasks
    for line in planned.left_out:
        display.say(line)
    with run_folder(spec.out) as folder:
        candidates, notes = _prepared(spec, display)
        tried = _try_all(candidates, text, spec, folder, display)
        n_asked = len(candidates) * sum(len(task.instances) for task in tasks)
        with display.running(n_asked + (tried.comparison.n_asked if tried.comparison else 0)):
            answers = [_ask_all(candidate, tasks, tried, spec, folder, display) for candidate in candidates]
        tables = gather(tasks, [answer.asked for answer in answers])
        notes += tables.notes
        tokens, divergence = no_tokens(), None
        if tried.comparison:
            tokens, divergence = tried.comparison.tokens, tried.comparison.record
            notes += tried.comparison.notes
        timings = Timings(samples_frame([]), [])
        if spec.efficiency:
            timings = _time_all(candidates, [answer.memory for answer in answers], tried.room, spec, folder, display)
            notes += timings.notes
        measured = Measured(frame(tables.instances), frame(tables.scores), tokens, timings.samples)
        record = run_record(spec, candidates, planned, divergence, notes, started)
        found = Run(record, measured, analyse(record, measured))
        write_run(folder, found)
    return found


def _chosen(spec: RunSpec, store: Store) -> list[Scenario]:
    """The scenarios of the suites, those that are named, and the user's own files; none if that is what is named."""
    if not spec.asks_questions:
        return []
    known = known_scenarios()
    own = own_scenarios(spec.scenario_files, known)
    selectors = [selector for name in spec.suites for selector in suite(name, known, store)]
    named = {selector.partition(":")[0] for selector in spec.scenarios}
    not_named = [name for name in own if name not in named]  # a slice of one's own may be, and is not all of it
    return find_scenarios([*selectors, *spec.scenarios, *not_named], known | own)


def _prepared(spec: RunSpec, display: Display) -> tuple[list[Candidate], list[str]]:
    """The models, the reference first and its null run last, and what a reader must know of them."""
    candidates, notes = prepare(
        spec.base,
        list(spec.models),
        spec.reference,
        cache_dir=spec.cache_dir,
        threads=usable_cores(),
        say=display.say,
        null=NULL if spec.null else None,
    )
    if not spec.null:
        return candidates, notes
    null = null_candidate(candidates[0])
    return [*candidates, null], [*notes, *filter(None, [null.note])]


def _is_null(candidate: Candidate, spec: RunSpec) -> bool:
    return spec.null and candidate.label == NULL


def _concurrency(candidate: Candidate, spec: RunSpec) -> int:
    """Requests under way at once."""
    return null_concurrency(spec.concurrency) if _is_null(candidate, spec) else spec.concurrency


@contextmanager
def _serving(candidate: Candidate, spec: RunSpec, folder: Path, room: int | None = None) -> Iterator[Endpoint]:
    """A server of its own for one model, and its endpoint, found fit for scoring, which keeps to ``room`` tokens."""
    label = candidate.label
    log = folder / f"server-{label}.log"
    with (
        ServerProcess(candidate.facts.path, label, candidate.serve, log, slots=_concurrency(candidate, spec)) as server,
        Endpoint(server.base_url, label, alive=server.check_alive) as endpoint,
    ):
        endpoint.self_test()
        endpoint.room = room
        yield endpoint


class _Tried(NamedTuple):
    """What is known once every model has been served."""

    room: int
    """Tokens that the smallest context holds. All models' prompts keep to it, so that all are asked alike."""
    comparison: Comparison | None
    """Of next-token distributions; None where that is not wanted."""


def _try_all(candidates: list[Candidate], text: Text | None, spec: RunSpec, folder: Path, display: Display) -> _Tried:
    """Start every model once before the first question: hours of answers are not lost to the last one's bad file."""
    contexts: list[int] = []
    readings: dict[str, Reading] = {}
    for candidate in candidates:
        display.say(f"{candidate.label}: checking that it can be served")
        with _serving(candidate, spec, folder) as endpoint:
            contexts.append(endpoint.context)
            if spec.asking.chat:
                endpoint.tokenize_chat("")
            if text:
                n_vocabulary = candidate.facts.vocabulary_size
                readings[candidate.label] = Reading(endpoint.tokenize(text.text), endpoint.bos, n_vocabulary)
    room = min(contexts)
    if text is None:
        return _Tried(room, None)
    return _Tried(room, Comparison(make_plan(text, readings, context=room, most=spec.divergence_windows)))


class _Answers(NamedTuple):
    """What one model answered, and what its server took of memory for that."""

    asked: list[Asked]
    memory: Memory


def _ask_all(
    candidate: Candidate, tasks: list[Task], tried: _Tried, spec: RunSpec, folder: Path, display: Display
) -> _Answers:
    """All tasks, put to one model, and after them the windows of text."""
    label = candidate.label
    found: list[Asked] = []
    display.say(f"{label}: starting its server")
    with _serving(candidate, spec, folder, tried.room) as endpoint:
        limit = Concurrency(_concurrency(candidate, spec))
        endpoint.on_overload = limit.overloaded
        for task in tasks:
            display.say(f"{label}: {task.label}")
            asked = run_task(endpoint, label, task, concurrency=limit, tick=display.tick)
            display.finished(f"{label}: {task.label}, {asked.summary(task)}")
            found.append(asked)
        if tried.comparison:
            display.say(f"{label}: divergence")
            display.finished(f"{label}: {tried.comparison.ask(endpoint, label, display.tick)}")
        return _Answers(found, endpoint.memory())


def _time_all(
    candidates: list[Candidate], memories: list[Memory], room: int, spec: RunSpec, folder: Path, display: Display
) -> Timings:
    """Speeds and memory of all models but the null run, which is the reference served otherwise than anybody would."""
    subjects = [
        Subject(candidate.label, candidate.facts.bytes, partial(_serving, candidate, spec, folder, room), memory)
        for candidate, memory in zip(candidates, memories, strict=True)
        if not _is_null(candidate, spec)
    ]
    return measure(subjects, seed=spec.asking.seed, say=display.say)
