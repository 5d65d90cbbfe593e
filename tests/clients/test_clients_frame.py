"""What the other tests of this folder stand on: the two served models, and clients that are alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

PROMPT = "Question: What is the capital of Susia?\nAnswer:"


def test_the_two_worlds_differ_in_bos_only(world: ServerUnderTest, world_without_bos: ServerUnderTest) -> None:
    infos = [server.http.get("/tokenizer_info").json() for server in (world, world_without_bos)]
    assert [info["add_bos_token"] for info in infos] == [True, False]
    counts = [
        server.http.post("/tokenize", json={"prompt": PROMPT}).json()["count"] for server in (world, world_without_bos)
    ]
    assert counts[0] == counts[1] + 1
    # With the token given by hand they say the same.
    tokens = world.http.post("/tokenize", json={"prompt": PROMPT}).json()["tokens"]
    scores = [server.score([tokens]).logprobs for server in (world, world_without_bos)]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[0].token_logprobs is not None
    assert scores[0].token_logprobs[1:] == pytest.approx(scores[1].token_logprobs[1:], abs=1e-4)


@pytest.mark.parametrize("interpreter", ["evals_python", "clients_python"])
def test_clients_reach_loopback_and_nothing_else(
    interpreter: str, world: ServerUnderTest, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(interpreter)
    script = """
import json, os, sys, urllib.error, urllib.request

try:
    urllib.request.urlopen("http://example.com", timeout=5)
    outside = "reached"
except urllib.error.URLError as error:
    outside = type(error.reason).__name__
inside = urllib.request.urlopen(sys.argv[1], timeout=5).status
print(json.dumps([inside, outside, os.path.expanduser("~")]))
"""
    assert client.script(script, f"{world.url}/models") == [200, "ConnectionRefusedError", str(client.home)]
