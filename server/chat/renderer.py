"""Conversations into prompts by a chat template, in a child process with little memory and little time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from server.protocol.errors import EngineFailure, InvalidRequest, Overloaded

SECONDS = 2.0
"""For one conversation; a template that takes longer is stopped."""
MAX_TEMPLATE_CHARACTERS = 200_000
"""The longest templates in use have some 20,000."""
MAX_CONVERSATION_BYTES = 4_000_000
MAX_WAITING = 64
_MAX_ANSWER_BYTES = 32 << 20
_ENVIRONMENT = ("LD_LIBRARY_PATH", "TZ")
_CHILD = Path(__file__).with_name("child.py")


class Renderer:
    """Renders one conversation at a time; the child starts with the first and ends with this process."""

    def __init__(self, template: str | None, tokens: Mapping[str, str]) -> None:
        """Start nothing yet.

        Args:
            template: Jinja source; None where the model has none.
            tokens: texts of special tokens by the names that templates know them by (``bos_token`` ...).
        """
        self.template = template
        self._tokens = dict(tokens)
        self._child: _Child | None = None
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="templates")

    async def render(
        self, messages: list[dict[str, Any]], /, *, add_generation_prompt: bool = True, **extras: Any
    ) -> str:
        """The prompt, special tokens as their names.

        Raises:
            InvalidRequest: there is no template, or it refuses this conversation or takes too much for it.
            Overloaded: too many conversations are waiting.
            EngineFailure: the child died.
        """
        line = self._question(messages, {"add_generation_prompt": add_generation_prompt, **extras})
        if self._waiting >= MAX_WAITING:
            raise Overloaded("The server has as many conversations waiting as it accepts; try again later.")
        self._waiting += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, line)
        finally:
            self._waiting -= 1
        if "error" in answer:
            raise _refusal(answer["error"])
        return str(answer["text"])

    def close(self) -> None:
        """End the child."""
        self._thread.shutdown()
        if self._child is not None:
            self._child.end()

    def _question(self, messages: list[dict[str, Any]], extras: dict[str, Any]) -> bytes:
        """One line for the child."""
        if self.template is None:
            raise InvalidRequest(
                "This model has no chat template; its operator can give it one with --chat-template.", param="messages"
            )
        if len(self.template) > MAX_TEMPLATE_CHARACTERS:
            raise _refusal(f"it has {len(self.template):,} characters, and may have {MAX_TEMPLATE_CHARACTERS:,}")
        # Templates written for Hugging Face may take for granted that these two exist.
        variables = {"tools": None, "documents": None} | self._tokens | extras | {"messages": messages}
        question = {"source": self.template, "variables": variables}
        try:
            line = json.dumps(question, ensure_ascii=False).encode() + b"\n"
        except UnicodeEncodeError:
            raise InvalidRequest("'messages' has half a surrogate pair, which is no text.", param="messages") from None
        except RecursionError:
            raise InvalidRequest("'messages' is nested too deeply.", param="messages") from None
        if len(line) - len(self.template.encode()) > MAX_CONVERSATION_BYTES:
            raise InvalidRequest(
                f"The conversation is longer than the {MAX_CONVERSATION_BYTES:,} bytes that this server takes.",
                param="messages",
            )
        return line

    def _ask(self, line: bytes) -> dict[str, Any]:
        """Runs in the one thread that talks to the child."""
        if self._child is not None and not self._child.alive:
            self._child.end()
            self._child = None
        if self._child is None:
            self._child = _Child()
        try:
            return self._child.ask(line)
        except _ChildDied as death:
            self._child = None
            if death.too_slow:
                return {"error": f"it takes longer than {SECONDS:g} seconds"}
            raise EngineFailure("The process that renders chat templates died; try again.") from death


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest(f"The chat template cannot render these messages: {reason}.", param="messages")


class _ChildDied(Exception):
    """No answer came."""

    def __init__(self, *, too_slow: bool) -> None:
        super().__init__()
        self.too_slow = too_slow


class _Child:
    """One process of ``child.py``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # a Ctrl-C in the terminal is the server's to handle
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._from.readline()  # it says when it is ready: starting takes time that is not the template's

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def ask(self, line: bytes) -> dict[str, Any]:
        """The child's answer.

        Raises:
            _ChildDied: it gave none in time and was ended.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(SECONDS, stop)
        timer.start()
        try:
            self._to.write(line)
            self._to.flush()
            answer = self._from.readline(_MAX_ANSWER_BYTES)
        except BrokenPipeError:
            answer = b""
        finally:
            timer.cancel()
            timer.join()  # else it could stop the child after this answer, and the next question would fail
        if late.is_set() or not answer.endswith(b"\n"):
            self.end()
            raise _ChildDied(too_slow=late.is_set())
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        """Stop it at once, if it still runs."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):  # what was not sent yet goes nowhere
            self._to.close()
        self._from.close()
