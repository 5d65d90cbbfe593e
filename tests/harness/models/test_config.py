from __future__ import annotations

import importlib.resources
from pathlib import Path

import gguf
import pydantic
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, RunError, UserError
from harness.models import config, ggml_types
from harness.models.config import QuantConfig, config_dir, config_names, load_config

SHIPPED = [
    "f16",
    "f16_kv_q4_0",
    "f16_kv_q8_0",
    "iq4_nl",
    "iq4_xs",
    "q2_k",
    "q3_k_l",
    "q3_k_m",
    "q3_k_s",
    "q4_0",
    "q4_k_m",
    "q4_k_s",
    "q5_0",
    "q5_k_m",
    "q5_k_s",
    "q6_k",
    "q8_0",
]


def load_text(folder: Path, text: str) -> QuantConfig:
    path = folder / "mine.yaml"
    path.write_text(text)
    return load_config(path)


def sentence(folder: Path, text: str) -> str:
    """What is said of a bad file, without the file's name, which must come first."""
    with pytest.raises(UserError) as caught:
        load_text(folder, text)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'mine.yaml'}")
    return said.removeprefix(f"{folder / 'mine.yaml'}")


def test_all_configs_are_there() -> None:
    assert config_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_config_loads_and_does_what_its_name_says(name: str) -> None:
    found = load_config(name)
    assert found.name == name
    assert found.description.endswith(".")
    assert "\n" not in found.description
    weights, _, cache = name.partition("_kv_")
    if cache:
        assert found.quantize is None
        assert (found.serve.cache_type_k, found.serve.cache_type_v) == (cache, cache)
        assert found.serve.flash_attention == "on"
    else:
        assert found.quantize is not None
        assert found.quantize.type == weights.upper()
        assert found.serve == config.ServeConfig()


def test_names_may_be_in_capitals_and_paths_may_be_strings() -> None:
    assert load_config("Q4_K_M") == load_config("q4_k_m") == load_config(str(config_dir() / "q4_k_m.yaml"))


def test_an_unknown_name_brings_the_closest_and_all() -> None:
    with pytest.raises(UserError) as caught:
        load_config("q4km")
    said = f"'q4km' is no quantization config; the closest is q4_k_m (known: {', '.join(SHIPPED)}), and no path of"
    assert str(caught.value).startswith(said)


def test_a_name_unlike_any_other_brings_all() -> None:
    with pytest.raises(UserError, match=r"^'zzz' is no quantization config \(known: f16, "):
        load_config("zzz")


