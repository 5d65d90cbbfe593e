"""A request's prompts into tokens: four JSON forms, one kind of object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from server.engine.llama import Model
from server.engine.prompt import Prompt
from server.protocol.completions import CompletionRequest
from server.protocol.errors import ContextTooLong, InvalidRequest

MAX_TEXT_BYTES = 4 << 20
WORTH_TRUNCATING = 64
"""Contexts that a text may fill, at least, before it is truncated on request."""


def read_prompts(request: CompletionRequest, model: Model, context_size: int) -> list[Prompt]:
    """The prompts in order, each within the context.

    Raises:
        InvalidRequest: a prompt is empty, a token id is none of the model's, or a prompt is too long.
    """
    values = _values(request.prompt)
    for value in values:
        if isinstance(value, str):
            check_size(value, model, context_size * (1 if request.truncate_prompt_tokens is None else WORTH_TRUNCATING))
    prompts = [_read(value, request, model) for value in values]
    if request.truncate_prompt_tokens is not None:
        room = context_size - (request.limit > 0)
        keep = request.truncate_prompt_tokens if request.truncate_prompt_tokens >= 0 else room
        prompts = [prompt.last(keep) for prompt in prompts]
    for prompt in prompts:
        check_length(prompt, context_size, generates=request.limit > 0)
    return prompts


def check_length(prompt: Prompt, context_size: int, *, generates: bool) -> None:
    """Raise for a prompt that does not fit the context, with a token to generate if one is wanted.

    Clamping ``max_tokens`` to 0 instead would silently drop the entry that scoring clients cut off the end.
    """
    if len(prompt.tokens) > context_size - generates:
        raise ContextTooLong(len(prompt.tokens), context_size)


def check_ids(ids: Iterable[int], model: Model, param: str) -> None:
    """Raise for a token id that is none of the model's."""
    wrong = next((token for token in ids if token >= model.n_vocab), None)
    if wrong is not None:
        raise InvalidRequest(
            f"'{param}' has token id {wrong}, but this model's ids end at {model.n_vocab - 1}.", param=param
        )


def check_bytes(text: str, param: str) -> None:
    """Raise for a text that would take long to tokenize, where there is no context that it has to fit."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise InvalidRequest(f"'{param}' has a text of more than {MAX_TEXT_BYTES >> 20} MiB.", param=param)


def check_size(text: str, model: Model, context_size: int) -> None:
    """Raise for a text that cannot fit the context, without tokenizing it: 31 MiB of one letter took 43 seconds."""
    least = -(-len(text.encode()) // model.longest_piece)
    if least > context_size:
        raise ContextTooLong(least, context_size, at_least=True)


def _values(prompt: str | list[int] | list[str] | list[list[int]] | None) -> list[str | list[int]]:
    """One entry a prompt."""
    if prompt is None:
        return [""]
    if isinstance(prompt, str) or isinstance(prompt[0], int):
        return [prompt]
    return list(prompt)


def _read(value: str | list[int], request: CompletionRequest, model: Model) -> Prompt:
    if request.suffix:
        return _read_infill(value, request.suffix, model, add_bos=request.add_special_tokens)
    if isinstance(value, str):
        return read_text(value, model, add_bos=request.add_special_tokens)
    return read_ids(value, model)


def _read_infill(value: str | list[int], suffix: str, model: Model, *, add_bos: bool) -> Prompt:
    """What comes before and after, between the tokens by which the model was taught to fill in."""
    if model.infill_tokens is None:
        raise InvalidRequest(
            "'suffix' is for models that were taught to fill in, and this one was not.", param="suffix"
        )
    check_bytes(suffix, "suffix")
    before, after, middle = model.infill_tokens
    text = model.tokenize(value) if isinstance(value, str) else read_ids(value, model).tokens
    bos = missing_bos(text, model) if add_bos and isinstance(value, str) else []
    return Prompt((*bos, before, *text, after, *model.tokenize(suffix), middle), hidden=len(bos))


def read_ids(ids: list[int], model: Model) -> Prompt:
    """Token ids are taken as they are: nothing is added, nothing is dropped."""
    check_ids(ids, model, "prompt")
    return Prompt(tuple(ids), hidden=0)


def read_text(text: str, model: Model, *, add_bos: bool = True) -> Prompt:
    """Special tokens in the text are parsed; BOS goes before it where the model's metadata says so, never twice."""
    tokens = model.tokenize(text)
    bos = missing_bos(tokens, model) if add_bos else []
    tokens, hidden = bos + tokens, len(bos)
    if not tokens:
        start = model.bos if model.bos is not None else model.eos
        if start is None:
            raise InvalidRequest(
                "'prompt' is empty and this model has no token that begins a document.", param="prompt"
            )
        tokens, hidden = [start], 1
    return Prompt(tuple(tokens), hidden, _added_spaces(tokens[hidden:], text, model))


def missing_bos(tokens: Sequence[int], model: Model) -> list[int]:
    """BOS, where the model's metadata asks for it and the tokens do not begin with it."""
    if not model.adds_bos or (tokens and tokens[0] == model.bos):
        return []
    assert model.bos is not None
    return [model.bos]


def _added_spaces(tokens: list[int], text: str, model: Model) -> frozenset[int]:
    """Which tokens begin with a space that is not in the text: the first, and those after a special token."""
    if not model.adds_spaces:
        return frozenset()
    data, at, found = text.encode(), 0, set()
    for i, piece in enumerate(map(model.piece, tokens)):
        shown = piece
        if not data.startswith(piece, at):
            shown = piece.removeprefix(b" ")
            found.add(i)
        if not data.startswith(shown, at):  # the vocabulary cannot give this text back: it has <unk>, say
            return frozenset(found - {i})
        at += len(shown)
    return frozenset(found)
