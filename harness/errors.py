"""The errors that the harness raises on purpose, and the exit code that each stands for.

::

    HarnessError        anything below; the command line shows its sentence and no traceback
    ├── UserError       the input is wrong: a config, a path, an option (exit code 2)
    │   └── MissingTable  the data of one scenario cannot be had; a run goes on with the others
    └── RunError        the input was right and something failed while running (exit code 1)
        ├── DoesNotFit  one instance is too long for the context, whatever is left out of its prompt
        └── NotOffered  the endpoint lacks an extension of OpenAI's API; a run goes on without it
"""

from __future__ import annotations


class HarnessError(Exception):
    """An error whose message is one sentence for the user: what is wrong, where, and what would be right."""

    exit_code: int = 1
    """What the command line ends with when nothing catches the error."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence; whatever it quotes from files and other programs, it stays on one line, and harmless."""
        line = " ".join(sentence.split())
        # Escape codes in a quoted name would otherwise reach the terminal.
        super().__init__("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line))


class UserError(HarnessError):
    """Bad input: trying again without changing it is pointless."""

    exit_code = 2


class MissingTable(UserError):
    """The data of a scenario is not here and cannot be had, or cannot be read: a run leaves out the scenario."""

    def __init__(self, what: str, remedy: str) -> None:
        """Take what is wrong and what to do; ``{scenario}`` in the latter stands for the scenario's name."""
        super().__init__(f"{what}; {remedy}.")
        self.what, self.remedy = what, remedy

    def of(self, scenario: str) -> MissingTable:
        """The same, once it is known which scenario wanted the data."""
        return MissingTable(f"{scenario}: {self.what}", self.remedy.replace("{scenario}", scenario))


class RunError(HarnessError):
    """Something failed at run time, though the input was right."""

    exit_code = 1


class DoesNotFit(RunError):
    """An instance is too long for the context, whatever is left out of its prompt: it is left out, and counted."""


class NotOffered(RunError):
    """The endpoint has no such extension of OpenAI's API: what needs it is left out, and told."""
