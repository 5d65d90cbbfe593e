"""What all request bodies have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from server.protocol.errors import NotSupported


def without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {key: value for key, value in data.items() if value is not None}


class RequestBody(BaseModel):
    """A JSON object: ``null`` means absent, unknown fields are ignored, known ones that cannot be honoured refused."""

    model_config = ConfigDict(extra="allow", strict=True)

    unsupported: ClassVar[dict[str, tuple[object, ...]]] = {}
    """Known fields that are not honoured, each with the values that ask for nothing."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        return without_nulls(data) if isinstance(data, dict) else data

    def check(self) -> None:
        """Raise :class:`ApiError` for what the types of the fields cannot say."""
        for name, neutral in self.unsupported.items():
            value = (self.model_extra or {}).get(name)
            if value is not None and value not in neutral:
                raise NotSupported(f"'{name}' is not supported here; leave it out.", param=name)
