"""Endpoints that already run, started by someone else: vLLM, llama-server, a hosted API, or servers of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.doctor.diagnosis import Diagnosis, Outcome
from harness.doctor.examine import examine
from harness.errors import UserError
from harness.execution.abilities import Ability
from harness.models.null_run import NULL
from harness.names import unknown
from harness.served.base import Prepared
from harness.serving.address import Address, read_url
from harness.serving.dialects import Card, choose_card, find_dialect, read_cards
from harness.serving.endpoint import Endpoint
from harness.serving.transport import Transport

NO_TOKENIZER = "It has no tokenizer routes (/tokenize and /detokenize, as vLLM or llama-server have them)."


@dataclass(frozen=True, slots=True)
class Named:
    """What ``LABEL=URL#MODEL`` says."""

    label: str
    address: Address
    model: str | None
    """None for the only one that there is."""

    def __str__(self) -> str:
        return f"{self.label}={self.address}{f'#{self.model}' if self.model else ''}"


def read_named(word: str) -> Named:
    """An endpoint as the command line names it.

    Raises:
        UserError: it is not ``LABEL=URL`` or ``LABEL=URL#MODEL``.
    """
    label, separator, rest = word.strip().partition("=")
    if not separator or not label or not label.isprintable() or set(label) & set(" ,/:"):
        begin = re.split("[/:@]", label)[0][:20]  # what comes after may be a password, if it is a URL
        shown = f" (it begins with {begin!r})" if separator else ""
        raise UserError(
            f"--endpoint takes LABEL=URL, such as awq=http://127.0.0.1:8000/v1, with a label without spaces, commas, "
            f"slashes and colons{shown}."
        )
    return Named(label, read_url(rest), rest.partition("#")[2] or None)


@dataclass(frozen=True, slots=True)
class RunningEndpoint:
    """A model behind an endpoint that has been examined."""

    named: Named
    card: Card
    """Of the model that is meant."""
    diagnosis: Diagnosis
    ability: Ability
    key: str | None = field(repr=False)
    context: int | None
    """Of the model, where the endpoint does not say."""
    note: str | None = None

    @property
    def label(self) -> str:
        """As the command line has it."""
        return self.ability.label

    @property
    def vocabulary_size(self) -> int | None:
        """As its card says."""
        return self.card.meta.n_vocab if self.card.meta else None

    @property
    def bytes_to_load(self) -> int | None:
        """None: it is loaded."""
        return None

    @property
    def record(self) -> dict[str, Any]:
        """What the endpoint says of its model, and what was found out about it."""
        meta = self.card.meta
        size, parameters = (meta.size, meta.n_params) if meta else (None, None)
        return {
            "label": self.label,
            "file": None,
            "name": self.card.id,
            "architecture": None,
            "sha256": None,
            "bytes": size,
            "files": [],
            "hub": None,
            "parameters": parameters,
            "bits_per_weight": 8 * size / parameters if size and parameters else None,
            "tensor_types": {},
            "context_length": self.diagnosis.context or self.context,
            "vocabulary_size": self.vocabulary_size,
            "quantize": None,
            "serve": {},
            "note": self.note,
            "endpoint": {
                "url": str(self.named.address),
                "model": self.card.id,
                "diagnosis": self.diagnosis.record(),
            },
        }

    @contextmanager
    def open(self, *, slots: int, store: Path | None) -> Iterator[Endpoint]:  # noqa: ARG002
        """Its endpoint; what it has room for, and where it records, was said by whoever started it."""
        with Endpoint(
            self.named.address.url,
            self.card.id,
            label=self.label,
            key=self.key,
            has_logprobs=self.ability.no_logprobs is None,
            assumed_context=self.context,
        ) as endpoint:
            if self.ability.cannot_score is None:
                endpoint.learn_to_start_late()
            yield endpoint


