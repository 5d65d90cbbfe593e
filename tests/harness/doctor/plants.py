"""Faults to plant: what is tampered with, what the doctor should find then, and who should suffer."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from misbehaving import Ask, Body, Tampering, as_it_is

from harness.doctor.subjects import Subject

HELM_TEXT, HELM_SCORES = "HELM, generation and joint choice", "HELM, separate choices and language modeling"
LM_SCORES, LM_TEXT = "lm-eval local-completions, loglikelihood", "lm-eval local-completions, generate_until"
GGUF, INSPECT, INSPECT_CHAT = "lm-eval gguf", "Inspect, prompt_logprobs", "Inspect, chat"
LANGCHAIN = "LangChain and openai, completions"
SCORERS = {HELM_SCORES, LM_SCORES, GGUF}
SENDERS_OF_TEXT = {HELM_TEXT, HELM_SCORES, LM_TEXT, GGUF, INSPECT}
EVERYBODY = {*SENDERS_OF_TEXT, LM_SCORES, LANGCHAIN}


@dataclass(frozen=True)
class Plant:
    """One fault."""

    finds: set[Subject]
    tampering: Tampering
    wrong: set[str]
    """Clients of others that get wrong numbers, without a word."""
    fails: frozenset[str] = frozenset()
    """Clients of others that end with an error."""
    no_scores: bool = False
    """Whether our own harness is to be told that prompts cannot be scored."""
    no_text: bool = False
    """The same of greedy answers."""
    no_logprobs: bool = False
    """The same of their log-probabilities."""


def _logprobs(change: Callable[[Body], None], when: Callable[[Body], object]) -> Tampering:
    """Change the arrays of every choice, where the request is such."""

    def answer(body: Body, request: Body) -> Body:
        for choice in body["choices"]:
            if choice.get("logprobs") and when(request):
                change(choice["logprobs"])
        return body

    return Tampering(answer=answer)


def _echoed(request: Body) -> object:
    return request.get("echo")


def _generated(request: Body) -> object:
    return not request.get("echo")


def _of_ids(request: Body) -> object:
    return request.get("echo") and isinstance(request["prompt"][0], int)


def _of_text(request: Body) -> object:
    return request.get("echo") and not _of_ids(request)


def _always(_: Any) -> bool:
    return True


def _late(arrays: Body, *names: str) -> None:
    for name in names:
        values = arrays[name]
        arrays[name] = [*values[:2], *values[1:-1]]


def _early(arrays: Body) -> None:
    for name in ("token_logprobs", "top_logprobs"):
        arrays[name] = [arrays[name][0], *arrays[name][2:], arrays[name][-1]]


def _set(arrays: Body, name: str, change: Callable[[Any], Any]) -> None:
    arrays[name] = [None if value is None else change(value) for value in arrays[name]]


def _insert(arrays: Body) -> None:
    for name, value in (("tokens", "<s>"), ("token_logprobs", None), ("top_logprobs", None), ("text_offset", 0)):
        arrays[name].insert(0, value)


def _drop(arrays: Body, where: Callable[[int], object]) -> None:
    kept = [i for i, token in enumerate(arrays["tokens"]) if not (token == "</s>" and where(i))]
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        arrays[name] = [arrays[name][i] for i in kept]


def _null_in_the_middle(arrays: Body) -> None:
    arrays["token_logprobs"][len(arrays["token_logprobs"]) // 2] = None


def _cut(arrays: Body) -> None:
    arrays["token_logprobs"] = arrays["token_logprobs"][:-1]


def _as_chat(arrays: Body) -> None:
    content = [{"token": token} for token in arrays["tokens"]]
    arrays.clear()
    arrays["content"] = content


def _in_bytes(arrays: Body) -> None:
    begin, offsets = 0, []
    for token in arrays["tokens"]:
        offsets.append(begin)
        begin += token.count("\\x") or len(token.encode())
    arrays["text_offset"] = offsets


def _without_the_chosen(arrays: Body) -> None:
    for token, top in zip(arrays["tokens"], arrays["top_logprobs"], strict=True):
        if top and len(top) > 1:
            top.pop(token)


def _partial_lost(arrays: Body) -> None:
    arrays["tokens"] = ["" if token.startswith("bytes:") else token for token in arrays["tokens"]]


def _without(name: str) -> Tampering:
    return Tampering(request=lambda body, _: {key: value for key, value in body.items() if key != name})


def _choices(change: Callable[[list[Body]], list[Body]]) -> Tampering:
    return Tampering(answer=lambda body, _: {**body, "choices": change(body["choices"])})


def _indices_backwards(choices: list[Body]) -> list[Body]:
    return [{**choice, "index": len(choices) - 1 - at} for at, choice in enumerate(choices)]


def _more_begin(n: int) -> Tampering:
    """Text prompts get so many tokens 0 before them, BOS as the clients wrote it or not; no trace is left of these."""

    def tokens(text: str, ask: Ask) -> list[int]:
        own: list[int] = ask("/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]
        return own if text.startswith("<s>") else [*[0] * n, *own]

    def request(body: Body, ask: Ask) -> Body:
        prompt = body["prompt"]
        texts = [prompt] if isinstance(prompt, str) else prompt
        if not isinstance(texts[0], str) or texts[0].startswith("<s>"):
            return body
        return {**body, "prompt": [tokens(text, ask) for text in texts], "its own": False}

    def answer(body: Body, request: Body) -> Body:
        for choice in body["choices"] if "its own" in request else ():
            if request.get("echo"):
                choice["text"] = choice["text"].removeprefix("<s>" * n)
                if arrays := choice["logprobs"]:
                    for name in ("tokens", "token_logprobs", "top_logprobs"):
                        arrays[name] = arrays[name][n:]
                    arrays["text_offset"] = [at - 3 * n for at in arrays["text_offset"][n:]]
                    arrays["token_logprobs"][0] = arrays["top_logprobs"][0] = None
            if choice.get("prompt_logprobs"):
                choice["prompt_logprobs"] = [None, *choice["prompt_logprobs"][n + 1 :]]
            body["usage"]["prompt_tokens"] -= n
        return body

    return Tampering(request=request, answer=answer)


def _spelled_twice(body: Body, ask: Ask) -> Body:
    prompt = body["prompt"]
    return {**body, "prompt": f"<s>{prompt}"} if isinstance(prompt, str) and prompt.startswith("<s>") else body


def _strip_one(body: Body, request: Body) -> Body:
    if isinstance(request["prompt"], str) and request["prompt"].startswith("<s><s>"):
        choice = body["choices"][0]
        choice["text"] = choice["text"][3:]
        for name in ("tokens", "token_logprobs", "top_logprobs"):
            choice["logprobs"][name] = choice["logprobs"][name][1:]
        choice["logprobs"]["text_offset"] = [at - 3 for at in choice["logprobs"]["text_offset"][1:]]
    return body


def _one_more_generated(body: Body, ask: Ask) -> Body:
    return {**body, "max_tokens": 1} if body.get("max_tokens") == 0 else body


def _always_long(body: Body, ask: Ask) -> Body:
    return {**body, "max_tokens": 16} if body.get("max_tokens") in range(2, 16) else body


def _warm(body: Body, ask: Ask) -> Body:
    return {**body, "temperature": 1} if body.get("temperature") == 0 and not body.get("echo") else body


def _truncated(body: Body, ask: Ask) -> Body:
    return {**body, "truncate_prompt_tokens": -1} if len(body["prompt"]) > 1000 else body


def _bos_before_ids(body: Body, ask: Ask) -> Body:
    prompt = body["prompt"]
    return {**body, "prompt": [0, *prompt]} if isinstance(prompt[0], int) else body


def _noisy(arrays: Body) -> None:
    _set(arrays, "token_logprobs", lambda value: value - 2 * random.random())


def _remembering() -> Tampering:
    """A prompt that goes on from another that was scored before gets other log-probabilities for what they share."""
    seen: set[str] = set()

    def answer(body: Body, request: Body) -> Body:
        prompt = request["prompt"]
        if isinstance(prompt, str) and request.get("echo") and request.get("logprobs"):
            arrays = body["choices"][0]["logprobs"]
            if any(prompt.startswith(other) and prompt != other for other in seen):
                _set(arrays, "token_logprobs", lambda value: value - 1)
            seen.add(prompt)
        return body

    return Tampering(answer=answer)


def _likeliest_first(body: Body, request: Body) -> Body:
    for choice in body["choices"]:
        if found := choice.get("prompt_logprobs"):
            order = lambda entry: dict(sorted(entry.items(), key=lambda item: item[1]["rank"]))  # noqa: E731
            choice["prompt_logprobs"] = [entry and order(entry) for entry in found]
    return body


def _prompt_logprobs_late(body: Body, request: Body) -> Body:
    for choice in body["choices"]:
        if found := choice.get("prompt_logprobs"):
            values = [next(iter(entry.values()))["logprob"] if entry else None for entry in found]
            for entry, value in zip(found[2:], values[1:], strict=False):
                next(iter(entry.values()))["logprob"] = value
    return body


def _unlike_alone(body: Body, request: Body) -> Body:
    if request.get("max_tokens", 0) > 1 and not request.get("echo"):
        for choice in body["choices"]:
            if arrays := choice["logprobs"]:
                _set(arrays, "token_logprobs", lambda value: value - 1)
                _set(arrays, "top_logprobs", lambda top: {token: value - 1 for token, value in top.items()})
    return body


def _without_spaces(body: Body) -> Body:
    return {key: value.replace(" ", "") if isinstance(value, str) else value for key, value in body.items()}


def _miscounted(body: Body, request: Body) -> Body:
    body["usage"]["prompt_tokens"] += 5
    return body


def _both(*changes: Callable[[Body, Body], Body]) -> Tampering:
    """Several faults of answers at once."""

    def answer(body: Body, request: Body) -> Body:
        for change in changes:
            body = change(body, request)
        return body

    return Tampering(answer=answer)


def _late_answer(body: Body, request: Body) -> Body:
    return _logprobs(lambda a: _late(a, *_BOTH), _echoed).answer(body, request)


def _nothing_after(body: Body, request: Body) -> Body:
    """An echo with max_tokens 1 has no entry after the prompt's."""
    if request.get("echo") and request.get("max_tokens") == 1:
        for choice in body["choices"]:
            if arrays := choice["logprobs"]:
                for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
                    arrays[name].pop()
    return body


