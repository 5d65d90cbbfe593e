"""lm-eval, unchanged, gets our numbers: in each of its ways of asking, of a model with BOS and of one without."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import pytest
from lm_eval_questions import CHOICES, CONTINUED, LONGEST, NO_CONTEXT, TEXT, WRITTEN, planned

from harness.execution.concurrency import Concurrency
from harness.execution.runner import run_task
from harness.execution.tasks import Task
from harness.interop.lm_eval.folder import write_tasks
from harness.interop.lm_eval.tasks import LmEvalTask, lm_eval_tasks
from harness.serving.endpoint import Endpoint

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

pytestmark = pytest.mark.timeout(600)
"""Half a minute on a machine of one's own; one process asks in all ways, so that one test waits for all."""
WINDOW = 64
"""lm-eval's ``max_length``, so that a text has several windows."""
GGUF_LENGTH = 16
"""Tokens that a server generates for lm-eval's ``gguf``, which does not say how many."""
WAYS = ("ids", "many ids", "text", "many texts", "begun text", "hf ids", "gguf")
Records = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Rows of ``instances``, by task and instance, with the values of all metrics in ``scores``."""


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """By lm-eval's names."""
    return {made.name: task for task in planned() for made in lm_eval_tasks(task)}


@pytest.fixture(scope="module")
def folder(tasks: Mapping[str, Task], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lm_eval")
    write_tasks(made, [one for task in tasks.values() for one in lm_eval_tasks(task) if isinstance(one, LmEvalTask)])
    return made


@pytest.fixture(scope="module")
def ours(either_world: ServerUnderTest, tasks: Mapping[str, Task]) -> Records:
    """What our own harness finds on the same server."""
    with Endpoint(either_world.url, either_world.id) as endpoint:
        endpoint.self_test()
        return {name: _asked(endpoint, task) for name, task in tasks.items()}


def _asked(endpoint: Endpoint, task: Task) -> dict[str, dict[str, Any]]:
    records = run_task(endpoint, "m", task, concurrency=Concurrency(4), tick=lambda: None).records
    return {
        record.answer["instance_id"]: record.answer
        | {"scores": {score["metric"]: score["value"] for score in record.scores}}
        for record in records
    }


@pytest.fixture(scope="module")
def hf_tokenizer(
    evals_python: Client, world: ServerUnderTest, world_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The model's vocabulary as a folder of the transformers library."""
    fields = gguf.GGUFReader(world_model).fields
    vocabulary = {name: fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges")}
    made = tmp_path_factory.mktemp("tokenizer")
    (made / "vocabulary.json").write_text(json.dumps(vocabulary))
    text = "It's 12 o'clock\n in 東京."
    tokens = evals_python.script_file("hf_tokenizer.py", made, text)
    assert tokens == world.http.post("/tokenize", json={"prompt": text}).json()["tokens"]
    return made


def _jobs(server: ServerUnderTest, hf_tokenizer: Path, *, bos: bool) -> list[list[Any]]:
    """The ways in which lm-eval can ask a server, for the script."""
    plain = f"model={server.id},base_url={server.url}/completions,tokenizer_backend="
    remote = f"{plain}remote,custom_prefix_token_id=0"
    text, many = f"{remote},tokenized_requests=False", "num_concurrent=4,batch_size=3"
    hf = f"{plain}huggingface,tokenizer={hf_tokenizer},custom_prefix_token_id=0"
    begun = {"system_instruction": "<s>"} if bos else {}
    ways: dict[str, tuple[str, dict[str, str]]] = {
        "ids": (remote, begun),
        "many ids": (f"{remote},{many}", begun),
        "text": (text, {}),
        "many texts": (f"{text},{many}", {}),
        "begun text": (text, begun),
        "hf ids": (f"{hf}{',add_bos_token=True' if bos else ''}", {}),
    }
    whole = [*CHOICES, CONTINUED, *WRITTEN, *([NO_CONTEXT] if bos else [])]
    texts = {"ids": remote, "many ids": f"{remote},{many}", "text": text, "hf ids": hf}
    return [
        *([name, "local-completions", arguments, whole, more] for name, (arguments, more) in ways.items()),
        *([f"{name}, text", "local-completions", arguments, [TEXT], begun] for name, arguments in texts.items()),
        ["short, text", "local-completions", f"{remote},max_length={WINDOW}", [TEXT], {}],
        ["gguf", "gguf", f"base_url={server.url.removesuffix('/v1')}", whole, begun],
        ["alone", "local-completions", f"{plain}remote", [*CHOICES, TEXT], {}],
        ["none", "local-completions", f"{plain}none", list(WRITTEN), {}],
    ]


@pytest.fixture(scope="module")
def found(
    evals_python: Client,
    world: ServerUnderTest,
    world_without_bos: ServerUnderTest,
    folder: Path,
    hf_tokenizer: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """What lm-eval finds, by server and way. One process asks all, since it takes longer to load than to ask."""
    jobs = [
        [f"{server.id}/{name}", *job]
        for server, bos in ((world, True), (world_without_bos, False))
        for name, *job in _jobs(server, hf_tokenizer, bos=bos)
    ]
    path = tmp_path_factory.mktemp("jobs") / "jobs.json"
    cache = {"use_cache": str(path.with_name("cache"))}
    for server in (world, world_without_bos):
        base = f"model={server.id},base_url={server.url}/completions"
        texts = f"{base},tokenizer_backend=remote,tokenized_requests=False"
        jobs.append([f"{server.id}/cached", "local-completions", texts, [CHOICES[0]], cache])
    path.write_text(json.dumps(jobs))
    answer: dict[str, Any] = evals_python.script_file("lm_eval_many.py", folder, path, timeout=560)
    return {
        server.id: {name.split("/")[1]: value for name, value in answer.items() if name.split("/")[0] == server.id}
        for server in (world, world_without_bos)
    }


@pytest.fixture(scope="module")
def theirs(found: dict[str, dict[str, Any]], either_world: ServerUnderTest) -> dict[str, Any]:
    """What lm-eval finds on one of the servers, by the way in which it asks."""
    return found[either_world.id]


def _scored(sample: Mapping[str, Any]) -> Iterator[tuple[float, bool]]:
    """Log-likelihoods, and whether they are greedy; lm-eval logs them as words."""
    for ((value, greedy),) in sample["resps"]:
        yield float(value), str(greedy) == "True"


def _choices(sample: Mapping[str, Any]) -> list[float]:
    return [value for value, _ in _scored(sample)]


def _rolled(sample: Mapping[str, Any]) -> float:
    return float(sample["resps"][0][0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("task", CHOICES)
def test_each_choice_is_as_likely(theirs: dict[str, Any], ours: Records, task: str, way: str) -> None:
    samples = theirs[way]["samples"][task]
    assert set(samples) == set(ours[task])
    for name, sample in samples.items():
        assert _choices(sample) == pytest.approx(ours[task][name]["choice_logprobs"], abs=1e-3)
        same = {metric: value for metric, value in ours[task][name]["scores"].items() if metric in sample}
        assert {metric: sample[metric] for metric in same} == same
        assert same or task == "world_choice_separate"  # which is judged per token, as lm-eval cannot


@pytest.mark.parametrize("way", WAYS)
def test_choices_after_nothing_but_bos(theirs: dict[str, Any], ours: Records, way: str) -> None:
    if NO_CONTEXT not in theirs[way]["samples"]:
        pytest.skip("the model has no BOS: lm-eval puts one there, where we leave the first token unscored")
    for name, sample in theirs[way]["samples"][NO_CONTEXT].items():
        assert _choices(sample) == pytest.approx(ours[NO_CONTEXT][name]["choice_logprobs"], abs=1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_a_continuation_is_as_likely_and_as_greedy(theirs: dict[str, Any], ours: Records, way: str) -> None:
    samples = theirs[way]["samples"][CONTINUED]
    pairs = [(next(_scored(sample)), ours[CONTINUED][name]) for name, sample in samples.items()]
    assert [found[0] for found, _ in pairs] == pytest.approx([row["logprob"] for _, row in pairs], abs=1e-3)
    greedy = [row["is_greedy"] for _, row in pairs]
    assert [found[1] for found, _ in pairs] == greedy
    assert {True, False} == set(greedy)


@pytest.mark.parametrize("way", [*WAYS, "none"])
@pytest.mark.parametrize("task", WRITTEN)
def test_answers_are_the_same(theirs: dict[str, Any], ours: Records, task: str, way: str) -> None:
    for name, sample in theirs[way]["samples"][task].items():
        row = ours[task][name]
        written = sample["resps"][0][0].strip()
        label = "ABCD".index(written) if task == "world_choice_joint" and written in set("ABCD") else None
        answer = written if label is None else row["choices"][label]
        if way == "gguf" and len(row["token_logprobs"]) > GGUF_LENGTH:
            assert row["answer"].startswith(answer.rstrip("�"))
            assert len(row["answer"]) > len(answer)
        else:
            assert answer == row["answer"]
        assert sample["exact_match"] == row["scores"]["exact_match"]


def test_lm_evals_gguf_cuts_what_is_longer_than_16_tokens(theirs: dict[str, Any], ours: Records) -> None:
    lengths = {len(row["token_logprobs"]) for row in ours["endless"].values()}
    assert max(lengths) == LONGEST
    shown = {way: theirs[way]["samples"]["endless"]["odd-1"]["resps"][0][0] for way in ("ids", "gguf")}
    assert len(shown["gguf"]) < len(shown["ids"])


class AfterBos(Endpoint):
    """Puts BOS before a text, as lm-eval is told to do, whatever the model has there."""

    bos = (0,)


@pytest.fixture(scope="module")
def rolled(either_world: ServerUnderTest, tasks: Mapping[str, Task]) -> dict[int | None, dict[str, Any]]:
    """What we find in windows of so many tokens, the first with BOS; None: as large as the context."""
    found: dict[int | None, dict[str, Any]] = {}
    for size in (None, WINDOW - 1):
        with AfterBos(either_world.url, either_world.id) as endpoint:
            endpoint.room = size
            found[size] = _asked(endpoint, tasks[TEXT])
    return found


@pytest.mark.parametrize(
    ("way", "size"),
    [("ids", None), ("many ids", None), ("text", None), ("hf ids", None), ("short", WINDOW - 1)],
)
def test_running_text_is_as_likely(
    theirs: dict[str, Any], rolled: dict[int | None, dict[str, Any]], way: str, size: int | None
) -> None:
    told, rows = theirs[f"{way}, text"], rolled[size]
    assert set(told["samples"][TEXT]) == set(rows)
    for name, sample in told["samples"][TEXT].items():
        assert _rolled(sample) == pytest.approx(rows[name]["logprob"], rel=1e-4)
    # Their figures from our sums: all of a text's bytes and words are counted.
    total = math.fsum(row["logprob"] for row in rows.values())
    texts = [row["prompt"] for row in rows.values()]
    n_bytes, n_words = sum(len(text.encode()) for text in texts), sum(len(text.split()) for text in texts)
    assert n_bytes == sum(row["n_bytes"] for row in rows.values())
    results = told["results"][TEXT]
    assert results["bits_per_byte"] == pytest.approx(-total / math.log(2) / n_bytes, rel=1e-4)
    assert results["byte_perplexity"] == pytest.approx(math.exp(-total / n_bytes), rel=1e-4)
    assert results["word_perplexity"] == pytest.approx(math.exp(-total / n_words), rel=1e-4)


def test_where_bos_is_ours_a_run_says_the_same_of_running_text(
    ours: Records, rolled: dict[int | None, dict[str, Any]], either_world: ServerUnderTest
) -> None:
    mean = {name: row["logprob"] for name, row in ours[TEXT].items()}
    begun = {name: row["logprob"] for name, row in rolled[None].items()}
    if either_world.http.get("/tokenizer_info").json()["add_bos_token"]:
        assert mean == pytest.approx(begun, rel=1e-4)
    else:  # there a run leaves the first token unscored
        assert all(ours[TEXT][name]["n_bytes"] < row["n_bytes"] for name, row in rolled[None].items())


def test_left_alone_it_asks_a_model_with_bos_without_one(
    theirs: dict[str, Any], ours: Records, rolled: dict[int | None, dict[str, Any]], either_world: ServerUnderTest
) -> None:
    samples = theirs["alone"]["samples"]
    differences = [
        abs(found - value)
        for task in CHOICES
        for name, sample in samples[task].items()
        for found, value in zip(_choices(sample), ours[task][name]["choice_logprobs"], strict=True)
    ]
    if either_world.http.get("/tokenizer_info").json()["add_bos_token"]:
        assert max(differences) > 0.1
    else:
        assert max(differences) < 1e-3
    # And begins a text with EOS, since it takes the id 0 of BOS for none.
    texts = [_rolled(sample) / rolled[None][name]["logprob"] for name, sample in samples[TEXT].items()]
    assert max(abs(ratio - 1) for ratio in texts) > 0.01


def test_its_cache_gives_the_second_model_the_first_ones_numbers(
    found: dict[str, dict[str, Any]], world: ServerUnderTest, world_without_bos: ServerUnderTest
) -> None:
    def values(server: ServerUnderTest, way: str) -> list[float]:
        samples = found[server.id][way]["samples"][CHOICES[0]]
        return [value for name in sorted(samples) for value in _choices(samples[name])]

    cached = [values(server, "cached") for server in (world, world_without_bos)]
    assert cached[1] == cached[0] == pytest.approx(values(world, "text"), abs=1e-3)
    assert cached[1] != pytest.approx(values(world_without_bos, "text"), abs=1e-2)
