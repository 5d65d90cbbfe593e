"""Small folders as lm-eval 0.4.13 writes them; that it does is tested in tests/clients."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
DATE = "2026-11-23T05-59-42.749533"
CITIES = ("Haford", "Loxville", "Wudedam")
WORDS = 44


def hashed(*parts: Any) -> str:
    """Something that is the same for the same parts."""
    return json.dumps(parts)


def choice_sample(number: int, logprobs: Sequence[float], gold: int = 0) -> Json:
    """A multiple-choice document."""
    best = max(range(3), key=lambda i: logprobs[i])
    per_character = max(range(3), key=lambda i: logprobs[i] / len(CITIES[i]))
    question = f"Capital {number}?\nAnswer:"
    pairs = [[str(value), str(value > -1)] for value in logprobs]
    return {
        "doc_id": number,
        "doc": {"q": question},
        "target": str(gold),
        "arguments": {f"gen_args_{i}": {"arg_0": question, "arg_1": f" {city}"} for i, city in enumerate(CITIES)},
        "resps": [[pair] for pair in pairs],
        "filtered_resps": pairs,
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "doc_hash": hashed(question),
        "prompt_hash": hashed(question),
        "target_hash": hashed(gold),
        "acc": float(best == gold),
        "acc_norm": float(per_character == gold),
    }


def text_sample(number: int, logprob: float, words: int = WORDS) -> Json:
    """A document whose log-probability is wanted."""
    text = "word " * words
    sums = {"word_perplexity": [logprob, words], "bits_per_byte": [logprob, len(text)]}
    return {
        "doc_id": number,
        "doc": {"page": text},
        "target": text,
        "arguments": {"gen_args_0": {"arg_0": text}},
        "resps": [[str(logprob)]],
        "filtered_resps": [str(logprob)],
        "filter": "none",
        "metrics": list(sums),
        **{name: hashed(number) for name in ("doc_hash", "prompt_hash", "target_hash")},
        **sums,
    }


def written_samples(number: int, said: str, gold: str = "oil") -> list[Json]:
    """A document that was answered in words, after two filters."""
    question = f"What does country {number} sell?"
    return [
        {
            "doc_id": number,
            "doc": {"q": question},
            "target": f" {gold}",
            "arguments": {"gen_args_0": {"arg_0": question, "arg_1": {"until": ["\n"]}}},
            "resps": [[said]],
            "filtered_resps": [text],
            "filter": name,
            "metrics": ["exact_match", "bleu"],
            **{key: hashed(question) for key in ("doc_hash", "prompt_hash", "target_hash")},
            "exact_match": float(text == gold),
            "bleu": [gold, said],
        }
        for name, text in (("strict", said), ("trimmed", said.strip()))
    ]


def write_lm_eval(folder: Path, model: str | None, tasks: dict[str, list[Json]], **more: Any) -> Path:
    """A run of lm-eval; what it reports follows from the samples, and ``more`` is in place of what it says."""
    folder.mkdir(parents=True, exist_ok=True)
    results: Json = {
        "results": {task: _reported(samples) for task, samples in tasks.items()},
        "configs": {task: {"task": task, "num_fewshot": 0} for task in tasks},
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {"quiz": {"acc": True, "acc_norm": True}, "text": {"word_perplexity": False}},
        "n-samples": {
            task: {"original": 100, "effective": len({one["doc_id"] for one in samples})}
            for task, samples in tasks.items()
        },
        "config": {"model": "local-completions", "gen_kwargs": {}},
        "model_name": model,
        "lm_eval_version": "0.4.13",
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(results | more), encoding="utf-8")
    for task, samples in tasks.items():
        lines = "".join(f"{json.dumps(sample)}\n" for sample in samples)
        (folder / f"samples_{task}_{DATE}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def _reported(samples: Sequence[Json]) -> Json:
    found: Json = {"alias": "x"}
    for sample in samples:
        for metric in sample["metrics"]:
            of_filter = [one for one in samples if one["filter"] == sample["filter"]]
            values = [one[metric] for one in of_filter]
            if metric == "bleu":
                value = 12.5
            elif isinstance(values[0], list):
                nats = -sum(one[0] for one in values) / sum(one[1] for one in values)
                value = math.exp(nats) if metric == "word_perplexity" else nats / math.log(2)
            else:
                value = sum(values) / len(values)
            found[f"{metric},{sample['filter']}"] = value
    return found


def quiz(n: int = 40, wrong: int = 0) -> list[Json]:
    """So many questions, of which the first are answered wrongly."""
    return [choice_sample(i, (-3.0, -1.5, -9.0) if i < wrong else (-0.5, -4.0, -6.0 - i / 100)) for i in range(n)]
