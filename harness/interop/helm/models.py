"""The models as HELM knows them: deployments, tokenizers and metadata, each under a name of its own."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.errors import RunError, UserError
from harness.interop.models import ExportedModel
from harness.interop.served import Served, served_models
from harness.interop.source import Source

ORGANIZATION = "quant-harness"
"""What names of models begin with in HELM, and the name of its cache's file."""
_SECONDS = 30


def name_of(model: ExportedModel) -> str:
    """HELM's name for a model, its deployment and its tokenizer.

    HELM reads commas and slashes as its own. An id that has others than letters, digits, ``.``, ``_`` and ``-`` gets
    something of its hash, so that ``a/b`` and ``a_b`` are told apart.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", model.id)
    apart = "" if safe == model.id else f"-{hashlib.sha256(model.id.encode()).hexdigest()[:8]}"
    return f"{ORGANIZATION}/{safe}{apart}"


def write_models(folder: Path, source: Source, port: int) -> list[Served]:
    """Write HELM's ``--local-path``; it is said of each model where HELM will ask it.

    Raises:
        UserError: there are more models than ports, or an endpoint has no tokenizer for HELM.
        RunError: an endpoint does not answer.
    """
    served = served_models(source, port)
    for one in served:
        if not one.command:
            _check_tokenizer(one.model.label, one.url)
    folder.mkdir()
    for name, key, what in (
        ("model_deployments", "model_deployments", [_deployment(one, source.context) for one in served]),
        ("tokenizer_configs", "tokenizer_configs", [_tokenizer(one) for one in served]),
        ("model_metadata", "models", [_metadata(one.model) for one in served]),
    ):
        text = yaml.safe_dump({key: what}, sort_keys=False, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "credentials.conf").touch()  # HELM wants it, and there is nothing to say
    return served


def _check_tokenizer(label: str, url: str) -> None:
    """See that an endpoint counts tokens as HELM asks for it: without that HELM scores one token of each choice."""
    try:
        response = httpx.post(
            f"{url.removesuffix('/v1')}/tokenize",
            json={"text": "One two", "truncation": False, "max_length": 8},
            timeout=_SECONDS,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise RunError(f"{label}: {url} cannot be reached: {error}; start it first.") from error
    try:
        answer = response.json() if response.is_success else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not {"tokens", "request_time"} <= answer.keys():
        raise UserError(
            f"{label}: {url} has no tokenizer that HELM can ask (POST /tokenize with a text), and without one HELM "
            "scores the wrong tokens; serve the model with `harness serve`."
        )


def _deployment(served: Served, context: int) -> dict[str, Any]:
    model, name = served.model, name_of(served.model)
    # A server puts BOS before every text that has none, and HELM does not count it.
    room = context - (1 if model.tokens.bos else 0)
    client = {"base_url": served.url, "api_key": "EMPTY", "openai_model_name": model.id, "timeout": 3600}
    return {
        "name": name,
        "model_name": name,
        "tokenizer_name": name,
        # The first window of a running text has BOS before it, as HELM's prefix token.
        "max_sequence_length": room - (1 if model.tokens.bos else 0),
        "max_request_length": room,
        "client_spec": {"class_name": "helm.clients.openai_client.OpenAILegacyCompletionsClient", "args": client},
    }


def _tokenizer(served: Served) -> dict[str, Any]:
    return {
        "name": name_of(served.model),
        "tokenizer_spec": {
            "class_name": "helm.tokenizers.http_model_tokenizer.HTTPModelTokenizer",
            "args": {"base_url": served.url.removesuffix("/v1")},
        },
        "end_of_text_token": served.model.tokens.eos,
        "prefix_token": served.model.tokens.bos,
    }


def _metadata(model: ExportedModel) -> dict[str, Any]:
    return {
        "name": name_of(model),
        "display_name": model.label,
        "description": model.file.name if model.file else f"an endpoint that serves {model.id}",
        "creator_organization_name": ORGANIZATION,
        "access": "open",
        "release_date": None,
        "tags": ["TEXT_MODEL_TAG", "FULL_FUNCTIONALITY_TEXT_MODEL_TAG"],
    }
