"""What stands beside the tasks for the one who runs Inspect: the commands, and what they give."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from harness.interop.inspect.tasks import InspectTask
from harness.interop.served import Served

VERSION = "0.3.285"
"""Of inspect_ai, with which the folder was tested."""
_TEXT = """\
# These tasks in Inspect

Written by `harness export inspect` for inspect_ai {version} (`pip install "inspect_ai=={version}" "openai>=3.4"`).
Every prompt is in `data/`, its solved examples in it, byte for byte as a run of ours asks it. Nothing is downloaded.
The commands are for a shell in this folder; `inspect view` shows the results.

{models}
## What is asked

| task | questions | our metric | Inspect's |
|---|---|---|---|
{tasks}
{notes}
## Mind

- `openai-api-completions` sends prompts as they are. `openai-api` would put them into the model's chat template.
- Where the model's prompts begin with BOS, `-T bos=` puts it before running text, so that the first word is scored too,
  as in our runs. Other prompts get theirs from the server.
"""


def readme(served: Sequence[Served], context: int, tasks: Sequence[InspectTask], notes: Sequence[str]) -> str:
    """The text.

    Args:
        served: the models, and where they are.
        context: tokens that every one of them holds.
        tasks: what is asked.
        notes: sentences on what is not as a reader may expect.
    """
    rows = [f"| `{task.name}` | {len(task.rows)} | {task.ours} | {task.theirs or '–'} |" for task in tasks]
    all_notes = [*notes, *_too_long(tasks, context)]
    return _TEXT.format(
        version=VERSION,
        models="\n".join(map(_model, served)),
        tasks="\n".join(rows),
        notes="".join(f"\n- {note}" for note in all_notes) + ("\n" if all_notes else ""),
    )


def _model(served: Served) -> str:
    serve = f"Serve it in one terminal:\n\n    {served.command}\n\nAsk in another:\n\n" if served.command else ""
    return f"## {served.model.label}\n\n{serve}    {inspect_line(served)}\n"


def inspect_line(served: Served) -> str:
    """The command that asks one model."""
    model = shlex.quote(f"openai-api-completions/local/{served.model.id}")
    bos = served.model.tokens.bos
    words = [
        "LOCAL_API_KEY=none inspect eval tasks.py",
        f"--model {model} --model-base-url {shlex.quote(served.url)}",
        *([f"-T {shlex.quote(f'bos={json.dumps(bos)}')}"] if bos else []),  # Inspect reads YAML: <s>, but not [BOS]
    ]
    return " \\\n        ".join(words)


def _too_long(tasks: Sequence[InspectTask], context: int) -> list[str]:
    found = [f"`{task.name}`" for task in tasks if task.longest > context]
    if not found:
        return []
    return [
        f"Some prompts of {', '.join(found)} may not fit the context of {context} tokens. The server refuses those, "
        "where a run of ours leaves out examples or asks in windows. `--no-fail-on-error` goes on without them."
    ]
