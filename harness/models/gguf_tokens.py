"""What stands at the beginning and at the end of a text, by a GGUF file: the names of BOS and EOS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gguf import GGUFReader
from gguf.constants import Keys

from harness.models.gguf_facts import open_gguf
from harness.models.gguf_splits import number

_WITH_PRE = frozenset(("gpt2", "hybriddna", "whitespace"))
"""Kinds of vocabulary (``tokenizer.ggml.model``) of which llama.cpp reads the pre-tokenizer."""
_BEGIN_WITH_BOS = frozenset(
    (
        *("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"),
        *("tekken", "chameleon"),
    )
)
"""Pre-tokenizers (``tokenizer.ggml.pre``) with which llama.cpp adds BOS where the file does not say."""
_ALWAYS_BEGIN_WITH_BOS = frozenset(("gemma4", "granite-embed-multi-311m"))
"""Pre-tokenizers with which llama.cpp adds BOS whatever the file says. The first is also a kind of vocabulary."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Names of special tokens, which a server reads as these tokens where they stand in a prompt."""

    bos: str
    """What goes before every prompt; empty where nothing does."""
    eos: str
    """Empty where the file names none."""
    bos_id: int | None = None
    """Of :attr:`bos`; None where nothing goes before a prompt."""


def special_tokens(path: Path) -> SpecialTokens:
    """The special tokens of a GGUF file; a :class:`~harness.errors.UserError` says what is wrong with it."""
    reader = open_gguf(path)
    bos, eos = (number(reader, key, -1) for key in (Keys.Tokenizer.BOS_ID, Keys.Tokenizer.EOS_ID))
    name = _name(reader, bos) if _adds_bos(reader) else ""
    return SpecialTokens(name, _name(reader, eos), bos if name else None)


def _adds_bos(reader: GGUFReader) -> bool:
    """The file's own word, or else llama.cpp's rule for its kind of vocabulary, as ``llama-vocab.cpp`` has it.

    The rule is that of the llama.cpp in the pinned llama-cpp-python; a pre-tokenizer that only a later one knows, and
    of which the file says nothing, counts as one without BOS.
    """
    kind, pre = (_text(reader, key) for key in (Keys.Tokenizer.MODEL, Keys.Tokenizer.PRE))
    has_pre = kind in _WITH_PRE
    if kind == "gemma4" or (has_pre and pre in _ALWAYS_BEGIN_WITH_BOS):
        return True
    said = reader.get_field(Keys.Tokenizer.ADD_BOS)
    if said is not None:
        return bool(said.parts[-1][0])
    return kind in ("llama", "bert") or (has_pre and pre in _BEGIN_WITH_BOS)


def _text(reader: GGUFReader, key: str) -> str:
    found = reader.get_field(key)
    return bytes(found.parts[-1]).decode("utf-8", "replace") if found is not None else ""


def _name(reader: GGUFReader, token: int) -> str:
    """What a token is called; the reader has passed over the names, so they are counted off to this one."""
    names = reader.get_field(Keys.Tokenizer.LIST)
    if names is None or not 0 <= token < int(names.parts[-1][0]):
        return ""
    data = reader.data.data
    # A field is its key (length and text), its type, the type of the items, their number, and the items.
    at = names.offset + 8 + int(names.parts[0][0]) + 4 + 4 + 8
    for _ in range(token):
        at += 8 + int.from_bytes(data[at : at + 8], "little")
    size = int.from_bytes(data[at : at + 8], "little")
    return bytes(data[at + 8 : at + 8 + size]).decode("utf-8", "replace")
