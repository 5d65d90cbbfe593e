"""langchain-openai's two models in all their ways; prints what they were given as JSON.

Arguments: base URL, model, prompt, question of a chat.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langchain_openai import ChatOpenAI, OpenAI

URL, MODEL, PROMPT, QUESTION = sys.argv[1:]
SETTINGS: dict[str, Any] = {"model": MODEL, "base_url": URL, "api_key": "none", "temperature": 0, "max_tokens": 8}
LLM = OpenAI(**SETTINGS, max_retries=0, logprobs=2)
CHAT = ChatOpenAI(**SETTINGS, max_retries=0, logprobs=True, top_logprobs=2)


async def asynchronously() -> dict[str, object]:
    return {
        "invoke": await LLM.ainvoke(PROMPT),
        "batch": await LLM.abatch([PROMPT, "The capital of"]),
        "stream": "".join([chunk async for chunk in LLM.astream(PROMPT)]),
        "chat": (await CHAT.ainvoke(QUESTION)).content,
        "chat_batch": [message.content for message in await CHAT.abatch([QUESTION, "Who rules Broomland?"])],
        "chat_stream": "".join([chunk.content async for chunk in CHAT.astream(QUESTION)]),
    }


def synchronously() -> dict[str, object]:
    return {
        "invoke": LLM.invoke(PROMPT),
        "batch": LLM.batch([PROMPT, "The capital of"]),
        "stream": "".join(LLM.stream(PROMPT)),
        "chat": CHAT.invoke(QUESTION).content,
        "chat_batch": [message.content for message in CHAT.batch([QUESTION, "Who rules Broomland?"])],
        "chat_stream": "".join(chunk.content for chunk in CHAT.stream(QUESTION)),
    }


def refused() -> dict[str, object]:
    try:
        LLM.invoke("word " * 3000)
    except Exception as error:
        return {"class": type(error).__name__, "status": error.status_code, "code": error.code}
    raise AssertionError("no error")


result = LLM.generate([PROMPT, "The capital of"], stop=["\n"])
message = CHAT.invoke(QUESTION)
print(
    json.dumps(
        {
            "sync": synchronously(),
            "async": asyncio.run(asynchronously()),
            "generation_info": result.generations[0][0].generation_info,
            "token_usage": result.llm_output["token_usage"],
            "chat_metadata": message.response_metadata,
            "chat_usage": message.usage_metadata,
            "refused": refused(),
        }
    )
)
