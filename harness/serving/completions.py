"""One request of completions: how it is written for an endpoint, and its answer read with suspicion."""

from __future__ import annotations

from dataclasses import dataclass

from harness.continuation import first_of_continuation
from harness.errors import RunError
from harness.serving.transport import Transport
from harness.serving.wire import Choice, CompletionBody
from harness.types import Completion, Prompt, Request


@dataclass(slots=True)
class Extensions:
    """Which fields beyond OpenAI's the endpoint is known to understand: none is sent before that is seen."""

    scores_from: bool = False
    """That a context need not be scored."""
    takes_ids: bool = False
    """That answers are wanted in token ids too, and may be predicted by such."""

    def fields(self, request: Request) -> dict[str, object]:
        """Those that the request has a use for."""
        return {**self._start(request), **self._predicted(request)}

    def _start(self, request: Request) -> dict[str, object]:
        """Where scoring begins."""
        if not (request.echo and self.scores_from):
            return {}
        # The prompts of a request share these fields, so the shortest context decides.
        first = min(len(prompt.context) for prompt in request.prompts)
        of_text = isinstance(request.prompts[0].context, str)
        return {"logprob_start_offset" if of_text else "logprob_start_len": first}

    def _predicted(self, request: Request) -> dict[str, object]:
        """What the model may generate."""
        if request.echo or not self.takes_ids:
            return {}
        prediction = {"type": "content", "content": list(request.prediction)}
        return {"return_token_ids": True, **({"prediction": prediction} if request.prediction else {})}


def complete(
    transport: Transport, model: str, request: Request, extensions: Extensions, *, wants_logprobs: bool
) -> list[Completion]:
    """One completion a prompt, greedy, in the order of the prompts.

    Raises:
        RunError: the endpoint failed, or its answer is not usable.
    """
    with transport.failures():
        response = transport.client.completions.with_raw_response.create(
            model=model,
            prompt=[prompt.whole for prompt in request.prompts],  # type: ignore[arg-type] # text and ids never mix
            max_tokens=request.max_tokens,
            temperature=0,
            logprobs=request.top_k if wants_logprobs else None,
            echo=request.echo,
            stop=list(request.stop) or None,
            extra_body=extensions.fields(request),
        )
        body = CompletionBody.model_validate_json(response.content)
    name = f"The endpoint of {transport.label}"
    choices = sorted(body.choices, key=lambda choice: choice.index)
    indices = [choice.index for choice in choices]
    if len(choices) != len(request.prompts):
        raise RunError(f"{name} returned {len(choices)} choices for {len(request.prompts)} prompts.")
    if indices != list(range(len(indices))):
        raise RunError(f"{name} numbered the choices of {len(indices)} prompts {', '.join(map(str, indices))}.")
    if not wants_logprobs:
        return [_bare(choice) for choice in choices]
    return [
        _scored(choice, prompt if request.echo else None, name)
        for choice, prompt in zip(choices, request.prompts, strict=True)
    ]


def _bare(choice: Choice) -> Completion:
    """The text alone: nothing is known of its tokens."""
    return Completion(
        text=choice.text,
        tokens=(),
        token_logprobs=(),
        text_offset=(),
        finish_reason=choice.finish_reason or "",
        has_logprobs=False,
    )


def _scored(choice: Choice, echoed: Prompt | None, name: str) -> Completion:
    """The choice, if its arrays are whole: a null dropped from the middle of a text would make its score better."""
    logprobs = choice.logprobs
    if logprobs is None or (choice.text and not logprobs.tokens):
        raise RunError(f"{name} returned no log-probabilities, although they were asked for.")
    completion = Completion(
        text=choice.text,
        tokens=tuple(logprobs.tokens or ()),
        token_logprobs=tuple(logprobs.token_logprobs or ()),
        text_offset=tuple(logprobs.text_offset or ()),
        finish_reason=choice.finish_reason or "",
        top_logprobs=tuple(max(top.values()) if top else None for top in logprobs.top_logprobs or ()),
        generated=tuple(choice.generated_token_ids or ()),
    )
    lengths = {len(completion.tokens), len(completion.token_logprobs)}
    if echoed:  # where the continuation begins may be known by offsets alone; what is generated is taken whole
        lengths.add(len(completion.text_offset))
    if len(lengths) > 1:
        raise RunError(f"{name} returned arrays of different lengths for one completion.")
    if echoed and not _is_of(completion, echoed):
        raise RunError(f"{name} echoed something else than the prompt.")
    needed = max(1, first_of_continuation(completion, echoed)) if echoed else 0
    if None in completion.token_logprobs[needed:]:
        raise RunError(f"{name} returned no log-probability for some of the tokens.")
    return completion


def _is_of(completion: Completion, prompt: Prompt) -> bool:
    """Whether the completion begins with a prompt in words, or has as many tokens as one in ids."""
    whole = prompt.whole
    return completion.text.startswith(whole) if isinstance(whole, str) else len(completion.tokens) == len(whole)