@pytest.mark.parametrize("name", ["nowhere/mine.yaml", "mine.yml", Path("mine")])
def test_what_looks_like_a_path_is_taken_for_one(name: str | Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file or directory; give a YAML file"):
        load_config(tmp_path / name)


def test_a_config_holds_all_its_options(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "imatrix.gguf").touch()
    found = load_text(
        tmp_path,
        """
        description: Everything.
        quantize:
          type: q4_k_m
          tensor_overrides: {'attn_v': q8_0, 'ffn_.*': q6_K}
          imatrix: weights/imatrix.gguf
          output_tensor_type: f16
          token_embedding_type: Q8_0
          pure: yes
        serve: {cache_type_k: Q8_0, cache_type_v: bf16, flash_attention: off, gpu_layers: 12, batch_size: 64}
        """,
    )
    assert found.name == "mine"
    assert found.quantize is not None
    assert found.quantize.type == "Q4_K_M"
    assert list(found.quantize.tensor_overrides.items()) == [("attn_v", "Q8_0"), ("ffn_.*", "Q6_K")]
    assert found.quantize.imatrix == tmp_path / "weights" / "imatrix.gguf"
    assert (found.quantize.output_tensor_type, found.quantize.token_embedding_type) == ("F16", "Q8_0")
    assert found.quantize.pure
    assert found.serve.model_dump() == {
        "cache_type_k": "q8_0",
        "cache_type_v": "bf16",
        "flash_attention": "off",
        "gpu_layers": 12,
        "batch_size": 64,
    }


def test_an_empty_section_means_the_base_model_as_it_is(tmp_path: Path) -> None:
    found = load_text(tmp_path, "description: Nothing done.\nquantize:\n")
    assert found.quantize is None
    assert (found.serve.gpu_layers, found.serve.batch_size) == (-1, 512)


def test_configs_cannot_be_changed() -> None:
    with pytest.raises(pydantic.ValidationError):
        load_config("q8_0").name = "other"  # type: ignore[misc]


FAULTS = {
    "": " must hold keys (description, quantize, serve) and holds None.",
    "- a": " must hold keys (description, quantize, serve) and holds ['a'].",
    "name: x\ndescription: x": ": key 'name' is not for the file to say; the file's own name is the config's name.",
    "quantize: {type: Q8_0}": ": key 'description' is missing; add one line that says what the config is.",
    "description: ''": ": key 'description' is '': string should have at least 1 character.",
    "description: x\nquantise: 1": ": key 'quantise': 'quantise' is no key here; the closest is quantize "
    "(known: description, quantize, serve).",
    "description: x\nserve: {cache_typ_v: q8_0}": ": key 'serve.cache_typ_v': 'cache_typ_v' is no key here; the "
    "closest is cache_type_v (known: batch_size, cache_type_k, cache_type_v, flash_attention, gpu_layers).",
    "description: x\nquantize: {}": ": key 'quantize.type' is missing; give a file type of llama.cpp such as Q4_K_M, "
    "or leave out the whole section.",
    "description: x\nserve: {gpu_layers: -2}": ": key 'serve.gpu_layers' is -2: input should be greater than or equal "
    "to -1.",
    "description: x\nserve: {batch_size: 0}": ": key 'serve.batch_size' is 0: input should be greater than or equal "
    "to 1.",
    "description: x\nserve: {gpu_layers: all}": ": key 'serve.gpu_layers' is 'all': input should be a valid integer.",
    "description: x\nserve: {gpu_layers: true}": ": key 'serve.gpu_layers' is True: input should be a valid integer.",
    "description: x\nserve: {flash_attention: always}": ": key 'serve.flash_attention': 'always' is no flash attention "
    "setting (known: auto, off, on).",
    "description: x\nserve: {cache_type_v: q8_0}": ": key 'serve': cache_type_v q8_0 is quantized, which needs "
    "flash_attention: on, and flash_attention is auto.",
    "description: x\nserve: {cache_type_v: q4_0, flash_attention: off}": ": key 'serve': cache_type_v q4_0 is "
    "quantized, which needs flash_attention: on, and flash_attention is off.",
    "description: x\nquantize: {type: IQ2_XS}": ": key 'quantize': IQ2_XS needs an importance matrix; add the key "
    "imatrix, naming a GGUF file of one.",
    "description: x\nquantize: {type: Q4_K_M, tensor_overrides: {attn_v: IQ1_S}}": ": key 'quantize': IQ1_S needs an "
    "importance matrix; add the key imatrix, naming a GGUF file of one.",
    "description: x\nquantize: {type: F16, tensor_overrides: {attn_v: Q8_0}}": ": key 'quantize': tensor_overrides "
    "have no effect with F16; choose a quantized type, or drop them.",
    "description: x\nquantize: {type: Q4_0, tensor_overrides: {'a(': Q8_0}}": ": key 'quantize.tensor_overrides': 'a(' "
    "is no regular expression: missing ), unterminated subpattern at position 1.",
    "description: x\ndescription: y": ", line 2, is not YAML as a config needs it: key 'description' is given twice.",
    "description: x\nserve: {": ", line 2, is not YAML as a config needs it: expected the node content, but found "
    "'<stream end>'.",
    "description: 2001-99-99": " is not a YAML text: month must be in 1..12.",
}


@pytest.mark.parametrize("text", FAULTS)
def test_each_fault_is_told_in_one_sentence(text: str, tmp_path: Path) -> None:
    assert sentence(tmp_path, text) == FAULTS[text]


@pytest.mark.parametrize("key", ["type", "output_tensor_type", "token_embedding_type"])
def test_an_unknown_type_brings_the_closest(key: str, tmp_path: Path) -> None:
    said = sentence(
        tmp_path, f"description: x\nquantize: {{type: Q8_0, {key}: Q4_KM}}".replace("type: Q8_0, type", "type")
    )
    assert said.startswith(f": key 'quantize.{key}': 'Q4_KM' is no ")
    assert "the closest is Q4_K" in said


@pytest.mark.parametrize("name", ["Q8_K", "I8", "F64", "Q8_1"])
def test_types_that_make_llama_cpp_abort_are_refused(name: str, tmp_path: Path) -> None:
    text = f"description: x\nquantize: {{type: Q4_0, tensor_overrides: {{attn_v: {name}}}}}"
    assert f"'{name}' is no ggml type that can be written" in sentence(tmp_path, text)


def test_an_imatrix_must_be_there(tmp_path: Path) -> None:
    said = sentence(tmp_path, "description: x\nquantize: {type: IQ2_XS, imatrix: i.gguf}")
    assert (
        said == f": key 'quantize.imatrix': there is no file {tmp_path / 'i.gguf'}; the path is taken relative to "
        "the YAML file."
    )


def test_a_file_that_is_no_text_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"description: \xff\xfe\x00")
    with pytest.raises(UserError, match=r"mine\.yaml is not a YAML text: "):
        load_config(tmp_path / "mine.yaml")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(alphabet=":-[]{}!&*?|<>'\"\n #abq840_.0", max_size=60).map("description: x\nserve: ".__add__) | st.text()
)
@example("[" * 5000)
@example("? [a]\n: b")
@example("1: 2\ndescription: x")
@example("&a description: *a")
@example("description: x\nserve: &a [*a]")
def test_any_text_is_a_config_or_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        said = f"{path} is read as {load_config(path).name}"
    except UserError as error:
        said = str(error)
    assert said.startswith(str(path))
    assert said.isprintable()


def test_packaged_configs_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "harness"
    package.mkdir()
    monkeypatch.setattr(importlib.resources, "files", lambda _name: package)
    with pytest.raises(RunError, match="the quantization configs are missing"):
        config_dir()
    (tmp_path / "quant_configs").mkdir()
    assert config_dir() == tmp_path / "quant_configs"
    (package / "_quant_configs").mkdir()
    assert config_dir() == package / "_quant_configs"


@pytest.mark.parametrize("name", ggml_types.FILE_TYPES)
def test_the_tables_of_types_agree_with_llama_cpp(name: str) -> None:
    assert hasattr(gguf.LlamaFileType, f"{'ALL' if name == 'F32' else 'MOSTLY'}_{name}")
    assert ggml_types.block_size(ggml_types.FILE_TYPES[name]) in (1, 32, 128, 256)


def test_types_that_need_an_imatrix_are_types() -> None:
    assert ggml_types.FILE_TYPES.keys() >= ggml_types.NEEDS_IMATRIX


def test_errors_are_one_line_and_know_their_exit_code() -> None:
    assert str(UserError("a\nb\t c \x1b[31m \udcff é")) == "a b c \\x1b[31m \\udcff é"
    assert (HarnessError("").exit_code, UserError("").exit_code, RunError("").exit_code) == (1, 2, 1)
