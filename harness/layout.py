"""How questions look on paper: HELM's prefixes and suffixes, one place for the adapters and for the training corpus."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

LETTERS = string.ascii_uppercase


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The text around inputs and outputs, with the names and the meaning of HELM's ``AdapterSpec``.

    ::

        {instructions}
        {instance_prefix}{input_prefix}INPUT{input_suffix}{output_prefix}OUTPUT{output_suffix}
        {instance_prefix}{input_prefix}INPUT{input_suffix}{output_prefix without its trailing space}
    """

    instructions: str = ""
    """Stands once, before everything else. HELM's helpers let it end with a line break; so must it here."""
    input_prefix: str = "Question: "
    input_suffix: str = "\n"
    reference_prefix: str = "A. "
    """Before each choice that is listed; its first letter or digit counts up."""
    reference_suffix: str = "\n"
    output_prefix: str = "Answer: "
    output_suffix: str = "\n"
    instance_prefix: str = "\n"
    """Between the blocks: instructions, solved examples, and what is asked."""
    chain_of_thought_prefix: str = ""
    chain_of_thought_suffix: str = "\n"
    global_prefix: str = ""
    global_suffix: str = ""

    def label(self, index: int) -> str:
        """``A``, ``B``, ... or ``1``, ``2``, ...: what the choice with this index is called."""
        first = next(letter for letter in self.reference_prefix if letter.isalnum())
        return chr(ord(first) + index)

    def listed(self, text: str, choices: Sequence[str]) -> str:
        """An input with its choices under it, up to where the output's prefix begins."""
        lines = (f"{self.choice_prefix(index)}{choice}{self.reference_suffix}" for index, choice in enumerate(choices))
        return f"{self.input(text)}{''.join(lines)}"

    def choice_prefix(self, index: int) -> str:
        """``A. ``, ``B. ``, ...: what stands before the choice with this index where choices are listed."""
        return self.reference_prefix.replace(self.label(0), self.label(index))

    def input(self, text: str) -> str:
        """An input up to where the output's prefix begins."""
        return f"{self.input_prefix}{text}{self.input_suffix}"

    def asked(self, block: str) -> str:
        """An input whose output is to follow: no space at its end, which tokenizers would split off."""
        return f"{block}{self.output_prefix.rstrip()}"

    def solved(self, block: str, output: str) -> str:
        """An input with its output: an example."""
        return f"{block}{self.output_prefix}{output}{self.output_suffix}"

    def reasoned(self, explanation: str, output: str) -> str:
        """An output after the steps that lead to it."""
        return f"{self.chain_of_thought_prefix}{explanation}{self.chain_of_thought_suffix}{output}"

    def prompt(self, examples: Sequence[str], asked: str) -> str:
        """The whole prompt, from blocks made by :meth:`solved` and :meth:`asked`."""
        blocks = [*([self.instructions] if self.instructions else []), *examples, asked]
        return f"{self.global_prefix}{self.instance_prefix.join(blocks)}{self.global_suffix}"


QUESTION = Layout()
"""``Question: ...`` and ``Answer: ...``, an empty line between."""

RANKING = Layout(
    reference_prefix="Passage: ",
    input_prefix="Query: ",
    output_prefix="Does the passage answer the query?\nAnswer: ",
)
"""A passage, a query, and HELM's question whether the one answers the other."""