def _no_alternatives(body: Body, request: Body) -> Body:
    for choice in body["choices"]:
        if arrays := choice["logprobs"]:
            arrays["top_logprobs"] = None
    return body


def _row_after_the_cache() -> Tampering:
    """The first token that was not taken from the cache has another log-probability."""
    seen: set[str] = set()

    def answer(body: Body, request: Body) -> Body:
        prompt = request["prompt"]
        if isinstance(prompt, str) and request.get("echo") and request.get("logprobs"):
            shared = max((_in_common(prompt, other) for other in seen if other != prompt), default=0)
            arrays = body["choices"][0]["logprobs"]
            at = next((i for i, offset in enumerate(arrays["text_offset"]) if offset >= shared > PRELUDE), None)
            if prompt in seen and at is not None:
                arrays["token_logprobs"][at] -= 3
            seen.add(prompt)
        return body

    return Tampering(answer=answer)


def _in_common(one: str, other: str) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


PRELUDE = 16
"""Characters that prompts may share by chance."""


def _without_names(arrays: Body) -> None:
    arrays["tokens"] = [name if name.isascii() and "bytes:" not in name else "\ufffd" for name in arrays["tokens"]]


def _unnamed_in_bytes(arrays: Body) -> None:
    _in_bytes(arrays)
    _without_names(arrays)


