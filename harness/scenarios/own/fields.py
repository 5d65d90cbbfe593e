"""Fields: what a YAML file takes from each row, by the name of a column or by a Jinja template."""

from __future__ import annotations

from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.data.table import Row
from harness.names import did_you_mean


class FieldFault(ValueError):
    """What is wrong with a field, without its full stop; whoever knows file and row completes the sentence."""


def _finalize(value: object) -> object:
    if value is None:
        raise FieldFault("a column that the template shows is empty here (null); write {{ column or '' }} to allow it")
    return value


# Sandboxed, since YAML files are passed around; a name that no row has is an error and not an empty text.
_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=_finalize)


class Field:
    """One field."""

    def __init__(self, text: str) -> None:
        """Take what the YAML file says.

        Raises:
            FieldFault: it is a template with a fault in its syntax.
        """
        self._text = text
        self.is_template = "{{" in text or "{%" in text
        try:
            self._template = _JINJA.from_string(text) if self.is_template else None
        except TemplateSyntaxError as error:
            raise FieldFault(f"the template has a fault in line {error.lineno}: {_said(error)}") from error

    def value(self, row: Row) -> Any:
        """What the row has there: of any type for a column, a text for a template.

        Raises:
            FieldFault: there is no such column, or it is empty (null), or the template cannot be filled in.
        """
        if self._template is not None:
            return self._filled(row)
        if self._text not in row:
            raise FieldFault(_no_column(self._text, row))
        if row[self._text] is None:
            raise FieldFault(f"column {self._text!r} is empty (null)")
        return row[self._text]

    def text(self, row: Row) -> str:
        """The value as a text; numbers are written out.

        Raises:
            FieldFault: as :meth:`value`; or it is a list or a mapping.
        """
        return as_text(self.value(row))

    def _filled(self, row: Row) -> str:
        assert self._template is not None
        try:
            # Columns whose names are no words of Jinja are reached as row['the name'].
            return self._template.render({"row": row, **row})
        except FieldFault:
            raise
        except UndefinedError as error:
            name = str(error.message).split("'")[1] if "'" in str(error.message) else ""
            said = _no_column(name, row) if f"'{name}' is undefined" == error.message else str(error.message)
            raise FieldFault(said) from error
        except Exception as error:  # a template may do anything that Python may
            raise FieldFault(f"the template cannot be filled in: {_said(error)}") from error


def as_text(value: Any) -> str:
    """A value as a text; numbers are written out.

    Raises:
        FieldFault: it is neither, or holds half a character, which JSON can say and no tokenizer can read.
    """
    if isinstance(value, (str, int, float)):
        text = str(value)
        half = next((letter for letter in text if "\ud800" <= letter <= "\udfff"), None)
        if half:
            raise FieldFault(f"it holds half of a character ({half!r}); write the whole character")
        return text
    raise FieldFault(f"it holds {type(value).__name__} {str(value)[:40]!r} where a text is needed; write a template")


def _said(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _no_column(name: str, row: Row) -> str:
    there_are = f"there are {', '.join(map(repr, row))}"
    return f"there is no column {name!r}; {did_you_mean(name, row, there_are).rstrip('.?')}"
