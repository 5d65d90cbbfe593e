from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RunError, UserError
from harness.models import quantize as module
from harness.models.config import QuantConfig, QuantizeConfig, config_names, load_config
from harness.models.ggml_types import FILE_TYPES, NEEDS_IMATRIX
from harness.models.gguf_facts import GgufFacts, Tensor, read_facts
from harness.models.imatrix import read_imatrix
from harness.models.quantize import fallbacks, quantize

Make = Callable[..., Path]

CHILD = "import json, os, sys, time; job = json.load(sys.stdin); open(job['output'], 'wb').write(b'half'); "
"""A child that leaves half a file; what it does then is up to each test."""


def config(type: str, name: str = "mine", **options: Any) -> QuantConfig:
    """A config that only quantizes."""
    return QuantConfig(name=name, description="For a test.", quantize={"type": type, **options})


def types(facts: GgufFacts) -> dict[str, str]:
    """ggml type of each matrix, by the short form of its name."""
    return {
        tensor.name.removeprefix("blk.0.").removesuffix(".weight"): tensor.type
        for tensor in facts.tensors
        if len(tensor.shape) > 1
    }


def child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let this code take the place of the quantizing process."""
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", CHILD + code))


@pytest.fixture(scope="module")
def little(little_f16: Path) -> GgufFacts:
    return read_facts(little_f16)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory, make_model: Make) -> GgufFacts:
    """A model whose rows of 192 hold blocks of 32 and none of 256."""
    return read_facts(make_model(tmp_path_factory.mktemp("narrow") / "narrow.gguf", width=192))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the tests that only look at results."""
    return tmp_path_factory.mktemp("cache") / "models"


@pytest.mark.parametrize("name", [name for name in config_names() if not name.startswith("f16")])
def test_every_shipped_config_makes_the_type_it_names(name: str, little: GgufFacts, cache: Path) -> None:
    wanted = load_config(name)
    assert wanted.quantize is not None
    made = read_facts(quantize(little, wanted, cache, threads=1))
    assert made.path.parent == cache
    assert made.path.name.startswith(f"little-F16-{name}-")
    assert made.file_type == wanted.quantize.type
    assert types(made)["attn_k"] == FILE_TYPES[wanted.quantize.type]
    assert made.is_quantized
    assert made.bits_per_weight < 10
    assert made.parameters == little.parameters
    assert fallbacks(made, wanted) is None


@pytest.mark.parametrize("name", ["f16", "f16_kv_q8_0", "f16_kv_q4_0"])
def test_a_base_that_is_right_already_is_used_as_it_is(name: str, little: GgufFacts, tmp_path: Path) -> None:
    assert quantize(little, load_config(name), tmp_path / "cache", threads=1) == little.path
    assert not (tmp_path / "cache").exists()
    assert fallbacks(little, load_config(name)) is None


def test_an_f32_base_becomes_f16_and_stays_so(make_model: Make, tmp_path: Path) -> None:
    source = read_facts(make_model(tmp_path / "little-F32.gguf", dtype=np.float32))
    made = read_facts(quantize(source, load_config("f16"), tmp_path / "cache", threads=1))
    assert set(types(made).values()) == {"F16"}
    assert quantize(made, load_config("f16"), tmp_path / "cache", threads=1) == made.path
    assert quantize(source, config("F32"), tmp_path / "cache", threads=1) == source.path


def test_a_file_that_says_f16_may_keep_some_matrices_in_f32(little: GgufFacts, tmp_path: Path) -> None:
    # As converters leave the routers of experts.
    override = {"attn_k": "F32", "(attn_[^k]|ffn|token_embd)": "F16"}
    mixed = quantize(little, config("Q8_0", tensor_overrides=override), tmp_path, threads=1)
    facts = read_facts(mixed)
    assert set(types(facts).values()) == {"F16", "F32"}
    # This one says Q8_0, so it is not taken for an F16 file, though it could be made into one.
    assert quantize(facts, load_config("f16"), tmp_path, threads=1) != mixed


