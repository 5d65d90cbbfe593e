from __future__ import annotations

from pathlib import Path

import gguf
import pytest
from typer.testing import CliRunner

from bench.random_model import SHAPES, Shape, app, write_random_model
from bench.setup import BenchError, Setup, kv_cache_bytes
from bench.vocabulary import Vocabulary

SMALL = Shape(embedding=256, layers=2, heads=8, kv_heads=2, feed_forward=512)


@pytest.fixture(scope="module")
def model(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("random") / "random.gguf"
    assert write_random_model(bundled, path, SMALL) == pytest.approx(path.stat().st_size / (34 / 32), rel=0.05)
    return path


def test_server_scores_with_it(model: Path, serve) -> None:
    scores = serve(model).score(list(range(300, 364))).logprobs.token_logprobs
    assert scores[0] is None
    assert all(-40 < score <= 0 for score in scores[1:])


def test_matrices_are_q8_0_and_the_tokenizer_is_the_other_model_s(model: Path, bundled: Path) -> None:
    reader, other = gguf.GGUFReader(model), gguf.GGUFReader(bundled)
    kinds = {len(tensor.shape): tensor.tensor_type for tensor in reader.tensors}
    assert kinds == {1: gguf.GGMLQuantizationType.F32, 2: gguf.GGMLQuantizationType.Q8_0}
    names = [name for name in other.fields if name.startswith("tokenizer.")]
    assert len(names) > 5
    for name in names:
        assert reader.fields[name].contents() == other.fields[name].contents()


def test_same_seed_same_weights(bundled: Path, tmp_path: Path, model: Path) -> None:
    write_random_model(bundled, tmp_path / "again.gguf", SMALL)
    write_random_model(bundled, tmp_path / "other.gguf", SMALL, seed=1)
    assert (tmp_path / "again.gguf").read_bytes() == model.read_bytes()
    assert (tmp_path / "other.gguf").read_bytes() != model.read_bytes()


@pytest.mark.parametrize("shape", SHAPES.values())
def test_rows_fit_every_quantization(shape: Shape) -> None:
    assert shape.embedding % 256 == shape.feed_forward % 256 == shape.embedding % shape.heads == 0


def test_kv_cache_follows_from_the_shape(model: Path) -> None:
    keys_and_values_a_token = 2 * SMALL.layers * SMALL.kv_heads * (SMALL.embedding // SMALL.heads)
    assert kv_cache_bytes(model, Setup(cells=1000, cache_type="f16")) == keys_and_values_a_token * 1000 * 2
    assert kv_cache_bytes(model, Setup(cells=1000, cache_type="q8_0")) == keys_and_values_a_token * 1000 * 34 // 32


def test_command_line(bundled: Path, tmp_path: Path) -> None:
    out, wrong = tmp_path / "out.gguf", tmp_path / "wrong.gguf"
    wrong.write_bytes(b"no GGUF, but some bytes that could be one")
    runner = CliRunner()
    done = runner.invoke(app, [str(bundled), str(out), "--shape", "20m"])
    assert done.exit_code == 0
    assert done.output.startswith(f"{out}: 6 million parameters, ")
    refused = runner.invoke(app, [str(wrong), str(out)])
    assert refused.exit_code == 2
    assert "must be a GGUF with a tokenizer" in " ".join(refused.output.replace("│", " ").split())
    assert runner.invoke(app, [str(bundled), str(out), "--shape", "9t"]).exit_code == 2


def test_prompts_are_ordinary_tokens_and_never_the_same(bundled: Path) -> None:
    vocabulary = Vocabulary(bundled, seed=0)
    types = gguf.GGUFReader(bundled).fields["tokenizer.ggml.token_type"].contents()
    prompts = [tuple(prompt) for _ in range(20) for prompt in vocabulary.random_prompts(5, 16)]
    assert {len(prompt) for prompt in prompts} == {16}
    assert len(set(prompts)) == 100
    assert {types[token] for prompt in prompts for token in prompt} == {gguf.TokenType.NORMAL}
    assert Vocabulary(bundled, seed=0).random_prompts(5, 16)[0] == list(prompts[0])


def test_tokens_of_a_text_are_the_server_s(bundled: Path, bundled_server) -> None:
    ids = Vocabulary(bundled, seed=0).tokenize("Solm is a town.")
    # What other tests have left in the cache would be taken over by the one and not by the other, and round otherwise.
    afresh = {"cache_prompt": False}
    by_text = bundled_server.score("Solm is a town.", extra_body=afresh).logprobs.token_logprobs
    by_ids = bundled_server.score(ids, extra_body=afresh).logprobs.token_logprobs
    # The server adds the BOS itself and gives the first word no score; as ids, both are the client's.
    assert len(ids) == len(by_text) + 1
    assert by_ids[2:] == pytest.approx(by_text[1:], abs=1e-3)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(BenchError, match=r"broken\.gguf: llama\.cpp cannot read its vocabulary"):
        Vocabulary(path, seed=0)
