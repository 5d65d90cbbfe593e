from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from server.listener import CannotListen, listen, url
from server.settings import Settings


def settings(**fields: object) -> Settings:
    return Settings(model=Path("m.gguf"), **{"port": 0} | fields)  # type: ignore[arg-type]


def test_answers_do_not_wait_for_acknowledgements() -> None:
    # asyncio turns Nagle's algorithm off for sockets that say they are TCP; each answer is 40 ms late otherwise.
    with listen(settings()) as listener:
        assert listener.proto == socket.IPPROTO_TCP
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", 0))
        with listen(settings(fd=os.dup(inherited.fileno()))) as listener:
            assert listener.proto == socket.IPPROTO_TCP
            assert listener.getsockname() == inherited.getsockname()


def test_it_listens_at_once() -> None:
    with (
        listen(settings()) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        assert client.getpeername() == listener.getsockname()


def test_two_cannot_have_one_port_even_before_they_serve() -> None:
    with listen(settings()) as listener:
        port = listener.getsockname()[1]
        said = f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --host or --port."
        with pytest.raises(CannotListen) as caught:
            listen(settings(port=port))
        assert str(caught.value) == said
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    with listen(settings(port=port)) as again:
        assert again.getsockname()[1] == port


@pytest.mark.parametrize(
    ("host", "said"), [("192.0.2.1", "Cannot assign requested address"), ("no.such.host.invalid", "")]
)
def test_a_host_that_is_not_here_is_refused(host: str, said: str) -> None:
    with pytest.raises(CannotListen) as caught:
        listen(settings(host=host))
    assert str(caught.value).startswith(f"cannot listen on {host}:0: {said}")
    assert str(caught.value).endswith("; choose another --host or --port.")


def test_a_file_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(CannotListen, match="cannot listen on file"):
        listen(settings(fd=file.fileno()))
    with pytest.raises(CannotListen, match=r"^cannot listen on file descriptor 12345: Bad file descriptor\.$"):
        listen(settings(fd=12345))


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_addresses_are_written_as_urls_have_them() -> None:
    with listen(settings(host="::1")) as listener:
        assert url(listener) == f"http://[::1]:{listener.getsockname()[1]}/v1"
    with listen(settings()) as listener:
        assert url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
