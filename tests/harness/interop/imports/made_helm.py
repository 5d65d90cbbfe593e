"""Small folders as HELM 0.5.16 writes them; that it does is tested in tests/clients."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
CITIES = ("Haford", "Loxville", "Wudedam")
TYPOS: Json = {"name": "misspellings", "robustness": True, "fairness": False, "computed_on": "perturbed", "prob": 0.05}
SUMS = ("logprob", "num_bytes", "num_perplexity_tokens")


def helm_instance(number: int, perturbation: Json | None = None, kind: str = "choice") -> Json:
    """One question."""
    found: Json = {
        "input": {"text": f"Capital {number}?" if kind == "choice" else "some text"},
        "references": [
            {"output": {"text": city}, "tags": ["correct"] if i == 0 else []} for i, city in enumerate(CITIES)
        ]
        if kind == "choice"
        else [],
        "split": "test",
        "id": f"id{number}",
    }
    return found | ({"perturbation": perturbation} if perturbation else {})


def completion(text: str, *logprobs: float) -> Json:
    """One that has as many tokens, the last of which take a character each."""
    n = len(logprobs)
    pieces = [text[: len(text) - n + 1], *text[len(text) - n + 1 :]]
    return {
        "text": text,
        "logprob": math.fsum(logprobs),
        "tokens": [{"text": piece, "logprob": value} for piece, value in zip(pieces, logprobs, strict=True)],
        "finish_reason": {"reason": "length"},
    }


def state(instance: Json, prompt: str, said: Json, **more: Any) -> Json:
    """One request and what became of it."""
    return {
        "instance": instance,
        "train_trial_index": 0,
        "request": {"prompt": prompt, "model": "local/m"},
        "result": {"success": True, "completions": [said], "cached": False, "request_time": 0.25},
        "num_train_instances": 2,
        **more,
    }


def joint_states(number: int, letter: str, perturbation: Json | None = None) -> list[Json]:
    """A question whose choices have letters."""
    mapping = dict(zip("ABC", CITIES, strict=True))
    instance = helm_instance(number, perturbation)
    return [state(instance, f"Capital {number}? A B C", completion(f" {letter}", -0.5), output_mapping=mapping)]


def apart_states(number: int, logprobs: Sequence[float], alone: Sequence[float] = ()) -> list[Json]:
    """A question whose choices were scored apart, and perhaps without the question too."""
    instance, found = helm_instance(number), []
    for mode, values in (("original", logprobs), ("calibration", alone)):
        for i, value in enumerate(values):
            prompt = f"{instance['input']['text'] if mode == 'original' else 'Answer:'} {CITIES[i]}"
            tokens = [{"text": prompt.removesuffix(f" {CITIES[i]}"), "logprob": -7.0}]
            tokens += [{"text": f" {CITIES[i][:3]}", "logprob": value / 4}]
            tokens += [{"text": CITIES[i][3:], "logprob": 3 * value / 4}]
            said = {"text": prompt, "logprob": -7.0 + value, "tokens": tokens}
            found.append(state(instance, prompt, said, reference_index=i, request_mode=mode))
    return found


def stats_of(states: Sequence[Json], **values: tuple[float, int] | float) -> Json:
    """What HELM made of an instance: a sum and a count, or one figure."""
    instance = states[0]["instance"]
    name = {"split": "test"} | ({"perturbation": instance["perturbation"]} if "perturbation" in instance else {})
    pairs = {key: value if isinstance(value, tuple) else (value, 1) for key, value in values.items()}
    pairs |= {"num_references": (3.0, 1), "training_co2_cost": (0, 0)}
    found: Json = {
        "instance_id": instance["id"],
        "train_trial_index": 0,
        "stats": [{"name": name | {"name": key}, "count": n, "sum": total} for key, (total, n) in pairs.items()],
    }
    return found | ({"perturbation": instance["perturbation"]} if "perturbation" in instance else {})


def write_helm(
    suite: Path, name: str, model: str, method: str, asked: Sequence[tuple[Sequence[Json], Json]], **adapter: Any
) -> Path:
    """A run of HELM: by instance its requests and its statistics; ``adapter`` is in place of what it specifies."""
    folder = suite / f"{name}:model={model}".replace("/", "_")
    folder.mkdir(parents=True)
    spec = {
        "name": folder.name,
        "scenario_spec": {"class_name": "x", "args": {"path": "/data/quiz.jsonl"}},
        "adapter_spec": {"method": method, "model": model, "model_deployment": model, "max_train_instances": 2}
        | adapter,
        "metric_specs": [
            {"class_name": "x", "args": {"names": ["exact_match", "quasi_exact_match"]}},
            {"class_name": "y", "args": {}},
        ],
    }
    files = {
        "run_spec.json": spec,
        "scenario_state.json": {
            "adapter_spec": spec["adapter_spec"],
            "request_states": [one for states, _ in asked for one in states],
        },
        "per_instance_stats.json": [stats for _, stats in asked],
    }
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    return folder


def joint_run(suite: Path, model: str, wrong: int, n: int = 40, **adapter: Any) -> Path:
    """Questions with letters, of which the first are answered wrongly; some are asked with typing errors too."""
    asked = []
    for number in range(n):
        for perturbation in [None, *([TYPOS] if number % 4 == 0 else [])]:
            right = number >= wrong and not (perturbation and number < 12)
            states = joint_states(number, "A" if right else "B", perturbation)
            asked.append((states, stats_of(states, num_output_tokens=1.0, quasi_exact_match=right, exact_match=right)))
    return write_helm(
        suite, "quiz,path=_data_quiz.jsonl,method=joint", model, "multiple_choice_joint", asked, **adapter
    )


def apart_run(suite: Path, model: str, wrong: int, calibrated: bool = False) -> Path:
    """Questions whose choices are scored apart."""
    asked = []
    for number in range(20):
        right = number >= wrong
        logprobs = (-1.0, -5.0, -6.0 - number / 10) if right else (-5.0, -1.0, -6.0)
        states = apart_states(number, logprobs, (-2.0, -2.0, -2.0) if calibrated else ())
        asked.append((states, stats_of(states, exact_match=right, predicted_index=float(not right))))
    method = f"multiple_choice_separate_{'calibrated' if calibrated else 'original'}"
    return write_helm(suite, f"apart{calibrated:d}", model, method, asked)


def window(number: int, nats: float, prompt: str = "<s>some", n_before: int = 1) -> Json:
    """A request for a piece of running text, of which the first tokens are not scored."""
    said = completion(prompt, 0.0, *[nats / 2] * 2)
    said["tokens"][0]["text"], said["tokens"][1]["text"] = prompt[:-4], prompt[-4:-1]
    return state(helm_instance(number, kind="text"), prompt, said, num_conditioning_tokens=n_before)


def text_run(suite: Path, model: str, nats: float) -> Path:
    """Running text, each of two windows, and of each window an entry of its own."""
    asked = []
    for number in range(8):
        n = 40.0 + number
        for states, share, value in (
            ([window(number, nats)], 0.75, nats),
            ([window(number, -2.0, "some text")], 0.25, -2.0),
        ):
            sums = dict(zip(SUMS, (value, n * share, n / 2 * share), strict=True))
            asked.append((states, stats_of(states, **sums)))
    return write_helm(suite, "wtext", model, "language_modeling", asked)
