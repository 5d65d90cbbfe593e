"""A stand-in for the part of the Hugging Face Hub that gives data sets, on the loopback address."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
BRANCHES = ("refs/convert/parquet", "main")


@dataclass
class DatasetHub:
    """One data set, as long as a ``with`` block lasts."""

    name: str
    files: dict[str, bytes]
    gated: bool = False
    commit: str = COMMIT
    """What all branches are at; of others the Hub knows nothing."""
    seen: list[str] = field(default_factory=list)
    """Method and path of every request."""

    def __enter__(self) -> DatasetHub:
        hub = self

        class Handler(_Handler):
            served = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def downloads(self) -> list[str]:
        """Paths of the data files whose bytes were asked for."""
        return [line.partition("resolve/")[2] for line in self.seen if line.startswith("GET") and ".parquet" in line]

    def listed(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        """What the API says of a folder: its files, and those below it or the folders that they are in."""
        found: dict[str, dict[str, Any]] = {}
        for path, data in self.files.items():
            if not path.startswith(f"{folder}/" if folder else ""):
                continue
            inside = path.removeprefix(folder).strip("/")
            top = f"{folder}/{inside.split('/')[0]}".strip("/")
            is_file = recursive or "/" not in inside
            kind = {"type": "file", "path": path} if is_file else {"type": "directory", "path": top}
            found[kind["path"]] = {**kind, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        return list(found.values())


class _Handler(BaseHTTPRequestHandler):
    served: DatasetHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.served
        path = unquote(urlsplit(self.path).path)
        hub.seen.append(f"{self.command} {path}")
        api, resolve = f"/api/datasets/{hub.name}", f"/datasets/{hub.name}/resolve/{hub.commit}/"
        if path.startswith(f"{api}/tree/{hub.commit}"):
            folder = path.removeprefix(f"{api}/tree/{hub.commit}").strip("/")
            listed = hub.listed(folder, recursive="recursive=true" in self.path)
            self._answer(200, json.dumps(listed).encode())
        elif path in (api, *(f"{api}/revision/{name}" for name in (hub.commit, *BRANCHES))):
            siblings = [{"rfilename": name} for name in hub.files]
            found = {"id": hub.name, "sha": hub.commit, "siblings": siblings, "tags": []}
            self._answer(200, json.dumps(found).encode())
        elif path.startswith((f"{api}/", f"/datasets/{hub.name}/resolve/")) and hub.commit not in path:
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith("/api/"):
            self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif hub.gated:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif path.startswith(resolve) and path.removeprefix(resolve) in hub.files:
            data = hub.files[path.removeprefix(resolve)]
            self._answer(200, data, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": hub.commit})
        elif path.startswith(resolve):
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": hub.commit})
        else:
            self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
