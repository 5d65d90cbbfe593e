"""Every setting of the server, with its default, its environment variable and its line of help."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, DirectoryPath, Field, FilePath, field_validator
from pydantic_settings import BaseSettings, CliPositionalArg, NoDecode, SettingsConfigDict

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]


def _names(value: Any) -> Any:
    """What commas separate; an option that is repeated comes with commas too."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _digest(key: str) -> str:
    if not key:
        raise ValueError("an API key must not be empty")
    return hashlib.sha256(key.encode()).hexdigest()


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class Settings(BaseSettings):
    """Serve one GGUF model over OpenAI's completions API, with log-probabilities of the prompt."""

    model_config = SettingsConfigDict(
        env_prefix="QUANT_SERVER_",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_prog_name="python -m server",
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_exit_on_error=False,
    )

    model: CliPositionalArg[Path] = Field(description="GGUF file to serve")

    # Where to listen, and for how long.
    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="port to listen on; 0 takes a free one")
    fd: int | None = Field(None, description="listen on this inherited socket instead (for a supervising process)")
    exit_with_stdin: bool = Field(False, description="stop when standard input closes (for a supervising process)")
    drain_seconds: Annotated[float, Field(ge=0)] = Field(
        3, description="seconds that requests under way may take to finish once the server is told to stop"
    )

    # Who may ask, and for how much.
    api_key: Names = Field(
        (), description="key that requests must bring; several by commas or repeated; default: none is needed"
    )
    api_key_file: FilePath | None = Field(None, description="file of such keys, one a line")
    allowed_hosts: Names = Field(
        (), description="names that requests may call this server by, separated by commas; always: addresses, localhost"
    )
    max_body_mib: Annotated[int, Field(ge=1)] = Field(
        32, description="most that the body of a request may hold, in MiB"
    )

    # What is served, and how it is computed.
    alias: str | None = Field(None, description="model id to answer to; default: the file's name without .gguf")
    ctx_size: Annotated[int, Field(ge=0)] = Field(
        0, description="tokens that a prompt and its completion may have together; 0: the model's own, at most 4096"
    )
    cache_size: Annotated[int, Field(ge=0)] = Field(
        0, description="tokens in the KV cache, shared by all sequences; 0: twice ctx-size, at least 4096"
    )
    slots: Annotated[int, Field(ge=1, le=128)] = Field(16, description="sequences decoded together")
    batch_size: Annotated[int, Field(ge=1)] = Field(512, description="most tokens in one llama_decode call (n_batch)")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads; 0: all cores this process may use")
    gpu_layers: int = Field(-1, description="layers on the GPU, where there is one; -1: all")
    cache_type_k: CacheType = Field("f16", description="type of the keys in the KV cache")
    cache_type_v: CacheType = Field("f16", description="type of the values in the KV cache")
    flash_attention: Literal["auto", "on", "off"] = Field(
        "auto", description="llama.cpp's fused attention; auto: on wherever the device can"
    )
    max_waiting: Annotated[int, Field(ge=1)] = Field(
        4096, description="sequences that may wait before requests get 429"
    )
    prefix_cache_size: Annotated[int, Field(ge=0)] = Field(
        0, description="tokens of finished prompts kept in the KV cache for their beginnings; 0: a sixteenth of it"
    )
    score_cache_mib: Annotated[int, Field(ge=0)] = Field(
        64, description="memory for remembered log-probabilities of prompts, in MiB"
    )
    request_timeout: Annotated[float, Field(gt=0)] = Field(600, description="seconds that a request may take in all")
    allow_grammars: bool = Field(False, description="let requests bring a GBNF grammar or a JSON schema")
    divergence_dir: DirectoryPath | None = Field(
        None, description="folder of recorded distributions for /v1/divergence; default: the route is off"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="what to log")
    chat_template: FilePath | None = Field(
        None, description="Jinja file by which to write conversations; default: the template in the GGUF"
    )
    pooling: Literal["mean", "cls", "last"] | None = Field(
        None, description="which states make an embedding; default: as the GGUF says, or no embeddings"
    )

    @field_validator("api_key")
    @classmethod
    def _only_digests(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Keys are known by their SHA-256 from here on, so that nothing can print them."""
        return tuple(map(_digest, keys))

    @field_validator("api_key_file")
    @classmethod
    def _holds_keys(cls, path: FilePath | None) -> FilePath | None:
        if path is not None and not _keys_in(path):
            raise ValueError(f"{path} holds no keys")
        return path

    @property
    def model_id(self) -> str:
        """The name that clients use."""
        return self.alias or self.model.stem

    @property
    def key_digests(self) -> tuple[str, ...]:
        """SHA-256 of all API keys, in hexadecimal; none if none is needed."""
        return self.api_key + (() if self.api_key_file is None else tuple(map(_digest, _keys_in(self.api_key_file))))


def _keys_in(path: Path) -> list[str]:
    try:
        return [key for line in path.read_text().splitlines() if (key := line.strip())]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as text") from error
