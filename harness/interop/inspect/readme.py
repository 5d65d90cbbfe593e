"""What stands beside the tasks for the one who runs Inspect: the commands, and what they give."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from harness.errors import UserError
from harness.interop.inspect.tasks import InspectTask
from harness.interop.readme_parts import model_part, note_list, task_rows
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


def readme(served: Sequence[Served], tasks: Sequence[InspectTask], notes: Sequence[str]) -> str:
    """The text.

    Args:
        served: the models, and where they are.
        tasks: what is asked.
        notes: sentences on what is not as a reader may expect.
    """
    return _TEXT.format(
        version=VERSION,
        models="\n".join(model_part(one, inspect_line(one)) for one in served),
        tasks=task_rows(tasks),
        notes=note_list(notes),
    )


def inspect_line(served: Served) -> str:
    """The command that asks one model.

    Raises:
        UserError: Inspect could not read it.
    """
    if "," in served.model.id:
        raise UserError(
            f"Inspect cannot be told of a model called '{served.model.id}': it takes that for several; serve it under "
            "another name."
        )
    model = shlex.quote(f"openai-api-completions/local/{served.model.id}")
    bos = served.model.tokens.bos
    words = [
        "LOCAL_API_KEY=none inspect eval tasks.py",
        f"--model {model} --model-base-url {shlex.quote(served.url)}",
        *([f"-T {shlex.quote(f'bos={json.dumps(bos)}')}"] if bos else []),  # Inspect reads YAML: <s>, but not [BOS]
    ]
    return " \\\n        ".join(words)
