"""The README of a folder for HELM: three commands to paste, and what their numbers compare with."""

from __future__ import annotations

from collections.abc import Sequence

from harness.interop.helm.custom import CustomTask
from harness.interop.helm.models import name_of
from harness.interop.helm.questions import HelmTask
from harness.interop.readme_parts import import_part, note_list
from harness.interop.served import Served

_TEXT = """\
# These tasks in HELM

Written by `harness export helm` for crfm-helm 0.5.16 (`pip install "crfm-helm[openai]==0.5.16"`). The commands
are for a shell in this folder.

## 1. Serve

{serve}

## 2. Ask

    HF_HUB_OFFLINE=1 HELM_RETRIES=1 helm-run --local-path prod_env --plugins ./quant_harness.py \\
        --conf-paths run_entries.conf --suite quant -m {most} -n 16 --exit-on-error

## 3. Tables

    helm-summarize --local-path prod_env --suite quant --schema-path schema.yaml

They are in `benchmark_output/runs/quant/groups`; `helm-server --suite quant` shows them.
{compare}
## What is asked

| run | questions | HELM's number | ours |
|---|---|---|---|
{tasks}
{notes}{custom}
## Mind

- Every model has an id of its own, with something of its file's hash. HELM's cache (`prod_env/cache`) tells models
  apart by that id alone: a second quantization under the same id gets the first one's answers. So do not edit ids, and
  serve each file under its own.
- `-m` is a limit that HELM insists on; these tasks ask all their questions.
- The environment variable `HELM_HTTP_MODEL_BASE_URL` would send all tokenizers to one server; leave it unset.
- HELM's tokenizer sends no API key, so start the servers without one.
"""
_CUSTOM = """
## In HELM's own words

`custom_mcqa.conf` has the same questions for HELM's own `custom_mcqa`: no plugin, HELM's instructions, and examples
that HELM draws. Its numbers are HELM's way of asking, not ours.

    HF_HUB_OFFLINE=1 HELM_RETRIES=1 helm-run --local-path prod_env --conf-paths custom_mcqa.conf --suite custom \\
        -m {most} -n 16 --exit-on-error
"""


def readme(
    served: Sequence[Served], tasks: Sequence[HelmTask], custom: Sequence[CustomTask], notes: Sequence[str]
) -> str:
    """The text."""
    most = max(len(task.task.instances) for task in tasks)
    commands = [one.command for one in served if one.command]
    serve = "\n".join(f"    {command}" for command in commands)
    return _TEXT.format(
        serve=f"Each in a terminal of its own, or all at once with ` &` at the ends:\n\n{serve}"
        if serve
        else f"Nothing to do, but {_has_to_run([one.url for one in served])}.",
        most=most,
        compare=import_part(
            "## 4. Compare", "helm", ["benchmark_output/runs/quant"], [name_of(m.model) for m in served]
        ),
        tasks="\n".join(_row(task) for task in tasks),
        notes=note_list(notes),
        custom=_CUSTOM.format(most=most) if custom else "",
    )


def _has_to_run(urls: Sequence[str]) -> str:
    """As the end of a sentence."""
    return f"{urls[0]} has to run" if len(urls) == 1 else f"{', '.join(urls[:-1])} and {urls[-1]} have to run"


def _row(task: HelmTask) -> str:
    ours = task.task.metrics[0].name
    same = f"{ours}, {_unlike(task)}" if _unlike(task) else ours
    return f"| {task.name} | {len(task.task.instances)} | {task.main} | {same} |"


def _unlike(task: HelmTask) -> str:
    """Why HELM's number is another one than ours, where it is."""
    spec = task.task.spec
    if spec.method == "multiple_choice_separate_original" and spec.normalization != "token":
        return f"which takes log-probabilities per {spec.normalization}, and HELM's per token"
    return "" if task.main in (task.task.metrics[0].name, "exact_match") else "which HELM has not"
