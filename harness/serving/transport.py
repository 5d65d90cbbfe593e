"""Requests to one endpoint through the openai client, and what can go wrong with them in sentences for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import openai
import pydantic

from harness.errors import RunError, UserError
from harness.http_errors import HTTP_ERRORS
from harness.serving.address import Address
from harness.serving.key import read_key

RETRIES = 4
"""Of a request that found the endpoint overloaded or out of reach, at growing intervals: some 7 seconds in all."""
OVERLOADED = (429, 503)
NO_KEY = "none"
"""Sent where no key is known: the client wants one, and endpoints that want none take any."""
_FAILED = 500


class _HasStatus(Protocol):
    """An HTTP response, of whichever client library the openai package uses."""

    @property
    def status_code(self) -> int: ...


class Transport:
    """One endpoint's client; safe to use from many threads."""

    def __init__(
        self, address: Address, label: str, *, key: str | None = None, alive: Callable[[], None] = lambda: None
    ) -> None:
        """Talk to ``address``.

        Args:
            address: of the API.
            label: what sentences call the model behind it.
            key: sent with every request, and shown nowhere.
            alive: raises, saying why, if the process behind it is gone.

        Raises:
            UserError: the key cannot be sent.
        """
        self.label = label
        self.alive = alive
        self.on_overload: Callable[[], None] = lambda: None
        """Told when the endpoint says that it cannot keep up; the request itself is sent again."""
        self._address = address
        self.client = openai.OpenAI(
            base_url=address.url,
            api_key=read_key(key) or NO_KEY,
            max_retries=RETRIES,
            timeout=600,
            # Loopback needs no proxy, whatever the environment says; other hosts may.
            http_client=openai.DefaultHttpxClient(
                trust_env=not address.is_local, event_hooks={"response": [self._watch]}
            ),
        )

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def at(self, path: str) -> str:
        """The URL of a route."""
        return self._address.at(path)

    def post(self, path: str, body: Mapping[str, object]) -> object:
        """The JSON of an answer; to be called within :meth:`failures`."""
        return self.client.post(self.at(path), body=dict(body), cast_to=object)

    def get(self, path: str) -> object:
        """The same, of what is there."""
        return self.client.get(self.at(path), cast_to=object)

    def ask(self, path: str, body: Mapping[str, object] | None) -> object:
        """An :data:`harness.serving.dialects.Ask`.

        Raises:
            UserError: a key is wanted.
            RunError: the endpoint failed, or cannot be reached.
        """
        with self.failures():
            try:
                return self.get(path) if body is None else self.post(path, body)
            except json.JSONDecodeError:
                return None
            except openai.APIStatusError as error:
                # Beside the API a gateway may refuse everybody, or have nothing behind it, whatever key is sent.
                is_beside = path.startswith("../")
                wants_key = isinstance(error, openai.AuthenticationError)
                if not is_beside and (wants_key or _FAILED <= error.status_code != 501):
                    raise
                return None

    @contextmanager
    def failures(self) -> Iterator[None]:
        """The client's exceptions as ours."""
        name = f"The endpoint of {self.label}"
        try:
            yield
        except openai.APIConnectionError as error:
            self.alive()
            raise RunError(f"{name} could not be reached: {error}") from error
        except HTTP_ERRORS as error:  # the openai client hands on those of a stream that is being read
            self.alive()
            raise RunError(f"{name} broke off: {error}") from error
        except openai.AuthenticationError as error:
            raise UserError(
                f"{name} wants a key, or another one; give it in HARNESS_ENDPOINT_KEY. It says: {error.message}"
            ) from error
        except openai.BadRequestError as error:
            raise RunError(f"{name} refused: {error.message}") from error
        except pydantic.ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise RunError(f"{name} answered something else than was asked for: {place}: {fault['msg']}.") from error
        except json.JSONDecodeError as error:
            raise RunError(f"{name} answered with broken JSON: {error}.") from error
        except openai.OpenAIError as error:
            raise RunError(f"{name} failed: {error}") from error

    def _watch(self, response: _HasStatus) -> None:
        if response.status_code in OVERLOADED:
            self.on_overload()
