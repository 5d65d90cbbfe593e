"""Have lm-eval ask in several ways, one after the other: it takes longer to load than to ask.

Arguments: a folder of ``harness export lm-eval``, and a file with a JSON list of [name, model type, model arguments,
tasks, other arguments of simple_evaluate]. Prints, by name and task, what lm-eval logs of each sample, by the id of our
instance.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager

logging.disable(logging.WARNING)
jobs = json.loads(Path(sys.argv[2]).read_text())
os.chdir(sys.argv[1])
manager = TaskManager(include_path="tasks", include_defaults=False)
found = {}
for name, model, arguments, tasks, more in jobs:
    answer = lm_eval.simple_evaluate(
        model=model, model_args=arguments, tasks=tasks, task_manager=manager, bootstrap_iters=0, **more
    )
    found[name] = {
        "samples": {
            task: {
                sample["doc"]["id"]: {key: sample[key] for key in ("resps", *sample["metrics"])}
                for sample in answer["samples"][task]
            }
            for task in tasks
        },
        "results": {
            task: {key.split(",")[0]: value for key, value in answer["results"][task].items()} for task in tasks
        },
    }
print(json.dumps(found, default=str))
