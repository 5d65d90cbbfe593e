"""The models as HELM knows them: deployments, tokenizers and metadata, each under a name of its own."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.errors import RunError, UserError
from harness.interop.models import ExportedModel
from harness.interop.source import Source
from harness.models.config import ServeConfig

ORGANIZATION = "quant-harness"
"""What names of models begin with in HELM, and the name of its cache's file."""
_MOST_PORT = 65535
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Served:
    """A model at the place where HELM will ask it."""

    model: ExportedModel
    url: str
    """With ``/v1``."""
    command: str
    """What starts its server, for a shell; empty where it runs already."""

    @property
    def name(self) -> str:
        """HELM's name for the model, its deployment and its tokenizer."""
        return f"{ORGANIZATION}/{self.model.id.replace('/', '_')}"


def write_models(folder: Path, source: Source, port: int) -> list[Served]:
    """Write HELM's ``--local-path``; it is said of each model where HELM will ask it.

    Raises:
        UserError: there are more models than ports, or an endpoint has no tokenizer for HELM.
    """
    served: list[Served] = []
    for model in source.models:
        at = port + sum(1 for one in served if one.command)
        if model.url:
            _check_tokenizer(model.label, model.url)
        elif at > _MOST_PORT:
            raise UserError(f"--port: {port} leaves no port for {model.label}; give a lower one.")
        command = "" if model.url else _command(model, at)
        served.append(Served(model, model.url or f"http://127.0.0.1:{at}/v1", command))
    folder.mkdir()
    for name, key, what in (
        ("model_deployments", "model_deployments", [_deployment(one, source.context) for one in served]),
        ("tokenizer_configs", "tokenizer_configs", [_tokenizer(one) for one in served]),
        ("model_metadata", "models", [_metadata(one) for one in served]),
    ):
        text = yaml.safe_dump({key: what}, sort_keys=False, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "credentials.conf").touch()  # HELM wants it, and there is nothing to say
    return served


def _command(model: ExportedModel, port: int) -> str:
    file = str(model.file) if model.file else f"PATH/TO/{model.file_name}"
    ours, plain = model.serve.model_dump(), ServeConfig().model_dump()
    options = [
        word
        for name, value in ours.items()
        if value != plain[name]
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return shlex.join(["harness", "serve", file, "--alias", model.id, "--port", str(port), *options])


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
    # A server puts BOS before every text that has none, and HELM does not count it.
    room = context - (1 if served.model.tokens.bos else 0)
    client = {"base_url": served.url, "api_key": "EMPTY", "openai_model_name": served.model.id, "timeout": 3600}
    return {
        "name": served.name,
        "model_name": served.name,
        "tokenizer_name": served.name,
        # The first window of a running text has BOS before it, as HELM's prefix token.
        "max_sequence_length": room - (1 if served.model.tokens.bos else 0),
        "max_request_length": room,
        "client_spec": {"class_name": "helm.clients.openai_client.OpenAILegacyCompletionsClient", "args": client},
    }


def _tokenizer(served: Served) -> dict[str, Any]:
    return {
        "name": served.name,
        "tokenizer_spec": {
            "class_name": "helm.tokenizers.http_model_tokenizer.HTTPModelTokenizer",
            "args": {"base_url": served.url.removesuffix("/v1")},
        },
        "end_of_text_token": served.model.tokens.eos,
        "prefix_token": served.model.tokens.bos,
    }


def _metadata(served: Served) -> dict[str, Any]:
    return {
        "name": served.name,
        "display_name": served.model.label,
        "description": served.model.file_name or served.url,
        "creator_organization_name": ORGANIZATION,
        "access": "open",
        "release_date": None,
        "tags": ["TEXT_MODEL_TAG", "FULL_FUNCTIONALITY_TEXT_MODEL_TAG"],
    }
