from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.models.ggml_types import FILE_TYPES
from harness.models.hub_names import HubFile, HubId, best, hub_id, published


def labels(*names: str) -> dict[str, list[str]]:
    """The names of the files of each quantization."""
    found = published("o/r", [HubFile(name, 1, None) for name in names])
    return {one.label: [file.name for file in one.files] for one in found}


def refusal(*names: str) -> str:
    with pytest.raises(UserError) as caught:
        labels(*names)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bartowski/Llama-3.2-1B-Instruct-GGUF", HubId("bartowski/Llama-3.2-1B-Instruct-GGUF")),
        ("o/r@v1.0", HubId("o/r", "v1.0")),
        ("o/r@refs/pr/1", HubId("o/r", "refs/pr/1")),
        ("models/my-f16.gguf", None),
        ("configs/my.yaml", None),
        ("./o/r", None),
        ("../r", None),
        ("/o/r", None),
        ("o/r/file", None),
        ("o/r@", None),
        ("o/r@../../x", None),
        ("o r/r", None),
        ("name", None),
    ],
)
def test_what_names_a_repository(text: str, expected: HubId | None) -> None:
    assert hub_id(text) == expected


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "q4_k_m"),
        ("mistral-7b-instruct-v0.2.Q4_K_M.gguf", "q4_k_m"),
        ("qwen2-0_5b-instruct-q8_0.gguf", "q8_0"),
        ("gemma-3-12b-it-qat-q4_0.gguf", "q4_0"),
        ("Model-UD-Q4_K_XL.gguf", "ud-q4_k_xl"),
        ("Model.i1-IQ2_XXS.gguf", "iq2_xxs"),
        ("model_fp16.gguf", "f16"),
        ("Model-FP32.GGUF", "f32"),
        ("Model-BF16.gguf", "bf16"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "mxfp4_moe"),
        ("Model-Q4_0_4_4.gguf", "q4_0_4_4"),
        ("Model-TQ1_0.gguf", "tq1_0"),
        ("Q6_K.gguf", "q6_k"),
        ("Model-Q8_0-of-F16.gguf", "f16"),
        ("Q5_K_M/Model.gguf", "q5_k_m"),
        ("Model-imatrix-Q3_K_L.gguf", "q3_k_l"),
    ],
)
def test_the_quantization_is_in_the_name(name: str, label: str) -> None:
    assert labels(name) == {label: [name]}


@given(st.sampled_from(sorted(FILE_TYPES)), st.sampled_from([str.upper, str.lower]), st.sampled_from("-._"))
def test_every_file_type_of_llama_cpp_is_known(name: str, case, separator: str) -> None:
    assert list(labels(f"Some-7B{separator}{case(name)}.gguf")) == [name.lower()]


def test_parts_belong_together_in_their_order() -> None:
    parts = [f"BF16/Model-BF16-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert labels(parts[2], "Model-Q8_0.gguf", parts[0], parts[1]) == {"bf16": parts, "q8_0": ["Model-Q8_0.gguf"]}
    folders = [f"Q4_K_M/Model-0000{n}-of-00002.gguf" for n in (1, 2)]
    assert labels(*folders) == {"q4_k_m": folders}


def test_what_is_no_model_is_passed_over() -> None:
    others = ["README.md", "mmproj-Model-F16.gguf", "Model-mmproj-BF16.gguf", "Model-imatrix.gguf", "imatrix.dat"]
    assert labels(*others, "Model-Q4_0.gguf.part", "Model-Q4_0.gguf") == {"q4_0": ["Model-Q4_0.gguf"]}


def test_several_models_are_told_apart_for_the_user() -> None:
    assert refusal("A-F16.gguf", "A-Q4_0.gguf", "B-Q4_0.gguf") == (
        "o/r has GGUF files of several models (A: f16, q4_0; B: q4_0), so download what you want "
        "(`hf download o/r FILE`) and give the paths of the files."
    )


def test_letters_case_makes_no_other_model() -> None:
    assert list(labels("Model-F16.gguf", "model-q4_0.gguf")) == ["f16", "q4_0"]


def test_two_files_of_one_quantization() -> None:
    said = refusal("Model-Q4_0.gguf", "old/Model-Q4_0.gguf")
    assert said.startswith("o/r has two files of one quantization, Model-Q4_0.gguf and old/Model-Q4_0.gguf, so ")


def test_nothing_that_can_be_named() -> None:
    assert refusal("model.safetensors").startswith("o/r has no GGUF file; name ")
    assert refusal("model.gguf", "q4.gguf") == (
        "o/r has no GGUF file named by its quantization, only model.gguf, q4.gguf; "
        "name a repository with files such as Model-Q4_K_M.gguf."
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Q8_0", "F32", "F16", "BF16"], "bf16"),
        (["Q8_0", "F32", "F16"], "f16"),
        (["Q4_0", "F32", "Q8_0"], "f32"),
        (["Q4_0", "Q8_0"], "q8_0"),
        (["Q4_0", "Q6_K"], None),
    ],
)
def test_the_best_is_the_reference(names: list[str], expected: str | None) -> None:
    found = best(published("o/r", [HubFile(f"Model-{name}.gguf", 1, None) for name in names]))
    assert (found and found.label) == expected
