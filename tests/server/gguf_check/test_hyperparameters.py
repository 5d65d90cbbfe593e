"""Numbers for which llama.cpp ends the process. Every limit has a neighbour that passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gguf_parts import ARRAY, STRING, Gguf

if TYPE_CHECKING:
    from conftest import Said

U32, F32 = 4, 6


EXPERTS = "expert_count"
USED = "expert_used_count"
GROUPS = "expert_group_count"
CHOSEN = "expert_group_used_count"
PASSING = [
    {"block_count": 1},
    {"block_count": 512},
    {"context_length": 1},
    {"context_length": 2**31 - 1},
    {"nextn_predict_layers": 6},
    {EXPERTS: 0, USED: 0},
    {EXPERTS: 1024, USED: 1024},
    {EXPERTS: 8, USED: [2, 8, 0]},
    {EXPERTS: 8, USED: 2, GROUPS: 4, CHOSEN: 3},
    {EXPERTS: 8, USED: 2, GROUPS: 1},
    {"attention.layer_norm_rms_epsilon": 0.0},
    {"rope.scaling.type": b"longrope"},
    {"attention.head_count": 0},
    {"attention.key_length": 32, "attention.value_length": 32},
    {"attention.head_count": [4, 4]},
]
REFUSED = [
    ({"block_count": 0}, "gives llama.block_count as 0, not 1 to 512"),
    ({"block_count": 513}, "gives llama.block_count as 513, not 1 to 512"),
    ({"context_length": 0}, "gives llama.context_length as 0, not 1 to 2147483647"),
    ({"context_length": 2**31}, "gives llama.context_length as 2147483648, not 1 to 2147483647"),
    ({"nextn_predict_layers": 7}, "gives llama.nextn_predict_layers as 7, not 0 to 6"),
    ({"posnet.block_count": 7}, "gives llama.posnet.block_count as 7, not 0 to 6"),
    ({EXPERTS: 1025, USED: 2}, "gives llama.expert_count as 1025, not 0 to 1024"),
    ({EXPERTS: 8}, "uses 0 of 8 experts"),
    ({USED: 1}, "uses 1 of 0 experts"),
    ({EXPERTS: 8, USED: [2, 9]}, "uses 9 of 8 experts"),
    ({GROUPS: 1}, "gives llama.expert_group_count as 1, not 0 to 0"),
    ({EXPERTS: 8, USED: 2, GROUPS: 8}, "gives llama.expert_group_count as 8, not 0 to 7"),
    ({EXPERTS: 8, USED: 2, GROUPS: 3, CHOSEN: 1}, "uses 1 of 3 groups of 8 experts"),
    ({EXPERTS: 8, USED: 2, GROUPS: 4, CHOSEN: 4}, "uses 4 of 4 groups of 8 experts"),
    ({EXPERTS: 8, USED: 2, GROUPS: 4}, "uses 0 of 4 groups of 8 experts"),
    ({"attention.layer_norm_rms_epsilon": -1.0}, "gives llama.attention.layer_norm_rms_epsilon as -1.0, which is none"),
    (
        {"attention.layer_norm_rms_epsilon": float("nan")},
        "gives llama.attention.layer_norm_rms_epsilon as nan, which is none",
    ),
    (
        {"rope.scaling.type": b"twisted"},
        "gives llama.rope.scaling.type as 'twisted', not one of none, linear, yarn, longrope",
    ),
    ({"rope.scaling.type": 7}, "gives llama.rope.scaling.type as '', not one of none, linear, yarn, longrope"),
    (
        {"attention.key_length": 32},
        "gives heads of 32 for keys and 64 for values, which Llama has alike",
    ),
]


def changed(gguf: Gguf, values: dict[str, object]) -> None:
    for key, value in values.items():
        name = f"llama.{key}".encode()
        if isinstance(value, list):
            gguf.put(name, ARRAY, value, U32)
        else:
            kind = {int: U32, float: F32, bytes: STRING}[type(value)]
            gguf.put(name, kind, value)


@pytest.mark.parametrize("values", PASSING, ids=str)
def test_what_llama_cpp_takes_passes(values: dict[str, object], said: Said) -> None:
    assert said(lambda gguf: changed(gguf, values)) == ""


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=str)
def test_what_ends_llama_cpp_is_refused(values: dict[str, object], sentence: str, said: Said) -> None:
    assert said(lambda gguf: changed(gguf, values)) == sentence


def test_one_expert_is_none_where_llama_cpp_says_so(said: Said) -> None:
    def hunyuan(gguf: Gguf) -> None:
        gguf.put(b"general.architecture", STRING, b"hunyuan-dense")
        gguf.put(b"hunyuan-dense.expert_count", U32, 1)

    assert said(hunyuan) == ""


def test_a_number_of_another_type_is_left_to_llama_cpp(said: Said) -> None:
    assert said(lambda gguf: gguf.put(b"llama.block_count", STRING, b"six")) == ""
    assert said(lambda gguf: gguf.put(b"general.architecture", U32, 1)) == ""
