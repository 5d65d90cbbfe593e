"""What a quantization config says: ``quant_configs/NAME.yaml`` as typed, frozen objects.

A config has a ``description``, a ``quantize`` section (how to make the weights; without one the base model's weights
are left alone) and a ``serve`` section (how the engine is to hold them and their cache)::

    load_config("q4_k_m")           # one of those that come with the harness
    load_config("my/config.yaml")   # one of your own

Whatever is wrong with a file is told in one sentence of a :class:`~harness.errors.UserError`.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from harness.errors import RunError, UserError
from harness.models.ggml_types import FILE_TYPES, FLOAT_TYPES, NEEDS_IMATRIX, TENSOR_TYPES
from harness.names import unknown
from harness.yaml_file import Section, first_fault, read_yaml


def _one_of(what: str, known: Collection[str], case: Callable[[str], str]) -> BeforeValidator:
    """A validator for names out of a fixed set, in capitals or not."""

    def check(value: object) -> str:
        # YAML 1.1 reads a bare on and off as booleans.
        text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
        if case(text) not in known:
            raise ValueError(unknown(what, text, known))
        return case(text)

    return BeforeValidator(check)


FlashAttention = Literal["auto", "on", "off"]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
_FlashAttention = Annotated[FlashAttention, _one_of("flash attention setting", get_args(FlashAttention), str.lower)]
_CacheType = Annotated[CacheType, _one_of("type of KV cache", get_args(CacheType), str.lower)]
_FileType = Annotated[str, _one_of("file type of llama.cpp", FILE_TYPES, str.upper)]
_TensorType = Annotated[str, _one_of("ggml type that can be written", TENSOR_TYPES, str.upper)]


class QuantizeConfig(Section):
    """How to make the weights."""

    type: _FileType
    """llama.cpp's file type, such as ``Q4_K_M``."""
    tensor_overrides: dict[str, _TensorType] = Field(default_factory=dict)
    """Types of single tensors, by regular expression on their names; the first that matches holds."""
    imatrix: Path | None = None
    """Importance matrix, a GGUF file; the YAML gives it relative to itself."""
    output_tensor_type: _TensorType | None = None
    """Type of the output matrix; where that is tied to the token embedding, of both."""
    token_embedding_type: _TensorType | None = None
    """Type of the token embedding."""
    pure: bool = False
    """Every matrix in the one type, without llama.cpp's mixture."""

    @field_validator("tensor_overrides")
    @classmethod
    def _patterns_compile(cls, overrides: dict[str, str]) -> dict[str, str]:
        for pattern in overrides:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return overrides

    @field_validator("imatrix")
    @classmethod
    def _imatrix_is_there(cls, imatrix: Path | None, info: ValidationInfo) -> Path | None:
        if imatrix is None:
            return None
        path = Path((info.context or {}).get("folder", "."), imatrix).absolute()
        if not path.is_file():
            raise ValueError(f"there is no file {path}; the path is taken relative to the YAML file")
        return path

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        wanted = (self.type, self.output_tensor_type, self.token_embedding_type, *self.tensor_overrides.values())
        needy = [name for name in wanted if name in NEEDS_IMATRIX]
        if needy and self.imatrix is None:
            raise ValueError(f"{needy[0]} needs an importance matrix; add the key imatrix, naming a GGUF file of one")
        # Seen in llama.cpp: it looks at the overrides only when the file type is a quantized one.
        if self.tensor_overrides and self.type in FLOAT_TYPES:
            raise ValueError(f"tensor_overrides have no effect with {self.type}; choose a quantized type, or drop them")
        return self


class ServeConfig(Section):
    """How the engine is to hold the weights and their cache."""

    cache_type_k: _CacheType = "f16"
    """Type of the keys in the KV cache."""
    cache_type_v: _CacheType = "f16"
    """Type of the values in the KV cache."""
    flash_attention: _FlashAttention = "auto"
    gpu_layers: int = Field(default=-1, ge=-1, strict=True)
    """Layers to put on the GPU, if there is one: -1 for all."""
    batch_size: int = Field(default=512, ge=1, strict=True)
    """Most tokens that are decoded together."""

    @model_validator(mode="after")
    def _v_cache_can_be_read(self) -> Self:
        # Not "auto" either: whether that succeeds depends on the machine, and a config is to mean one thing.
        if self.cache_type_v.upper() not in FLOAT_TYPES and self.flash_attention != "on":
            raise ValueError(
                f"cache_type_v {self.cache_type_v} is quantized, which needs flash_attention: on, "
                f"and flash_attention is {self.flash_attention}"
            )
        return self


class QuantConfig(Section):
    """One quantization: what it is called, how it is made and how it is served."""

    name: str
    """File name without ``.yaml``; what tables and reports call the quantization."""
    description: str = Field(min_length=1)
    """One line for people."""
    quantize: QuantizeConfig | None = None
    """``None`` leaves the weights of the base model alone."""
    serve: ServeConfig = ServeConfig()


def config_dir() -> Path:
    """Where the configs that come with the harness are: inside an installed package, or beside it in a checkout."""
    package = Path(str(importlib.resources.files("harness")))
    # The packaged ones first: beside an installed package lie other people's folders.
    for folder in (package / "_quant_configs", package.parent / "quant_configs"):
        if folder.is_dir():
            return folder
    raise RunError(f"the quantization configs are missing from {package}; install the harness again.")


def config_names() -> list[str]:
    """Names of the configs that come with the harness, sorted."""
    return sorted(path.stem for path in config_dir().glob("*.yaml"))


def load_config(name_or_path: str | Path) -> QuantConfig:
    """The config of that name, or in that YAML file; a :class:`~harness.errors.UserError` says what is wrong."""
    path = _find(name_or_path)
    data = read_yaml(path, "config", "description, quantize, serve", "give a YAML file or a config's name")
    if "name" in data:
        raise UserError(f"{path}: key 'name' is not for the file to say; the file's own name is the config's name.")
    try:
        return QuantConfig.model_validate({**data, "name": path.stem}, context={"folder": path.parent})
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error, QuantConfig, _SECTIONS, _MISSING)}.") from error


def _find(name_or_path: str | Path) -> Path:
    """The file that is meant: a path when it looks like one, otherwise a shipped config."""
    text = str(name_or_path)
    path = Path(text).expanduser()
    if isinstance(name_or_path, Path) or path.suffix in (".yaml", ".yml") or path.name != text:
        return path
    if text.lower() not in config_names():
        raise UserError(f"{unknown('quantization config', text, config_names())}, and no path of a GGUF or YAML file.")
    return config_dir() / f"{text.lower()}.yaml"


_MISSING = {
    "description": "add one line that says what the config is",
    "quantize.type": "give a file type of llama.cpp such as Q4_K_M, or leave out the whole section",
}
_SECTIONS: dict[str, type[BaseModel]] = {"quantize": QuantizeConfig, "serve": ServeConfig}
