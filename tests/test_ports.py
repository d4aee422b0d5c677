"""Ports that tests keep: no other test and no connection takes them, and a killed listener can come back."""

from __future__ import annotations

import socket

import pytest

from tests.helpers import ports


def listening(port: int) -> socket.socket:
    """A server's socket, as Nym's, asyncio's and usernym's own set it."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    one.listen()
    return one


def test_ports_that_are_kept_are_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.free_ports(3)
    monkeypatch.setattr(ports, "_FIRST", first)
    monkeypatch.setattr(ports, "_LAST", first + 3)
    with pytest.raises(AssertionError, match="not so many free ports"):
        ports.free_ports(1)


def test_a_server_listens_on_a_kept_port_as_often_as_it_is_started_and_no_connection_takes_it() -> None:
    port = ports.free_ports(1)
    for _ in range(2):
        with listening(port) as server, socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            pass
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", port))


def test_a_port_is_kept_when_its_listener_has_ended_and_not_while_it_lives() -> None:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    server.listen()
    port = server.getsockname()[1]
    assert not ports.keep([port], again=True)
    with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
        server.close()
    assert ports.keep([port], again=True)
    listening(port).close()
