"""litellm's functions in all their ways; prints what they were given as JSON.

Arguments: base URL, provider of text completions, provider of chats, model, prompt, question of a chat.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import litellm

URL, TEXT, CHAT, MODEL, PROMPT, QUESTION = sys.argv[1:]
TO: dict[str, Any] = {"api_base": URL, "api_key": "none", "temperature": 0, "max_tokens": 8, "num_retries": 0}
COMPLETION: dict[str, Any] = {"model": f"{TEXT}/{MODEL}", "prompt": PROMPT} | TO
MESSAGES = [{"role": "user", "content": QUESTION}]
CONVERSATION: dict[str, Any] = {"model": f"{CHAT}/{MODEL}", "messages": MESSAGES} | TO
SCORED = {"logprobs": True, "top_logprobs": 2}


def synchronously() -> dict[str, object]:
    stream = litellm.text_completion(**COMPLETION, stream=True)
    chat_stream = litellm.completion(**CONVERSATION, stream=True)
    return {
        "text": litellm.text_completion(**COMPLETION, logprobs=2).model_dump(),
        "stream": "".join(chunk.choices[0].text or "" for chunk in stream),
        "chat": litellm.completion(**CONVERSATION, **SCORED).model_dump(),
        "chat_stream": "".join(chunk.choices[0].delta.content or "" for chunk in chat_stream),
    }


async def asynchronously() -> dict[str, object]:
    text, chat = await asyncio.gather(
        litellm.atext_completion(**COMPLETION, logprobs=2), litellm.acompletion(**CONVERSATION, **SCORED)
    )
    stream = await litellm.atext_completion(**COMPLETION, stream=True)
    chat_stream = await litellm.acompletion(**CONVERSATION, stream=True)
    return {
        "text": text.model_dump(),
        "stream": "".join([chunk.choices[0].text or "" async for chunk in stream]),
        "chat": chat.model_dump(),
        "chat_stream": "".join([chunk.choices[0].delta.content or "" async for chunk in chat_stream]),
    }


def raised(**fields: object) -> dict[str, object]:
    try:
        litellm.text_completion(**COMPLETION | fields)
    except Exception as error:
        return {"class": type(error).__name__, "status": error.status_code}
    raise AssertionError(f"no error for {fields}")


print(
    json.dumps(
        {
            "sync": synchronously(),
            "async": asyncio.run(asynchronously()),
            "batch": [
                choice.text for choice in litellm.text_completion(**COMPLETION | {"prompt": [PROMPT] * 2}).choices
            ],
            "errors": {
                "length": raised(prompt="word " * 3000),
                "model": raised(model=f"{TEXT}/gpt-4"),
                "value": raised(top_p=3),
            },
        }
    )
)