@dataclass(frozen=True, slots=True)
class RunningEndpoints:
    """What ``--endpoint`` names."""

    named: tuple[Named, ...]
    key: str | None = field(default=None, repr=False)
    """Sent to all of them, and written nowhere."""
    context: int | None = None
    """Of those that do not say how long theirs is."""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared.

        Raises:
            UserError: there are fewer than two, or two cannot be told apart.
        """
        if len(self.named) < 2:
            raise UserError(
                "--endpoint is given once, and a run compares: name the reference and at least one other, each with "
                "an --endpoint of its own."
            )
        labels = [one.label for one in self.named]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise UserError(f"two endpoints are called '{twice}'; give each a label of its own.")

    def words(self) -> list[str]:
        """As :func:`harness.served.base.Source.words`; without the key."""
        named = [word for one in self.named for word in ("--endpoint", str(one))]
        return [*named, *(["--endpoint-context", str(self.context)] if self.context else [])]

    def plain(self) -> dict[str, Any]:
        """Labels and URLs."""
        return {"endpoints": [str(one) for one in self.named], "endpoint_context": self.context}

    def prepare(
        self,
        reference: str | None,
        *,
        null: int | None,
        folder: Path,  # noqa: ARG002
        say: Callable[[str], None],
    ) -> Prepared:
        """Examine every endpoint, the reference first."""
        first = self._reference(reference)
        if null is not None and NULL in (one.label for one in self.named):
            raise UserError(f"an endpoint is called '{NULL}', as --null calls its run; give it another label.")
        models: list[RunningEndpoint] = []
        for named in (first, *(one for one in self.named if one is not first)):
            models.append(self._examined(named, say))
            _refuse_the_same(models)
        notes = [note for model in models for note in _notes(model)]
        if null is None:
            return Prepared(models, notes)
        again = _null_run(models[0], null)
        return Prepared([*models, again], [*notes, *filter(None, [again.note])])

    def _reference(self, label: str | None) -> Named:
        found = {one.label: one for one in self.named}
        if label is not None and label not in found:
            raise UserError(f"--reference: {unknown('endpoint', label, found)}.")
        return found[label] if label is not None else self.named[0]

    def _examined(self, named: Named, say: Callable[[str], None]) -> RunningEndpoint:
        say(f"{named.label}: examining {named.address}")
        transport = Transport(named.address, named.label, key=self.key)
        try:
            cards = read_cards(transport.ask)
            card = choose_card(cards, named.model, f"The endpoint of {named.label}", f"name one as {named}#MODEL")
            no_tokenizer = None if find_dialect(transport.ask, card.id) else NO_TOKENIZER
        finally:
            transport.close()
        diagnosis = examine(named.address.url, card.id, self.key, lambda _check: None)
        for check in diagnosis.checks:
            if check.outcome is Outcome.FAULT:
                say(f"{named.label}: {check.name}: {check.finding}")
        ability = Ability(
            named.label,
            diagnosis.cannot_score,
            diagnosis.cannot_generate,
            diagnosis.no_logprobs,
            no_tokenizer,
            None if no_tokenizer else diagnosis.no_token_ids,
        )
        return RunningEndpoint(named, card, diagnosis, ability, self.key, self.context)


def _refuse_the_same(models: list[RunningEndpoint]) -> None:
    """See that the last of them is none of the others."""
    *others, last = models
    for other in others:
        if (other.named.address, other.card.id) == (last.named.address, last.card.id):
            raise UserError(
                f"{other.label} and {last.label} are the same model of the same endpoint; leave one of them out "
                "(--null asks the reference twice)."
            )


def _null_run(reference: RunningEndpoint, concurrency: int) -> RunningEndpoint:
    """The reference's second run: its server is as it is, so only what is under way at once can be another number."""
    note = f"{NULL}: {reference.label} once more, with {concurrency} requests at once, to show the noise floor."
    return replace(reference, ability=replace(reference.ability, label=NULL), note=note)


def _notes(found: RunningEndpoint) -> list[str]:
    faults = [check.name for check in found.diagnosis.checks if check.outcome is Outcome.FAULT]
    if not faults:
        return []
    return [f"{found.label}: harness doctor finds faults in its endpoint ({', '.join(faults)})."]
