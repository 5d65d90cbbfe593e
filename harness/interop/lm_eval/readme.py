"""What stands beside the tasks for the one who runs lm-eval: the commands, and what they give."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.interop.lm_eval.tasks import LeftOut, LmEvalTask
from harness.interop.models import ExportedModel
from harness.interop.serve_line import serve_line
from harness.interop.source import Source

VERSION = "0.4.13"
"""Of lm-eval, with which the folder was tested."""


def readme(source: Source, tasks: Sequence[LmEvalTask], left_out: Sequence[LeftOut], port: int) -> str:
    """The README.

    Args:
        source: models and tasks of ours.
        tasks: what became of the tasks.
        left_out: those that lm-eval cannot ask.
        port: of the first model that is to be served; the others have those after it.
    """
    names = ",".join(task.name for task in tasks)
    parts = [
        _BEGIN.format(version=VERSION),
        *(_model(model, port + number, source.context, names) for number, model in enumerate(source.models)),
        _table(tasks),
        _list("What lm-eval cannot ask", [f"`{task.name}`: {task.why}." for task in left_out]),
        _list("Notes", [*_too_long(tasks, source.context), *source.notes]),
        _END,
    ]
    return "\n".join(part for part in parts if part)


def lm_eval_line(model: ExportedModel, url: str, context: int, tasks: str) -> str:
    """The command that asks one model; ``url`` is the server's, up to ``/v1``.

    lm-eval sends token ids without BOS. Where the model's prompts begin with one it is given as the system instruction,
    which lm-eval puts before every context; running text begins with the prefix token, which lm-eval takes for unknown
    where its id is 0.
    """
    arguments = {"model": model.id, "base_url": f"{url}/completions", "tokenizer_backend": "remote"}
    arguments |= {"max_length": str(context), "num_concurrent": "4"}
    if model.tokens.bos_id is not None:
        arguments["custom_prefix_token_id"] = str(model.tokens.bos_id)
    words = [
        "lm_eval run --model local-completions",
        f"--model_args {','.join(f'{name}={value}' for name, value in arguments.items())}",
        *([f"--system_instruction {shlex.quote(model.tokens.bos)}"] if model.tokens.bos else []),
        f"--include_path tasks --tasks {tasks}",
        f"--output_path results/{model.id} --log_samples",
    ]
    return " \\\n      ".join(words)


def _model(model: ExportedModel, port: int, context: int, tasks: str) -> str:
    url = model.url or f"http://127.0.0.1:{port}/v1"
    ask = f"    {lm_eval_line(model, url, context, tasks)}\n"
    if model.url:
        return f"## {model.label}\n\nIn this folder:\n\n{ask}"
    serve = f"    {serve_line(model, port)}\n"
    return f"## {model.label}\n\nIn one terminal:\n\n{serve}\nIn another, in this folder:\n\n{ask}"


def _table(tasks: Sequence[LmEvalTask]) -> str:
    rows = [f"| `{task.name}` | {len(task.rows)} | {task.ours} | {task.theirs or 'none'} |" for task in tasks]
    return "\n".join(["## Tasks\n", "| task | questions | our metric | in lm-eval |", "|---|---|---|---|", *rows, ""])


def _list(heading: str, sentences: Sequence[str]) -> str:
    return "\n".join([f"## {heading}\n", *(f"- {sentence}" for sentence in sentences), ""]) if sentences else ""


def _too_long(tasks: Sequence[LmEvalTask], context: int) -> list[str]:
    in_windows = ("loglikelihood_rolling",)
    asked_whole = [task for task in tasks if task.config["output_type"] not in in_windows]
    found = [f"`{task.name}`" for task in asked_whole if task.longest > context]
    if not found:
        return []
    return [
        f"Some prompts of {', '.join(found)} may not fit the context of {context} tokens: lm-eval then cuts off their "
        "beginning, where a run of ours leaves out examples. It says so (`Left truncating context`)."
    ]


_BEGIN = """\
# Tasks for lm-eval

Made by `harness export lm-eval`. Every prompt is written out in `data/`, with its solved examples in it, byte for byte
as a run of ours asks it. Tested with lm-eval {version} (`pip install "lm-eval[api]=={version}" transformers`); it
downloads nothing.
"""
_END = """\
Each model has an `--output_path` of its own. Leave out `--use_cache`: its key has no model in it, so that the second
model would get the first one's answers.
"""
