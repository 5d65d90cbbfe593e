"""What openai's package raises; prints it as JSON.

Arguments: base URL of a server with a key and room for few sequences, that key, model.
"""

from __future__ import annotations

import json
import sys
import threading

import openai

URL, KEY, MODEL = sys.argv[1:]


def raised(client: openai.OpenAI, **fields: object) -> dict[str, object]:
    try:
        client.completions.create(**{"model": MODEL, "prompt": "a", "max_tokens": 1} | fields)
    except openai.APIStatusError as error:
        found = {name: getattr(error, name) for name in ("status_code", "code", "param", "type", "request_id")}
        return {"class": type(error).__name__, "message": error.body["message"], **found}
    raise AssertionError(f"no error for {fields}")


def fill(client: openai.OpenAI) -> openai.Stream[object]:
    """Four long completions: one is running and three are waiting when this returns."""
    stream = client.completions.create(
        model=MODEL, prompt="a", n=4, max_tokens=1500, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    return stream


def wait_out(client: openai.OpenAI) -> list[int]:
    """Fill the server, ask until there is room again; the statuses that a patient client saw."""
    statuses: list[int] = []
    refused = threading.Event()

    def look(response: object) -> None:
        statuses.append(response.status_code)
        refused.set()

    http = openai.DefaultHttpxClient(event_hooks={"response": [look]})
    with openai.OpenAI(base_url=URL, api_key=KEY, max_retries=20, http_client=http) as patient:
        asking = threading.Thread(
            target=lambda: patient.completions.create(model=MODEL, prompt="a", n=4, max_tokens=1), daemon=True
        )
        with fill(client):
            asking.start()
            assert refused.wait(60)
        asking.join(60)
        assert not asking.is_alive()
    return statuses


with (
    openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0) as client,
    openai.OpenAI(base_url=URL, api_key="wrong", max_retries=0) as stranger,
):
    errors = {
        "key": raised(stranger),
        "value": raised(client, max_tokens=-1),
        "model": raised(client, model="gpt-4"),
        "length": raised(client, prompt="word " * 3000),
        "unsupported": raised(client, extra_body={"stop_token_ids": [2]}),
    }
    statuses = wait_out(client)
    with fill(client):
        errors["full"] = raised(client, n=4)
print(json.dumps({"errors": errors, "statuses": statuses}))