def test_a_made_file_runs_in_llama_cpp(little: GgufFacts, cache: Path) -> None:
    path = quantize(little, load_config("q4_k_m"), cache, threads=1)
    model = llama_cpp.Llama(str(path), n_ctx=32, n_threads=1, logits_all=True, verbose=False)
    model.eval([256, 64, 65])
    logits = model.scores[:3]
    assert np.isfinite(logits).all()
    assert logits.std() > 0
    model.close()


def test_the_cache_is_used(little: GgufFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = quantize(little, load_config("q8_0"), tmp_path, threads=1)
    before = first.stat()
    child(monkeypatch, "sys.exit('nothing is to be made')")
    assert quantize(little, load_config("q8_0"), tmp_path, threads=2) == first
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert list(tmp_path.iterdir()) == [first]


def test_what_decides_the_bytes_decides_the_key(little: GgufFacts, narrow: GgufFacts, tmp_path: Path) -> None:
    (tmp_path / "i.gguf").write_bytes(b"one")

    def key(source: GgufFacts = little, **section: object) -> str:
        return module._cache_key(source, QuantizeConfig.model_validate({"type": "Q4_0", **section}))

    overrides = {"attn_k": "Q8_0", "attn_.*": "Q6_K"}
    keys = [
        key(),
        key(narrow),
        key(type="Q4_1"),
        key(pure=True),
        key(output_tensor_type="Q8_0"),
        key(token_embedding_type="Q8_0"),
        key(tensor_overrides=overrides),
        key(tensor_overrides=dict(reversed(overrides.items()))),
        key(imatrix=tmp_path / "i.gguf"),
    ]
    assert len(set(keys)) == len(keys)
    assert key(pure=False, tensor_overrides={}) == key()
    (tmp_path / "j.gguf").write_bytes(b"one")
    assert key(imatrix=tmp_path / "j.gguf") == keys[-1]
    (tmp_path / "i.gguf").write_bytes(b"two")
    assert key(imatrix=tmp_path / "i.gguf") != keys[-1]


def test_another_llama_cpp_makes_another_file(little: GgufFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    section = QuantizeConfig(type="Q4_0")
    before = module._cache_key(little, section)
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "0.0.0")
    assert module._cache_key(little, section) != before


def test_options_reach_llama_cpp(little: GgufFacts, cache: Path) -> None:
    def made(**options: Any) -> dict[str, str]:
        return types(read_facts(quantize(little, config("Q4_K_M", **options), cache, threads=1)))

    plain = made()
    assert (plain["attn_v"], plain["ffn_up"], plain["token_embd"]) == ("Q6_K", "Q4_K", "Q6_K")
    assert set(made(pure=True).values()) == {"Q4_K"}
    # The model has no output matrix of its own: the embedding serves as one.
    assert made(output_tensor_type="Q8_0") == plain | {"token_embd": "Q8_0"}
    assert made(output_tensor_type="Q8_0", token_embedding_type="F16") == plain | {"token_embd": "F16"}
    first_holds = {"attn_v": "Q8_0", "attn_": "Q5_0"}
    assert made(tensor_overrides=first_holds) == plain | {
        "attn_v": "Q8_0",
        "attn_q": "Q5_0",
        "attn_k": "Q5_0",
        "attn_output": "Q5_0",
    }


def test_an_imatrix_reaches_llama_cpp(little: GgufFacts, cache: Path, tmp_path: Path, make_imatrix: Make) -> None:
    imatrix = make_imatrix(tmp_path / "imatrix.gguf")
    with_it = quantize(little, config("Q4_K_M", imatrix=imatrix), cache, threads=1)
    without = quantize(little, config("Q4_K_M"), cache, threads=1)
    assert with_it.stat().st_size == without.stat().st_size
    assert with_it.read_bytes() != without.read_bytes()


# Those that take less than two seconds; the others take up to twelve, for tables that llama.cpp computes first.
@pytest.mark.parametrize("type", ["Q2_K_S", "IQ2_XXS"])
def test_types_that_need_an_imatrix_can_be_made_with_one(
    type: str, little: GgufFacts, cache: Path, tmp_path: Path, make_imatrix: Make
) -> None:
    imatrix = make_imatrix(tmp_path / "imatrix.gguf")
    made = read_facts(quantize(little, config(type, imatrix=imatrix), cache, threads=1))
    assert made.file_type == type
    assert fallbacks(made, config(type, imatrix=imatrix)) is None


@pytest.mark.parametrize("type", sorted(NEEDS_IMATRIX))
def test_types_that_need_an_imatrix_are_refused_without_one(type: str) -> None:
    with pytest.raises(ValueError, match="needs an importance matrix"):
        config(type)


def test_imatrix_values_are_means_and_unseen_experts_count_alike(tmp_path: Path, make_imatrix: Make) -> None:
    found = read_imatrix(make_imatrix(tmp_path / "i.gguf", sums=[[8.0, 4.0], [3.0, 3.0]], counts=[4.0, 0.0]))
    assert found["blk.0.attn_q.weight"].tolist() == [2.0, 1.0, 1.0, 1.0]
    assert found["blk.0.attn_q.weight"].dtype == np.float32


def test_files_that_are_no_imatrix_for_this(
    little: GgufFacts, tmp_path: Path, make_imatrix: Make, make_model: Make
) -> None:
    def said(imatrix: Path) -> str:
        with pytest.raises(UserError) as caught:
            quantize(little, config("Q4_0", imatrix=imatrix), tmp_path / "cache", threads=1)
        return str(caught.value)

    (tmp_path / "old.dat").write_bytes(b"\x10\x00\x00\x00blk")
    assert "old.dat is no GGUF file" in said(tmp_path / "old.dat")
    assert "is a GGUF file and no importance matrix" in said(make_model(tmp_path / "model.gguf"))
    no_counts = make_imatrix(tmp_path / "no_counts.gguf", counts=[])
    assert "has no counts that fit blk.0.attn_q.weight.in_sum2" in said(no_counts)
    assert "was measured on another model" in said(make_imatrix(tmp_path / "other.gguf", block=7))
    assert not (tmp_path / "cache").exists()


def test_a_quantized_source_is_refused(little: GgufFacts, cache: Path) -> None:
    source = read_facts(quantize(little, load_config("q8_0"), cache, threads=1))
    for name in ("q4_0", "q8_0", "f16"):
        with pytest.raises(UserError, match=r"is quantized already \(Q8_0, F32\).*give the F16, BF16 or F32 GGUF"):
            quantize(source, load_config(name), cache, threads=1)
    assert quantize(source, load_config("f16_kv_q8_0"), cache, threads=1) == source.path


def test_overrides_that_override_nothing_are_refused(little: GgufFacts, tmp_path: Path) -> None:
    # The norms match, and are never quantized.
    with pytest.raises(UserError, match=r"'norm' matches no matrix of .*; they have names such as blk\.0\.ffn_down"):
        quantize(little, config("Q4_0", tensor_overrides={"attn_v": "Q8_0", "norm": "Q8_0"}), tmp_path, threads=1)


@pytest.mark.parametrize("key", ["output_tensor_type", "token_embedding_type"])
def test_types_that_would_overrun_memory_are_refused(key: str, narrow: GgufFacts, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"token_embd.* has rows of 192 weights, and Q6_K takes multiples of 256;"):
        quantize(narrow, config("Q4_0", **{key: "Q6_K"}), tmp_path, threads=1)
    made = read_facts(quantize(narrow, config("Q4_0", **{key: "Q5_1"}), tmp_path, threads=1))
    assert types(made)["token_embd"] == "Q5_1"


def test_a_cache_that_cannot_be(little: GgufFacts, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot hold quantized models: "):
        quantize(little, load_config("q8_0"), tmp_path / "file", threads=1)


def test_what_a_narrow_model_really_holds_is_told(narrow: GgufFacts, cache: Path) -> None:
    wanted = load_config("q4_k_m")
    made = read_facts(quantize(narrow, wanted, cache, threads=1))
    total = 7 * 192 + 300
    assert fallbacks(made, wanted) == (
        f"{made.path.name} is not what Q4_K_M promises: 8 of 8 matrices, with 100.0% of the weights, have rows that do "
        "not divide into blocks of 256, and llama.cpp stored them in other types "
        f"({5 * 192 / total:.1%} Q5_0, {(2 * 192 + 300) / total:.1%} Q8_0)."
    )


def test_a_narrow_model_holds_blocks_of_32(narrow: GgufFacts, cache: Path) -> None:
    made = read_facts(quantize(narrow, load_config("q4_0"), cache, threads=1))
    assert types(made)["attn_q"] == "Q4_0"
    assert fallbacks(made, load_config("q4_0")) is None


def test_an_override_that_falls_back_is_told(narrow: GgufFacts, cache: Path) -> None:
    wanted = config("Q4_0", tensor_overrides={"attn_v": "Q6_K"})
    said = fallbacks(read_facts(quantize(narrow, wanted, cache, threads=1)), wanted)
    assert said is not None
    assert "1 of 8 matrices" in said
    assert said.endswith("(100.0% Q8_0).")


@pytest.mark.parametrize(("type", "falls_back"), [("F32", False), ("F16", True)])
def test_what_stays_f32_does_so_by_design(type: str, falls_back: bool, little: GgufFacts) -> None:
    router = Tensor("blk.0.ffn_gate_inp.weight", type, (100, 8), 3200)
    facts = dataclasses.replace(little, tensors=(*little.tensors, router))
    assert (fallbacks(facts, config("Q8_0")) is not None) is falls_back


def test_a_type_that_was_asked_for_is_no_fallback(narrow: GgufFacts, cache: Path) -> None:
    wanted = config("Q4_K_M", output_tensor_type="Q8_0", tensor_overrides={"attn_v": "Q5_0"})
    said = fallbacks(read_facts(quantize(narrow, wanted, cache, threads=1)), wanted)
    assert said is not None
    assert "6 of 8 matrices" in said


def test_llama_cpp_says_why_it_failed(little: GgufFacts, tmp_path: Path) -> None:
    # Python's regular expressions look behind; those of C++ do not.
    with pytest.raises(RunError) as caught:
        quantize(little, config("Q4_0", tensor_overrides={"(?<=attn_)v": "Q8_0"}), tmp_path, threads=1)
    assert str(caught.value) == (
        f"llama.cpp could not quantize {little.path} to Q4_0: "
        "Invalid '(?...)' zero-width assertion in regular expression."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.abort()", r"it said nothing \(ended by SIGABRT\)"),
        ("os.kill(os.getpid(), 9)", r"it said nothing \(ended by SIGKILL\)"),
        ("print('first\\n[ 1/ 2] w .. GGML_ASSERT(x) failed\\n', file=sys.stderr); os.abort()", r"GGML_ASSERT\(x\) fa"),
        ("sys.exit('f: failed to quantize: iostream error')", r": iostream error \(which it also says when the disk"),
        ("os.remove(job['output'])", "and left no file"),
    ],
)
def test_a_child_that_dies_leaves_no_file(
    code: str, reason: str, little: GgufFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, code)
    with pytest.raises(RunError, match=reason):
        quantize(little, load_config("q8_0"), tmp_path, threads=1)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_the_child_and_leaves_no_file(
    little: GgufFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, f"open({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(60)")

    def interrupt() -> None:
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().endswith("\n"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        quantize(little, load_config("q8_0"), tmp_path / "cache", threads=1)
    assert list((tmp_path / "cache").iterdir()) == []
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_the_child_takes_nothing_from_the_folder_it_starts_in(
    little: GgufFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gguf.py").write_text("raise SystemExit('a stranger was imported')")
    (tmp_path / "harness.py").write_text("raise SystemExit('a stranger was imported')")
    monkeypatch.chdir(tmp_path)
    assert quantize(little, load_config("q8_0"), Path("cache"), threads=1).is_file()


@given(st.text(), st.integers(-15, 2).filter(bool))
def test_a_reason_is_found_in_any_log(log: str, returncode: int) -> None:
    reason = module._reason(log, returncode)
    assert reason
    assert reason.count("\n") == 0
