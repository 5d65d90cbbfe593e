"""How the endpoint under examination is asked, and what can go wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harness.doctor.answers import Broken
from harness.doctor.patient import Patient
from harness.errors import RunError, UserError


class Host(BaseHTTPRequestHandler):
    """Redirects, answers that cannot be unpacked, and a locked door."""

    def do_GET(self) -> None:
        body = b"{}"
        self.send_response({"/v1/locked": 401, "/v1/moved": 307, "/v1/round": 307}.get(self.path, 200))
        if self.path in ("/v1/moved", "/v1/round"):
            self.send_header("Location", "/v1/there" if self.path == "/v1/moved" else self.path)
        if self.path == "/v1/packed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def patient() -> Iterator[Patient]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            with Patient(f"http://127.0.0.1:{server.server_port}", None) as found:
                yield found
        finally:
            server.shutdown()


def test_a_redirect_is_followed(patient: Patient) -> None:
    assert patient.ask("moved") == {}


def test_redirects_without_end_are_told(patient: Patient) -> None:
    with pytest.raises(RunError, match=r"could not be reached, or broke off: .*redirect"):
        patient.ask("round")


def test_what_cannot_be_unpacked_is_broken(patient: Patient) -> None:
    with pytest.raises(Broken, match="cannot be unpacked"):
        patient.ask("packed")
    assert patient.look("packed") is None


def test_a_key_is_asked_for_by_a_name_that_every_command_knows(patient: Patient) -> None:
    with pytest.raises(UserError, match="give it in HARNESS_ENDPOINT_KEY"):
        patient.ask("locked")
