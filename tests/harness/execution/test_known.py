from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.execution.known import check_scenario, own_scenarios
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.table import SCENARIOS


def scenario(methods: list[str], metrics: list[str]) -> Scenario:
    return Scenario(
        name="quiz",
        description="a quiz",
        adapters=tuple(AdapterSpec(method=method) for method in methods),
        metrics=tuple(metrics),
        load=lambda _store: Data([], []),
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_our_own_fit(name: str) -> None:
    check_scenario(SCENARIOS[name], name)


@pytest.mark.parametrize(
    ("methods", "metrics"),
    [
        (["generation"], ["exact_match", "corpus_bleu", "num_output_tokens"]),
        (["multiple_choice_joint", "multiple_choice_separate_original"], ["exact_match", "acc_norm", "ece_10_bin"]),
        (["ranking_binary"], ["rr_at_10", "ndcg_at_10"]),
        (["continuation"], ["greedy_match", "perplexity"]),
    ],
)
def test_what_fits(methods: list[str], metrics: list[str]) -> None:
    check_scenario(scenario(methods, metrics), "x")


@pytest.mark.parametrize(
    ("methods", "metrics", "sentence"),
    [
        (["generaton"], ["exact_match"], "x: there is no adapter 'generaton'; did you mean 'generation'?"),
        (["generation"], ["exactmatch"], "x: there is no metric 'exactmatch'; did you mean 'exact_match'?"),
        (
            ["generation"],
            ["bits_per_byte"],
            "x: the metric bits_per_byte cannot judge what the adapter generation asks; it judges continuation, "
            "language_modeling, language_modeling_chunks.",
        ),
        # The answer of a continuation is what it is compared with.
        (
            ["continuation"],
            ["exact_match"],
            "x: the metric exact_match cannot judge what the adapter continuation asks; ",
        ),
        (
            ["multiple_choice_joint", "generation"],
            ["exact_match", "rr_at_10"],
            "x: the metric rr_at_10 cannot judge what",
        ),
        (
            ["multiple_choice_joint", "multiple_choice_separate_original"],
            ["acc"],
            "x: the metric acc cannot judge what the adapter multiple_choice_joint asks; it judges ",
        ),
        (["generation"], [], "x: 'quiz' has no metric; name at least one."),
        ([], ["exact_match"], "x: 'quiz' has no adapter; name at least one."),
        (
            ["generation"],
            ["exact_match", "f1_score", "exact_match"],
            "x: 'quiz' names the metric exact_match 2 times; name it once.",
        ),
        (
            ["generation", "generation"],
            ["exact_match"],
            "x: 'quiz' names the adapter generation 2 times; name it once.",
        ),
        (["generation"], ["corpus_bleu"], "x: the first metric must judge single answers, and corpus_bleu judges all"),
    ],
)
def test_what_does_not(methods: list[str], metrics: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        check_scenario(scenario(methods, metrics), "x")
    assert str(caught.value).startswith(sentence)


def write(folder: Path, name: str, metric: str = "exact_match") -> Path:
    (folder / "quiz.jsonl").write_text('{"q": "2 + 2?", "a": "4"}\n')
    path = folder / f"{name}.yaml"
    path.write_text(f"data: quiz.jsonl\ninput: q\nanswer: a\nadapter: generation\nmetrics: {metric}\n")
    return path


def test_files_name_scenarios_of_their_own(tmp_path: Path) -> None:
    files = [write(tmp_path, "first"), write(tmp_path, "second")]
    assert list(own_scenarios(files, SCENARIOS)) == ["first", "second"]
    assert own_scenarios([], SCENARIOS) == {}
    for taken in ([write(tmp_path, "world_sums")], [files[0], files[0]]):
        with pytest.raises(UserError, match=rf"^{taken[-1]} names a scenario '{taken[-1].stem}', and there is one"):
            own_scenarios(taken, SCENARIOS)


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("exact_mach", "there is no metric 'exact_mach'; did you mean 'exact_match'?"),
        ("ifeval_strict_accuracy", "the metric ifeval_strict_accuracy needs more than a YAML file can give; choose"),
    ],
)
def test_a_file_s_metrics_are_checked(metric: str, sentence: str, tmp_path: Path) -> None:
    path = write(tmp_path, "quiz", metric)
    with pytest.raises(UserError) as caught:
        own_scenarios([path], SCENARIOS)
    assert str(caught.value).startswith(f"{path}: {sentence}")
