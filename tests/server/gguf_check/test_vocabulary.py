"""Vocabularies with which loading or tokenizing would end the process, or never end."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import gguf as gguf_package
import numpy as np
import pytest
from gguf_parts import ARRAY, STRING, Gguf, read

from server.gguf_check import BadGguf, check_gguf

if TYPE_CHECKING:
    from conftest import Said

U32, I32, U8 = 4, 5, 0
TOKENS = b"tokenizer.ggml.tokens"
SPELLINGS = {"llama": b"<0x%02X>", "rwkv": b"\\x%02x"}


def tokens(*changed: tuple[int, bytes], model: str = "gpt2") -> object:
    def change(gguf: Gguf) -> None:
        gguf.put(b"tokenizer.ggml.model", STRING, model.encode())
        for at, token in changed:
            gguf.array(TOKENS)[at] = token

    return change


def byte_tokens(model: str, missing: int | None = None) -> object:
    """A vocabulary with a token for every byte but one."""
    spelled = [(500 + byte, SPELLINGS[model] % byte) for byte in range(256) if byte != missing]
    return tokens(*spelled, model=model)


def test_a_token_twice(said: Said) -> None:
    assert said(tokens((600, b"same"))) == ""
    assert said(tokens((600, b"same"), (700, b"same"))) == "has the token 'same' twice in its vocabulary"


def test_tokens_are_compared_as_llama_cpp_reads_them(said: Said) -> None:
    assert said(tokens((600, b"same"), (700, b"same\0but"))) == "has the token 'same' twice in its vocabulary"
    assert said(tokens((600, b""), (700, b""))) == ""
    assert said(tokens((600, b""), (700, b"[EMPTY_600]"))) == "has the token '[EMPTY_600]' twice in its vocabulary"


def test_tokens_of_bytes_that_are_no_text(said: Said) -> None:
    assert said(tokens((600, b"\xff\xfe"))) == ""
    assert said(tokens((600, b"\xff"), (700, b"\xff"))) == "has the token '\ufffd' twice in its vocabulary"


def test_a_vocabulary_of_nothing(said: Said) -> None:
    assert said(lambda gguf: gguf.array(TOKENS).clear()) == "has a vocabulary of no tokens"
    assert said(tokens(model="none")) == "has no tokenizer, without which it can read no text"
    assert said(tokens(model="no_vocab")) == "has no tokenizer, without which it can read no text"


def test_a_token_of_great_length(said: Said) -> None:
    assert said(tokens((600, b"x" * 4096))) == ""
    assert said(tokens((600, b"x" * 4097))) == "has a token of 4,097 bytes, more than 4,096"


@pytest.mark.parametrize("model", SPELLINGS)
def test_every_byte_of_text_has_a_token(model: str, said: Said) -> None:
    assert said(byte_tokens(model)) == ""
    assert said(byte_tokens(model, 0xC0)) == "", "no text has this byte"
    lacking = "has no token for 1 of the bytes that text is made of, such as 0x80"
    assert said(byte_tokens(model, 0x80)) == lacking
    assert said(byte_tokens(model, ord("!"))) == "", "the character itself is a token"


def test_spelled_out_characters_are_tokens(said: Said) -> None:
    def spelled(gguf: Gguf) -> None:
        byte_tokens("rwkv", ord("\n"))(gguf)  # type: ignore[operator]
        gguf.array(TOKENS)[800] = rb"\n"

    assert said(byte_tokens("rwkv", ord("\n"))).startswith("has no token for 1 of the bytes")
    assert said(spelled) == ""


def test_byte_tokens_in_wordpiece(said: Said) -> None:
    assert said(tokens(model="bert")) == ""

    def typed(gguf: Gguf) -> None:
        tokens(model="bert")(gguf)  # type: ignore[operator]
        gguf.array(b"tokenizer.ggml.token_type")[9] = 6

    assert said(typed) == "has byte tokens in a WordPiece vocabulary, which knows none"


@pytest.mark.parametrize(("model", "default"), [("bert", 100), ("t5", 2)])
def test_something_must_stand_for_the_unknown(model: str, default: int, said: Said) -> None:
    def few(count: int, unknown: int | None) -> object:
        def change(gguf: Gguf) -> None:
            tokens(model=model)(gguf)  # type: ignore[operator]
            del gguf.array(TOKENS)[count:]
            if unknown is not None:
                gguf.put(b"tokenizer.ggml.unknown_token_id", U32, unknown)

        return change

    assert said(few(default + 1, None)) == ""
    assert said(few(default, default - 1)) == ""
    assert said(few(default + 1, 2**31)) == "", "llama.cpp takes its default then"
    lacking = f"has no token for what is in no token of its vocabulary (id {default} of {default})"
    assert said(few(default, None)) == lacking


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (b"{{ messages[0].content }}" * 99, ""),
        (b"x" * 2**20, ""),
        (b"x" * (2**20 + 1), "has a chat template of 1,048,577 bytes, more than 1,048,576"),
        (b"[(" * 128 + b")]" * 128, ""),
        (b")" * 999 + b"(" * 257, "has a chat template with brackets nested 257 deep, more than 256"),
    ],
    ids=["usual", "long", "longer", "deep", "deeper"],
)
@pytest.mark.parametrize("key", [b"tokenizer.chat_template", b"tokenizer.chat_template.tool_use"])
def test_templates_of_great_size(template: bytes, sentence: str, key: bytes, said: Said) -> None:
    assert said(lambda gguf: gguf.put(key, STRING, template)) == sentence


def charsmap(units: dict[int, int], texts: bytes = b"a\0") -> bytes:
    """A table of 256 units, of which these are in use."""
    table = np.zeros(256, "<u4")
    for at, unit in units.items():
        table[at] = unit
    return struct.pack("<I", 1024) + table.tobytes() + texts


ROOT = 0
LEAF = 1 << 8
VALUE = 1 << 31


def node(byte: int, base: int, flags: int = 0) -> int:
    return byte | flags | base << 10


@pytest.mark.parametrize(
    ("blob", "sentence"),
    [
        (charsmap({}), ""),
        (charsmap({97: node(97, 97 ^ 200, LEAF), 200: VALUE}), ""),
        (charsmap({97: node(97, 97 ^ 200, LEAF), 200: VALUE | 1}), ""),
        (charsmap({97: node(97, 97 ^ 97)}), ""),
        (charsmap({97: node(97, 97 ^ 200, LEAF), 200: VALUE | 2}), "points behind its texts"),
        (charsmap({97: node(97, 97 ^ 200, LEAF), 200: VALUE}, texts=b"a"), "points behind its texts"),
        (charsmap({97: node(97, 256)}), "leads out of itself"),
        (charsmap({ROOT: node(0, 2**20)}), "leads out of itself"),
        (charsmap({97: node(97, 97 ^ 200), 200 ^ 98: node(98, 2**21 - 1, 1 << 9)}), "leads out of itself"),
        (struct.pack("<I", 1024) + bytes(1024), "is cut short"),
        (struct.pack("<I", 0) + bytes(9), "is cut short"),
    ],
)
def test_tables_of_characters(blob: bytes, sentence: str, said: Said) -> None:
    def change(gguf: Gguf) -> None:
        tokens(model="t5")(gguf)  # type: ignore[operator]
        gguf.put(b"tokenizer.ggml.precompiled_charsmap", ARRAY, list(blob), U8)

    found = said(change)
    assert found == (sentence and f"has a table of characters (precompiled_charsmap) that {sentence}")


def test_a_model_in_parts(bundled_bytes: bytes, tmp_path: Path) -> None:
    """llama.cpp opens the other parts by itself."""
    model = read(bundled_bytes)
    first, second = (tmp_path / f"model-0000{i}-of-00002.gguf" for i in (1, 2))
    model.put(b"split.count", 2, 2)
    head, tail = Gguf(model.fields, model.tensors[:1]), Gguf([], model.tensors[1:])
    head.write(first)
    with pytest.raises(BadGguf, match=r"model-00002-of-00002\.gguf: there is no such file\.$"):
        check_gguf(first)
    tail.write(second)
    check_gguf(first)
    Gguf(model.fields, []).write(first)  # as some tools leave it
    check_gguf(first)
    second.write_bytes(second.read_bytes()[:-1000])
    with pytest.raises(BadGguf, match=r"model-00002-of-00002\.gguf is cut short: its tensors need"):
        check_gguf(first)
    first.rename(tmp_path / "model.gguf")  # no first part by its name: llama.cpp refuses it
    with pytest.raises(BadGguf, match="there is no such file"):
        check_gguf(first)
    check_gguf(tmp_path / "model.gguf")


def test_a_vocabulary_alone(bundled_bytes: bytes, tmp_path: Path) -> None:
    Gguf(read(bundled_bytes).fields, []).write(tmp_path / "vocabulary.gguf")
    with pytest.raises(BadGguf, match="holds no tensors"):
        check_gguf(tmp_path / "vocabulary.gguf")
    assert gguf_package.GGUFReader(tmp_path / "vocabulary.gguf").fields
