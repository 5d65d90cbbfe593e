"""openai's package in all its ways; prints what it was given as JSON.

Arguments: base URL, model, prompt, question of a chat.
"""

from __future__ import annotations

import asyncio
import json
import sys

import openai

URL, MODEL, PROMPT, QUESTION = sys.argv[1:]
COMPLETION = {"model": MODEL, "prompt": PROMPT, "max_tokens": 8, "temperature": 0, "logprobs": 2}
CHAT = {
    "model": MODEL,
    "messages": [{"role": "user", "content": QUESTION}],
    "max_tokens": 8,
    "temperature": 0,
    "logprobs": True,
    "top_logprobs": 2,
}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def with_the_synchronous_client() -> dict[str, object]:
    with openai.OpenAI(base_url=URL, api_key="none", max_retries=0) as client:
        several = client.completions.create(**COMPLETION | {"prompt": [PROMPT, "The capital of"], "n": 2})
        with client.completions.create(**COMPLETION, **USAGE) as stream:
            chunks = [chunk.model_dump() for chunk in stream]
        with client.chat.completions.create(**CHAT, **USAGE) as chat_stream:
            chat_chunks = [chunk.model_dump() for chunk in chat_stream]
        return {
            "completion": client.completions.create(**COMPLETION).model_dump(),
            "scored": client.completions.create(**COMPLETION | {"echo": True, "max_tokens": 0}).model_dump(),
            "several": several.model_dump(),
            "stream": chunks,
            "chat": client.chat.completions.create(**CHAT).model_dump(),
            "chat_stream": chat_chunks,
            "models": [model.id for model in client.models.list()],
            "model": client.models.retrieve(MODEL).id,
        }


async def with_the_asynchronous_client() -> dict[str, object]:
    async with openai.AsyncOpenAI(base_url=URL, api_key="none", max_retries=0) as client:
        together = await asyncio.gather(
            client.completions.create(**COMPLETION),
            client.chat.completions.create(**CHAT),
            *(client.completions.create(**COMPLETION | {"prompt": f"{PROMPT} {i}", "max_tokens": 2}) for i in range(8)),
        )
        chunks = [chunk.model_dump() async for chunk in await client.completions.create(**COMPLETION, **USAGE)]
        chat_chunks = [chunk.model_dump() async for chunk in await client.chat.completions.create(**CHAT, **USAGE)]
    completion, chat, *others = (answer.model_dump() for answer in together)
    return {
        "completion": completion,
        "chat": chat,
        "others": [answer["choices"][0]["text"] for answer in others],
        "stream": chunks,
        "chat_stream": chat_chunks,
    }


print(
    json.dumps(
        {
            "version": openai.__version__,
            "sync": with_the_synchronous_client(),
            "async": asyncio.run(with_the_asynchronous_client()),
        }
    )
)
