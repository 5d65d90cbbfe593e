"""The endpoint that is examined, over plain HTTP: no client library repairs what it answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import httpx

from harness.doctor.answers import Answer, Broken, Refused
from harness.errors import RunError, UserError
from harness.serving.address import read_url
from harness.serving.key import read_key
from harness.serving.transport import OVERLOADED

TIMEOUT_SECONDS = 300
PAUSES = (0.5, 1, 2, 4)
"""Seconds before a request is sent again that found the endpoint overloaded."""
UNAUTHORIZED = (401, 403)


class Patient:
    """Sends requests to one endpoint; what it refuses is :class:`Refused`, a lost connection a RunError."""

    def __init__(self, url: str, key: str | None) -> None:
        """Take the URL of the API, with ``/v1`` at its end or without, and what it is to be sent as a bearer token.

        Raises:
            UserError: that is no URL of HTTP, or the key cannot be sent.
        """
        self._address = read_url(url)
        self.url = str(self._address)
        """Without a user's name and password."""
        self.model = ""
        """What requests are sent for."""
        key = read_key(key)
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,
            trust_env=not self._address.is_local,  # loopback needs no proxy, whatever the environment says
        )

    def __enter__(self) -> Patient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """The JSON that a path answers with: ``completions``, or ``../tokenize`` beside ``/v1``.

        Raises:
            Refused: it has no such route, or does not take the request.
            Broken: the answer is no JSON.
            UserError: it wants another key.
            RunError: it could not be reached, or broke off.
        """
        for pause in (*PAUSES, None):
            response = self._send(path, body)
            if response.status_code not in OVERLOADED or pause is None:
                break
            time.sleep(pause)
        # Beside the API a gateway may refuse everybody.
        if response.status_code in UNAUTHORIZED and not path.startswith("../"):
            raise UserError(f"{self.url} lets nobody in without the right key; give it in HARNESS_ENDPOINT_KEY.")
        if response.is_error:
            raise Refused(response.status_code, _message(response))
        return _json(response.text)

    def look(self, path: str, body: Mapping[str, object] | None = None) -> object:
        """The same, and None where there is nothing: for what an endpoint may lack."""
        try:
            found: object = self.ask(path, body)
        except (Refused, Broken):
            return None
        return found

    def complete(self, prompt: object, **fields: Any) -> Answer:
        """The answer to a completion request, greedy unless ``fields`` say otherwise; raises as :meth:`ask` does."""
        return Answer.read(self.ask("completions", self._completion(prompt, fields)))

    def stream(self, prompt: object, **fields: Any) -> Iterator[Any]:
        """The events of a streamed completion, and None for ``[DONE]``; raises as :meth:`ask` does."""
        body = self._completion(prompt, {**fields, "stream": True})
        try:
            with self._client.stream("POST", self._address.at("completions"), json=body) as response:
                if response.is_error:
                    response.read()
                    raise Refused(response.status_code, _message(response))
                for line in response.iter_lines():
                    if line.startswith("data:"):
                        data = line.removeprefix("data:").strip()
                        yield None if data == "[DONE]" else _json(data)
        except httpx.RequestError as error:
            raise self._lost(error) from error

    def _completion(self, prompt: object, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.model, "prompt": prompt, "temperature": 0, **fields}

    def _send(self, path: str, body: Mapping[str, object] | None) -> httpx.Response:
        request = self._client.build_request("POST" if body is not None else "GET", self._address.at(path), json=body)
        try:
            try:
                return self._client.send(request)
            except httpx.RemoteProtocolError:  # it closed a connection that it had kept open
                return self._client.send(request)
        except httpx.RequestError as error:
            raise self._lost(error) from error

    def _lost(self, error: httpx.RequestError) -> Broken | RunError:
        if isinstance(error, httpx.DecodingError):
            return Broken("The answer cannot be unpacked: it is not compressed as its Content-Encoding says.")
        why = str(error).rstrip(".") or type(error).__name__
        return RunError(f"{self.url} could not be reached, or broke off: {why}.")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Broken(f"The answer is no JSON: {text[:60]!r}.") from None


def _message(response: httpx.Response) -> str:
    """What an error says for people, in whichever shape it comes."""
    try:
        body = response.json()
    except ValueError:
        return ""
    found = body.get("error", body.get("detail", "")) if isinstance(body, dict) else ""
    message = found.get("message", "") if isinstance(found, dict) else found
    return str(message)[:200]
