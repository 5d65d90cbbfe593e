"""What stands beside the tasks for the one who runs lm-eval: the commands, and what they give."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.errors import UserError
from harness.interop.lm_eval.tasks import LmEvalTask
from harness.interop.readme_parts import import_part, model_part, note_list, task_rows
from harness.interop.served import Served

_TEXT = """\
# These tasks in lm-eval

Written by `harness export lm-eval` for lm-eval 0.4.13 (`pip install "lm-eval[api]==0.4.13"`). Every prompt is in
`data/`, with its solved examples in it, byte for byte as a run of ours asks it. The commands are for a shell in this
folder, and need no network.

{models}{compare}
## What is asked

| task | questions | our metric | lm-eval's |
|---|---|---|---|
{tasks}
{notes}
## Mind

- lm-eval sends token ids, and no BOS before them. Where the model's prompts begin with BOS, `--system_instruction` puts
  it before every prompt, and `custom_prefix_token_id` before running text. The same options suit lm-eval's own tasks.
- Every model has an `--output_path` of its own. Leave out `--use_cache`: its key has no model in it, so that the second
  model would get the first one's answers.
- `max_length` is the context. lm-eval cuts off the beginning of what is longer, and says so (`Left truncating
  context`).
"""


def readme(served: Sequence[Served], context: int, tasks: Sequence[LmEvalTask], notes: Sequence[str]) -> str:
    """The text.

    Args:
        served: the models, and where they are.
        context: tokens that every one of them holds.
        tasks: what is asked.
        notes: sentences on what is not as a reader may expect.
    """
    names = ",".join(task.name for task in tasks)
    return _TEXT.format(
        models="\n".join(model_part(one, _ask_line(one, context, names)) for one in served),
        compare=import_part(
            "## Compare", "lm-eval", [_results(one) for one in served], [one.model.id for one in served]
        ),
        tasks=task_rows(tasks),
        notes=note_list(notes),
    )


def _results(served: Served) -> str:
    """The folder of one model's results."""
    return f"results/{served.model.id}"


def _ask_line(served: Served, context: int, tasks: str) -> str:
    """The command that asks one model; raises a :class:`~harness.errors.UserError` where lm-eval could not read it."""
    model = served.model
    if set(",=") & set(model.id):
        raise UserError(
            f"lm-eval cannot be told of a model called '{model.id}': it takes commas and equals signs for its own; "
            "serve it under another name."
        )
    arguments = {"model": model.id, "base_url": f"{served.url}/completions", "tokenizer_backend": "remote"}
    arguments |= {"max_length": str(context), "num_concurrent": "4"}
    if model.tokens.bos_id is not None:  # left alone, lm-eval takes the id 0 for none
        arguments["custom_prefix_token_id"] = str(model.tokens.bos_id)
    begun = [f"--system_instruction {shlex.quote(model.tokens.bos)}"] if model.tokens.bos else []
    words = [
        "lm_eval run --model local-completions",
        f"--model_args {shlex.quote(','.join(f'{name}={value}' for name, value in arguments.items()))}",
        *begun,
        f"--include_path tasks --tasks {tasks}",
        f"--output_path {shlex.quote(_results(served))} --log_samples",
    ]
    return " \\\n        ".join(words)
