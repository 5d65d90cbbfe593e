"""The tokens: every text that a client may send must have a tokenization, or tokenizing ends the process."""

from __future__ import annotations

import re
from collections.abc import Collection

from server.gguf_check.charsmap import check_charsmap
from server.gguf_check.reader import Array, Header, Problem

MAX_TOKEN = 4096
"""Bytes of one token. Some tokenizers take every suffix of every token apart: the square of this in memory."""
MAX_TEMPLATE = 1 << 20
MAX_DEPTH = 256
"""How deep the brackets of a chat template may nest: who parses one recurses."""

_BYTE_TYPE = 6
_IN_TEXT = [*range(0xC0), *range(0xC2, 0xF5)]
"""Bytes that UTF-8 has."""


def check_vocabulary(header: Header) -> None:
    """Raise :class:`Problem` for tokens that llama.cpp asserts are not, or with which some text has no tokenization."""
    _check_templates(header)
    model = header.text("tokenizer.ggml.model")
    if model in ("none", "no_vocab"):
        raise Problem("has no tokenizer, without which it can read no text")
    tokens = header.strings("tokenizer.ggml.tokens")
    if tokens is None:
        return  # llama.cpp says what is missing
    if not tokens:
        raise Problem("has a vocabulary of no tokens")
    longest = max(map(len, tokens))
    if longest > MAX_TOKEN:
        raise Problem(f"has a token of {longest:,} bytes, more than {MAX_TOKEN:,}")
    # As llama.cpp reads them: up to a zero byte, and an empty one under a name of its own.
    names = [token.partition(b"\0")[0] or b"[EMPTY_%d]" % i for i, token in enumerate(tokens)]
    known = dict(zip(names, range(len(names)), strict=True))
    if len(known) < len(names):
        twice = next(name for i, name in enumerate(names) if known[name] != i)
        raise Problem(f"has the token {twice[:40].decode(errors='replace')!r} twice in its vocabulary")
    if model in _TOKENIZERS:
        _TOKENIZERS[model](header, known)


def _check_wordpiece(header: Header, known: Collection[bytes]) -> None:
    if _BYTE_TYPE in header.numbers("tokenizer.ggml.token_type"):
        raise Problem("has byte tokens in a WordPiece vocabulary, which knows none")
    _check_unknown(header, 100, len(known))


def _check_unigram(header: Header, known: Collection[bytes]) -> None:
    _check_unknown(header, 2, len(known))
    charsmap = header.fields.get("tokenizer.ggml.precompiled_charsmap")
    if isinstance(charsmap, Array) and not isinstance(charsmap.values, list):
        check_charsmap(charsmap.values.tobytes())


def _check_sentencepiece(_header: Header, known: Collection[bytes]) -> None:
    _check_bytes([byte for byte in _IN_TEXT if b"<0x%02X>" % byte not in known and bytes([byte]) not in known])


def _check_rwkv(_header: Header, known: Collection[bytes]) -> None:
    single = {name for name in map(_unescaped, known) if len(name) == 1}
    _check_bytes([byte for byte in _IN_TEXT if bytes([byte]) not in single])


_TOKENIZERS = {
    "bert": _check_wordpiece,
    "t5": _check_unigram,
    "llama": _check_sentencepiece,
    "rwkv": _check_rwkv,
}


def _check_unknown(header: Header, default: int, count: int) -> None:
    """llama.cpp takes its default where the id that is given is none, and -1 where that is none either."""
    given = header.number("tokenizer.ggml.unknown_token_id", default)
    if not 0 <= given < count and default >= count:
        raise Problem(f"has no token for what is in no token of its vocabulary (id {given} of {count})")


def _check_bytes(missing: Collection[int]) -> None:
    if missing:
        raise Problem(
            f"has no token for {len(missing)} of the bytes that text is made of, such as 0x{min(missing):02X}"
        )


def _unescaped(name: bytes) -> bytes:
    """What a token of an RWKV vocabulary stands for: backslashes and hexadecimal digits are spelled out in it."""
    plain = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}

    def spelled(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)]) if match[1] else plain.get(match[2], match[2])

    return re.sub(rb"\\(?:x([0-9a-f]{2})|(.))", spelled, name, flags=re.DOTALL)


def _check_templates(header: Header) -> None:
    """Whether chat templates are of a size that templates have."""
    for key, value in header.fields.items():
        if not key.startswith("tokenizer.chat_template") or not isinstance(value, bytes):
            continue
        if len(value) > MAX_TEMPLATE:
            raise Problem(f"has a chat template of {len(value):,} bytes, more than {MAX_TEMPLATE:,}")
        depth = deepest = 0
        for bracket in re.findall(rb"[(\[{]|[)\]}]", value):
            depth = max(depth + (1 if bracket in b"([{" else -1), 0)
            deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            raise Problem(f"has a chat template with brackets nested {deepest} deep, more than {MAX_DEPTH}")