def _usage_with(more: int, echo: bool) -> Tampering:
    """BOS is counted so many times; perhaps there is no echo, so that nothing else tells."""

    def answer(body: Body, request: Body) -> Body:
        if isinstance(request["prompt"], str):
            body["usage"]["prompt_tokens"] += more
        return body

    return Tampering(answer=answer, request=as_it_is if echo else _without("echo").request)


def _answers_rotated(body: Body, request: Body) -> Body:
    """Two prompts have the same answer, and the others one another's: no permutation."""
    choices = body["choices"]
    if len(choices) > 2 and isinstance(request["prompt"], list):
        for choice, text in zip(choices, [choices[1]["text"], *(one["text"] for one in choices[:-1])], strict=True):
            choice["text"] = text
    return body


def _after_bos(echoed_text: bool) -> Tampering:
    def answer(body: Body, request: Body) -> Body:
        for choice in body["choices"]:
            if _of_text(request) and choice["logprobs"]:
                _insert(choice["logprobs"])
                choice["text"] = "<s>" * echoed_text + choice["text"]
        return body

    return Tampering(answer=answer)


_BOTH = ("token_logprobs", "top_logprobs")
_S = Subject
PLANTS: dict[str, Plant] = {
    "one token late": Plant({_S.ALIGNMENT}, _logprobs(lambda a: _late(a, *_BOTH), _echoed), SCORERS, no_scores=True),
    "one token early": Plant({_S.ALIGNMENT}, _logprobs(_early, _echoed), SCORERS, no_scores=True),
    "one token late, no alternatives": Plant(
        {_S.ALIGNMENT}, _both(_late_answer, _no_alternatives), SCORERS, no_scores=True
    ),
    "values late, alternatives right": Plant(
        {_S.ALIGNMENT}, _logprobs(lambda a: _late(a, "token_logprobs"), _echoed), SCORERS, no_scores=True
    ),
    "alternatives late, values right": Plant(
        {_S.TOPS}, _logprobs(lambda a: _late(a, "top_logprobs"), _echoed), {LM_SCORES, GGUF}
    ),
    "alternatives without the chosen": Plant({_S.TOPS}, _logprobs(_without_the_chosen, _echoed), {LM_SCORES, GGUF}),
    "generated one token late": Plant(
        {_S.GENERATED_ALIGNMENT}, _logprobs(lambda a: _late(a, *_BOTH), _generated), {HELM_TEXT}, no_logprobs=True
    ),
    "generated values of another step": Plant(
        {_S.GENERATED_ALIGNMENT}, Tampering(answer=_unlike_alone), {HELM_TEXT}, no_logprobs=True
    ),
    "generated zeros": Plant(
        {_S.GENERATED_VALUES},
        _logprobs(lambda a: _set(a, "token_logprobs", lambda _: 0.0), _generated),
        {HELM_TEXT},
        no_logprobs=True,
    ),
    "EOS dropped from prompts": Plant(
        {_S.EOS_INSIDE}, _logprobs(lambda a: _drop(a, bool), _of_ids), {LM_SCORES}, no_scores=True
    ),
    "EOS dropped at the end": Plant(
        {_S.EOS_AT_END}, _logprobs(lambda a: _drop(a, _always), lambda r: "logit_bias" in r), {LM_SCORES, GGUF}
    ),
    "BOS echoed": Plant({_S.BOS_ECHOED}, _after_bos(True), {HELM_SCORES, GGUF}, no_scores=True),
    "BOS among the tokens": Plant({_S.BOS_ECHOED}, _after_bos(False), {HELM_SCORES, GGUF}, no_scores=True),
    "BOS doubled": Plant({_S.BOS}, _more_begin(2), SENDERS_OF_TEXT, no_scores=True, no_text=True),
    "BOS missing": Plant(
        {_S.BOS},
        Tampering(request=lambda body, _: {**body, "add_special_tokens": "<s>" in str(body["prompt"])}),
        SENDERS_OF_TEXT,
        no_scores=True,
        no_text=True,
    ),
    "BOS spelled out is doubled": Plant(
        {_S.BOS_SPELLED}, Tampering(request=_spelled_twice, answer=_strip_one), {HELM_SCORES}
    ),
    "BOS before token ids": Plant({_S.IDS}, Tampering(request=_bos_before_ids), {LM_SCORES}, no_scores=True),
    "echo ignored": Plant({_S.ECHO}, _without("echo"), SCORERS, no_scores=True),
    "shaped as in chats": Plant(
        {_S.ARRAYS},
        _logprobs(_as_chat, _always),
        {INSPECT},  # its scores could not be looked at
        frozenset({HELM_TEXT, HELM_SCORES, LM_SCORES, GGUF}),
        no_scores=True,
        no_logprobs=True,
    ),
    "arrays cut": Plant(
        {_S.ARRAYS},
        _logprobs(_cut, _always),
        {INSPECT},
        frozenset({HELM_TEXT, HELM_SCORES, LM_SCORES, GGUF}),
        no_scores=True,
        no_logprobs=True,
    ),
    "all zeros": Plant(
        {_S.VALUES}, _logprobs(lambda a: _set(a, "token_logprobs", lambda _: 0.0), _echoed), SCORERS, no_scores=True
    ),
    "not a number": Plant(
        {_S.VALUES},
        _logprobs(lambda a: _set(a, "token_logprobs", lambda _: float("nan")), _echoed),
        SCORERS,
        no_scores=True,
    ),
    "null in the middle": Plant(
        {_S.NULLS}, _logprobs(_null_in_the_middle, _echoed), {HELM_SCORES}, frozenset({LM_SCORES, GGUF}), no_scores=True
    ),
    "noise": Plant({_S.TWICE}, _logprobs(_noisy, _echoed), SCORERS, no_scores=True),
    "cache of other numbers": Plant({_S.PREFIX}, _remembering(), SCORERS, no_scores=True),
    "max_tokens 0 generates": Plant(
        {_S.NOTHING_MORE}, Tampering(request=_one_more_generated), {HELM_SCORES}, no_scores=True
    ),
    "offsets in bytes": Plant({_S.OFFSETS}, _logprobs(_in_bytes, _echoed), {GGUF}, no_scores=True),
    "partial characters lost": Plant({_S.PARTIAL}, _logprobs(_partial_lost, _echoed), {HELM_SCORES}),
    "choices listed backwards": Plant({_S.ORDER}, _choices(lambda found: found[::-1]), {LANGCHAIN}),
    "indices backwards": Plant(
        {_S.BATCH}, _choices(_indices_backwards), {LM_SCORES, LM_TEXT, LANGCHAIN}, no_scores=True
    ),
    "one token late, and no entry after the prompt": Plant(
        {_S.ALIGNMENT, _S.ONE_MORE}, _both(_late_answer, _nothing_after), SCORERS, no_scores=True
    ),
    "temperature ignored and indices backwards": Plant(
        {_S.GREEDY, _S.BATCH},
        Tampering(request=_warm, answer=_choices(_indices_backwards).answer),
        {HELM_TEXT, LM_SCORES, LM_TEXT, GGUF, LANGCHAIN},
        no_scores=True,
        no_text=True,
    ),
    "echo and temperature ignored": Plant(
        {_S.ECHO, _S.GREEDY},
        Tampering(request=lambda body, ask: _warm(_without("echo").request(body, ask), ask)),
        {*SCORERS, HELM_TEXT, LM_TEXT, LANGCHAIN},
        no_scores=True,
        no_text=True,
    ),
    "row after the cached": Plant({_S.PREFIX}, _row_after_the_cache(), SCORERS, no_scores=True),
    "offsets in bytes, names lost": Plant(
        {_S.OFFSETS, _S.PARTIAL}, _logprobs(_unnamed_in_bytes, _echoed), {GGUF, HELM_SCORES}, no_scores=True
    ),
    "BOS doubled, no echo": Plant(
        {_S.ECHO, _S.BOS, _S.COUNTS}, _usage_with(2, False), {*SCORERS, *SENDERS_OF_TEXT}, no_scores=True, no_text=True
    ),
    "other answers among others, no echo": Plant(
        {_S.ECHO, _S.BATCH},
        Tampering(request=_without("echo").request, answer=_answers_rotated),
        {*SCORERS, LM_TEXT, LANGCHAIN},
        no_scores=True,
    ),
    "n ignored": Plant({_S.N}, _without("n"), {LANGCHAIN}),
    "best_of returns all": Plant(
        {_S.BEST_OF},
        Tampering(answer=lambda body, sent: {**body, "choices": body["choices"] * sent.get("best_of", 1)}),
        {HELM_TEXT},
    ),
    "stop ignored": Plant({_S.STOP}, _without("stop"), {LM_TEXT, GGUF, LANGCHAIN}, no_text=True),
    "max_tokens ignored": Plant({_S.MAX_TOKENS}, Tampering(request=_always_long), {LM_TEXT, LANGCHAIN}, no_text=True),
    "seed ignored": Plant({_S.SEED}, _without("seed"), {LANGCHAIN}),
    "temperature ignored": Plant(
        {_S.GREEDY}, Tampering(request=_warm), {HELM_TEXT, LM_TEXT, GGUF, LANGCHAIN}, no_text=True
    ),
    "stream without its end": Plant(
        {_S.STREAM}, Tampering(event=lambda line: b"" if b"[DONE]" in line else line), {LANGCHAIN}
    ),
    "logprobs ignored": Plant(
        {_S.GENERATED_TOPS},
        Tampering(request=lambda body, _: {**body, "logprobs": 1} if body.get("logprobs") == 5 else body),
        set(),
        no_logprobs=True,
    ),
    "tokenizer without spaces": Plant(
        {_S.ROUND_TRIP, _S.HELM_TOKENIZER, _S.LM_EVAL_TOKENIZER},
        Tampering(inputs={"/tokenize": _without_spaces}),
        {*SENDERS_OF_TEXT, LM_SCORES},  # who can tell what stands before a text?
        no_scores=True,
        no_text=True,
    ),
    "usage miscounts": Plant({_S.COUNTS}, Tampering(answer=_miscounted), {HELM_SCORES}, no_scores=True),
    "prompt_logprobs, likeliest first": Plant({_S.PROMPT_LOGPROBS}, Tampering(answer=_likeliest_first), {INSPECT}),
    "prompt_logprobs one late": Plant({_S.PROMPT_LOGPROBS}, Tampering(answer=_prompt_logprobs_late), {INSPECT}),
    "long prompts cut": Plant({_S.TOO_LONG}, Tampering(request=_truncated), {HELM_TEXT, HELM_SCORES, LM_TEXT, GGUF}),
    "errors without words": Plant({_S.ERRORS}, Tampering(refusal=b"bad"), set(), frozenset({LANGCHAIN})),
    "one id for two models": Plant(
        {_S.MODELS},
        Tampering(routes={"/v1/models": lambda body: {**body, "data": body["data"] * 2}}),
        {HELM_TEXT, HELM_SCORES},
    ),
}
