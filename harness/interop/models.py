"""The models that others are to ask: what clients call them, where they are served, and how a prompt begins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from harness.errors import RunError, UserError
from harness.hub_cache import cache_folder
from harness.models.config import ServeConfig
from harness.models.gguf_facts import file_sha256, read_facts
from harness.models.gguf_tokens import SpecialTokens, special_tokens
from harness.serving.address import Address, read_url
from harness.serving.dialects import (
    DETOKENIZE,
    TOKENIZE,
    Ask,
    Detokenized,
    Tokenized,
    choose_card,
    find_dialect,
    read_cards,
    read_context,
)

MOST_CONTEXT = 4096
"""Tokens that a server of ours holds, unless it is told otherwise, of a model that was trained for more."""
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """One model."""

    label: str
    """What tables call it."""
    id: str
    """What requests call it. Of a file it has something of the file's hash, so that no cache of a client's takes one
    quantization's answers for another's."""
    context: int
    """Tokens that a prompt and its answer may have together."""
    tokens: SpecialTokens
    url: str | None = None
    """Of an endpoint that runs already; None where the file is yet to be served."""
    file: Path | None = None
    """What is yet to be served; None where there is a URL."""
    serve: ServeConfig = field(default_factory=ServeConfig)
    """How the file is to be served."""


def model_in(path: Path, label: str = "") -> ExportedModel:
    """The model of a GGUF file, called by the file's name unless there is a label.

    Raises:
        UserError: the file cannot be used.
    """
    facts = read_facts(path)
    label = label or path.name.removesuffix(".gguf")
    return ExportedModel(
        label=label,
        id=_id(label, facts.sha256),
        context=min(facts.context_length, MOST_CONTEXT),
        tokens=special_tokens(path),
        file=path.resolve(),
    )


def model_at(label: str, url: str) -> ExportedModel:
    """The model of an endpoint; of several, the one that ``#MODEL`` at the URL's end names.

    Raises:
        UserError: that is no URL, or it is not clear which model is meant.
        RunError: the endpoint does not answer, or does not say how long its context is.
    """
    where, _, name = url.partition("#")
    address = read_url(where)
    with httpx.Client(timeout=_SECONDS, trust_env=not address.is_local) as client:
        ask = _ask(client, address)
        how = f"write {label}={address}#MODEL"
        card = choose_card(read_cards(ask), name or None, f"The endpoint {address}", how)
        context = read_context(ask, card)
        if context is None:
            raise RunError(f"The endpoint {address} does not say how long its context is, so nothing can be exported.")
        return ExportedModel(label=label, id=card.id, context=context, tokens=_tokens_at(ask, card.id), url=address.url)


def models_of_run(record: Mapping[str, Any]) -> list[ExportedModel]:
    """The models of a run but for its null run.

    Args:
        record: the run's ``run.json``.

    Raises:
        UserError: a file is not found. Only the file says whether a prompt begins with BOS.
        RunError: an endpoint does not answer any more.
    """
    return [_of_run(model, record["spec"]) for model in record["models"] if model["label"] != record["null"]]


def _of_run(model: Mapping[str, Any], spec: Mapping[str, Any]) -> ExportedModel:
    label = model["label"]
    if endpoint := model.get("endpoint"):
        return model_at(label, f"{endpoint['url']}#{endpoint['model']}")
    file = _file_of(model, spec)
    if file is None:
        raise UserError(
            f"{label}: {model['file']} is not found where the run had it, seen from this folder (quantized files in "
            f"{spec['cache_dir']}); put it back, or name the GGUF files in place of the run."
        )
    return ExportedModel(
        label=label,
        id=_id(label, model["sha256"]),
        context=min(model["context_length"], MOST_CONTEXT),
        tokens=special_tokens(file),
        file=file,
        serve=ServeConfig.model_validate(model["serve"]),
    )


def _id(label: str, sha256: str) -> str:
    """A name for requests, shell commands and files alike."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', label)}-{sha256[:8]}"


def _file_of(model: Mapping[str, Any], spec: Mapping[str, Any]) -> Path | None:
    """The model's file, or the first of several, by its name and hash; None where it is not to be found."""
    first = model["files"][0] if model["files"] else model
    name = model["file"]
    for path in _places(model, spec):
        with suppress(OSError):
            if path.name == name and path.stat().st_size == first["bytes"] and file_sha256(path) == first["sha256"]:
                return path.resolve()
    return None


def _places(model: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Path]:
    """Where the file may be: as it was given, where the Hub's library keeps it, where quantized files are kept."""
    given = (spec["base"], spec["reference"], *spec["models"])
    yield from (Path(word) for word in given if word and word.endswith(".gguf"))
    if hub := model["hub"]:
        folder = f"models--{hub['repo'].replace('/', '--')}"
        snapshot = cache_folder("hub", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") / folder / "snapshots" / hub["commit"]
        yield from (snapshot / name for name in hub["files"])
    yield from Path(spec["cache_dir"]).rglob(Path(model["file"]).name)


def _ask(client: httpx.Client, address: Address) -> Ask:
    def ask(path: str, body: Mapping[str, object] | None) -> object:
        try:
            url = address.at(path)
            response = client.get(url) if body is None else client.post(url, json=dict(body))
        except httpx.TransportError as error:
            raise RunError(f"The endpoint {address} cannot be reached: {error}; start it first.") from error
        try:
            return response.json() if response.is_success else None
        except ValueError:
            return None

    return ask


def _tokens_at(ask: Ask, model: str) -> SpecialTokens:
    """BOS as the endpoint's tokenizer puts it before a text; what EOS is called it does not say."""
    dialect = find_dialect(ask, model)
    if dialect is None:
        return SpecialTokens("", "")
    with suppress(ValidationError):
        before = Tokenized.model_validate(ask(TOKENIZE, dialect.to_tokenize(model, "", special=True))).tokens
        if before:
            text = Detokenized.model_validate(ask(DETOKENIZE, dialect.to_detokenize(model, before))).text
            return SpecialTokens(text, "", before[0])
    return SpecialTokens("", "")
