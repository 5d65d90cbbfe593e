"""The main job, from a specification to a folder of results: prepare, serve, ask, compare, write."""

from __future__ import annotations

import datetime

from harness.analysis import analyse
from harness.data.hub import Hub
from harness.data.mirror import Mirror
from harness.data.store import open_store
from harness.display import Display
from harness.divergence.records import no_tokens
from harness.divergence.text import read_text
from harness.efficiency.rounds import Timings
from harness.efficiency.samples import samples_frame
from harness.errors import RunError
from harness.execution.abilities import leave_out
from harness.execution.chosen import chosen_scenarios
from harness.execution.gather import frame, gather
from harness.execution.plan import plan
from harness.measure import Models
from harness.models.null_run import null_concurrency
from harness.reports.files import run_folder, write_run
from harness.results import Measured, Run
from harness.run_spec import RunSpec, run_record
from harness.scenarios.base import Scenario


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
    _say(planned.left_out, display)
    with run_folder(spec.out) as folder:
        prepared = spec.models.prepare(
            spec.reference,
            null=null_concurrency(spec.concurrency) if spec.null else None,
            folder=folder,
            say=display.say,
        )
        planned, told = leave_out(planned, [model.ability for model in prepared.models]), len(planned.left_out)
        _say(planned.left_out[told:], display)
        models = Models(prepared.models, spec, folder, display)
        tried = models.try_all(text)
        answers = models.ask_all(planned.tasks, tried)
        tables = gather(planned.tasks, [answer.asked for answer in answers])
        notes = [*prepared.notes, *tables.notes, *tried.notes]
        tokens, divergence = no_tokens(), None
        if tried.comparison:
            tokens, divergence = tried.comparison.tokens, tried.comparison.record
            notes += tried.comparison.notes
        if not planned.tasks and divergence is None:
            raise RunError(f"Nothing was measured. {' '.join(notes)}")
        timings = Timings(samples_frame([]), [])
        if spec.efficiency:
            timings = models.time_all(tried, answers)
            notes += timings.notes
        measured = Measured(frame(tables.instances), frame(tables.scores), tokens, timings.samples)
        record = run_record(spec, prepared.models, planned, divergence, notes, started)
        found = Run(record, measured, analyse(record, measured))
        write_run(folder, found)
    return found


def _say(lines: list[str], display: Display) -> None:
    for line in lines:
        display.say(line)


def _chosen(spec: RunSpec, store: Hub | Mirror) -> list[Scenario]:
    """The scenarios of the suites, those that are named, and the user's own files; none if that is what is named."""
    if not spec.asks_questions:
        return []
    return chosen_scenarios(spec.suites, spec.scenarios, spec.scenario_files, store)
