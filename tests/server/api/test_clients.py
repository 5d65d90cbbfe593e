"""What clients send is understood, and they understand what they get."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from answers import PROMPT

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

CLIENTS = {
    "helm scoring": {
        **{"prompt": PROMPT, "best_of": 1, "echo": True, "frequency_penalty": 0, "logprobs": 1, "max_tokens": 0},
        **{"n": 1, "presence_penalty": 0, "stop": None, "temperature": 0, "top_p": 1},
    },
    "helm generation": {
        **{"prompt": PROMPT, "best_of": 5, "echo": False, "frequency_penalty": 0, "logprobs": 5, "max_tokens": 5},
        **{"n": 1, "presence_penalty": 0, "stop": None, "temperature": 0.0, "top_p": 1},
    },
    "lm-eval": {
        **{"prompt": [[81, 117, 101]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
    },
    "lm-eval until": {"prompt": PROMPT, "max_tokens": 8, "temperature": 0.0, "stop": ["\n"], "seed": 1234},
    "lm-eval gguf": {"prompt": PROMPT, "logprobs": 10, "temperature": 0.0, "max_tokens": 1, "echo": True},
    "LangChain": {
        **{"prompt": [PROMPT], "temperature": 0.7, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "n": 1},
        **{"seed": None, "logprobs": None, "max_tokens": 25, "logit_bias": {}},
    },
    "promptfoo": {
        **{"prompt": PROMPT, "max_tokens": 24, "temperature": 0, "top_p": 1, "presence_penalty": 0, "best_of": 1},
        **{"frequency_penalty": 0, "stop": ["<|im_end|>", "<|endoftext|>"]},
    },
    "neutral values": {
        **{
            "prompt": PROMPT,
            "suffix": "",
            "stream": False,
            "top_k": -1,
            "min_p": 0,
            "typical_p": 1,
            "ignore_eos": False,
        },
        **{"repetition_penalty": 1, "response_format": {"type": "text"}, "add_special_tokens": True, "grammar": ""},
        **{"repeat_penalty": 1, "typ_p": 1, "top_n_sigma": -1, "xtc_probability": 0, "mirostat": 0, "lora": []},
        **{"user": "someone", "an unknown field": {"of": ["any", "kind"]}, "min_tokens": 0, "prompt_logprobs": None},
    },
    "nothing": {},
}


@pytest.mark.parametrize("name", CLIENTS)
def test_real_clients_are_understood(server: ServerUnderTest, name: str) -> None:
    answer = server.post(CLIENTS[name] | {"model": server.id})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"].startswith("req-")
    body = answer.json()
    assert body["id"].startswith("cmpl-")
    assert (body["object"], body["model"]) == ("text_completion", server.id)
    assert body["created"] > 1e9
    assert body["system_fingerprint"].startswith("llama-cpp-python-")
    (choice,) = body["choices"]
    assert choice.keys() == {"index", "text", "finish_reason", "logprobs", "stop_reason"}


def test_openais_asynchronous_client(steady_server: ServerUnderTest) -> None:
    expected = steady_server.complete(PROMPT, max_tokens=8, logprobs=2)

    async def ask() -> tuple[openai.types.Completion, str]:
        async with openai.AsyncOpenAI(
            base_url=steady_server.url, api_key="none", http_client=httpx.AsyncClient(trust_env=False)
        ) as client:
            fields: dict[str, Any] = {"model": steady_server.id, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
            plain = await client.completions.create(**fields, logprobs=2)
            stream = await client.completions.create(**fields, stream=True)
            return plain, "".join([choice.text async for chunk in stream for choice in chunk.choices])

    plain, streamed = asyncio.run(ask())
    assert plain.choices[0].text == expected.choices[0].text == streamed
    assert plain.choices[0].logprobs is not None
    assert expected.choices[0].logprobs is not None
    assert plain.choices[0].logprobs.tokens == expected.choices[0].logprobs.tokens
