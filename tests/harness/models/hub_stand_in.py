"""A stand-in for the Hugging Face Hub on the loopback address: the part of its HTTP API that a download needs.

As the Hub does, it answers for a file with a redirect to another host, which has the bytes and must not see the token.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

NAME = "someone/Little-GGUF"
"""The repository that tests begin with."""


class Seen(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    host: str
    headers: dict[str, str]


@dataclass
class Repo:
    """A repository, and how it misbehaves."""

    files: dict[str, bytes]
    commit: str = "c0ffee" + "0" * 34
    revisions: tuple[str, ...] = ("main",)
    gated: bool = False
    lies: dict[str, bytes] = field(default_factory=dict)
    """Bytes that come instead of a file's."""
    cuts: list[tuple[int, bool]] = field(default_factory=list)
    """For each of the next downloads: how many bytes come before the connection ends, and whether it is reset."""
    large: bool = True
    """Whether the files are in large-file storage, and have hashes."""


class StandIn:
    """The Hub, as long as a ``with`` block lasts."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.seen: list[Seen] = []
        self.status = 0
        """Answers everything with this, if it is set."""
        stand_in = self

        class Handler(_Handler):
            hub = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def downloads(self, name: str) -> list[Seen]:
        """The requests for the bytes of a file."""
        return [one for one in self.seen if one.method == "GET" and one.path.startswith("/cdn/") and name in one.path]


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.seen.append(Seen(self.command, path, headers["host"].split(":")[0], headers))
        parts = path.strip("/").split("/")
        if self.hub.status:
            return self._answer(self.hub.status)
        if parts[:2] == ["api", "models"]:
            return self._list("/".join(parts[2:4]), "/".join(parts[5:]))
        if parts[0] == "cdn":
            return self._give("/".join(parts[1:3]), "/".join(parts[3:]))
        return self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _list(self, name: str, revision: str) -> None:
        repo = self.hub.repos.get(name)
        if repo is None:
            # What the Hub says to a stranger: it might be private.
            return self._answer(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in (*repo.revisions, repo.commit):
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        siblings: list[dict[str, Any]] = []
        for file, data in repo.files.items():
            sibling: dict[str, Any] = {"rfilename": file, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
            if repo.large:
                sibling["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(sibling)
        body = {"id": name, "modelId": name, "sha": repo.commit, "siblings": siblings, "tags": [], "downloads": 0}
        return self._answer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _resolve(self, name: str, revision: str, file: str) -> None:
        repo = self.hub.repos[name]
        if repo.gated:
            return self._answer(403, {"X-Error-Code": "GatedRepo"})
        if revision not in (*repo.revisions, repo.commit) or file not in repo.files:
            return self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.commit})
        data = repo.files[file]
        headers = {
            "X-Repo-Commit": repo.commit,
            "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Linked-Size": str(len(data)),
            "Location": f"http://localhost:{self.hub.port}/cdn/{name}/{file}",
        }
        return self._answer(302, headers)

    def _give(self, name: str, file: str) -> None:
        repo = self.hub.repos[name]
        data = repo.lies.get(file, repo.files[file])
        wanted = self.headers.get("Range", "bytes=0-")
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not repo.cuts:
            self.wfile.write(data[start:])
            return
        length, reset = repo.cuts.pop(0)
        self.wfile.write(data[start : start + length])
        self.close_connection = True
        if reset:
            # Closing a socket that does not linger resets the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
