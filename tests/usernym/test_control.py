"""The control socket: one line each way, for the same user only, whatever else is thrown at it."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from usernym import control, control_server
from usernym.cli.command import Deadline
from usernym.cli.holder import handler
from usernym.control import Answer, HolderBusy, HolderGone, NoHolder, ask
from usernym.control_server import ControlServer

TIMEOUT_S = 20.0


def echo(line: bytes) -> Answer:
    return {"echo": json.loads(line)}


def raw(home: Path, sent: bytes, *, finish: bool = True) -> bytes:
    """Send bytes as they are, and read what comes until the end."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(home / control.SOCKET_NAME))
        try:
            connection.sendall(sent)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        received = b""
        try:
            while part := connection.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
        return received


def test_a_request_and_its_answer(tmp_path: Path) -> None:
    with ControlServer(tmp_path, echo):
        assert ask(tmp_path, {"text": "grüße \u2028\n"}, TIMEOUT_S) == {"echo": {"text": "grüße \u2028\n"}}


def test_a_home_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    home = tmp_path / ("d" * 100) / ("e" * 100)
    home.mkdir(parents=True)
    with ControlServer(home, echo):
        assert (home / control.SOCKET_NAME).is_socket()
        assert ask(home, {"deep": True}, TIMEOUT_S) == {"echo": {"deep": True}}
    assert not (home / control.SOCKET_NAME).exists()


def test_the_socket_is_its_owners_alone_and_goes_when_its_server_goes(tmp_path: Path) -> None:
    with ControlServer(tmp_path, echo):
        mode = (tmp_path / control.SOCKET_NAME).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not (tmp_path / control.SOCKET_NAME).exists()
    with pytest.raises(NoHolder):
        ask(tmp_path, {}, TIMEOUT_S)


def test_a_socket_left_by_a_dead_process_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / control.SOCKET_NAME))
    with pytest.raises(NoHolder):
        ask(tmp_path, {}, TIMEOUT_S)
    with ControlServer(tmp_path, echo):
        assert ask(tmp_path, {"n": 1}, TIMEOUT_S) == {"echo": {"n": 1}}


def test_another_users_process_is_neither_served_nor_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[bytes] = []

    def handle(line: bytes) -> Answer:
        served.append(line)
        return {}

    with ControlServer(tmp_path, handle):
        monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
        assert raw(tmp_path, b"{}\n") == b""
        with pytest.raises(NoHolder):
            ask(tmp_path, {}, TIMEOUT_S)
        monkeypatch.undo()
        assert not served
        assert ask(tmp_path, {}, TIMEOUT_S) == {}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n",
        b"{",
        b"no newline",
        b"\xff\xfe\x00\n",
        b"[" * 100_000 + b"\n",
        b'{"version":1}\n',
        b'{"version":1,"timeout":1,"command":{"do":"format"}}\n',
        b'{"version":2,"timeout":1,"command":{"do":"whoami"}}\n',
        b'{"version":1,"timeout":-1,"command":{"do":"whoami"}}\n',
        b'{"version":1,"timeout":1e999,"command":{"do":"whoami"}}\n',
        b'{"version":1,"timeout":1,"command":{"do":"whoami","extra":1}}\n',
        b'{"version":1,"timeout":1,"command":{"do":"send","name":"x","text":"y","wait":"for ever"}}\n',
        b"GET / HTTP/1.1\r\n\r\n",
        b"x" * (control.LINE_BYTES_MAX + 70_000),
    ],
)
def test_garbage_is_refused_and_costs_nobody_else_anything(tmp_path: Path, sent: bytes) -> None:
    done: list[object] = []

    def carry_out(command: object, deadline: Deadline) -> str:
        done.append(command)
        return f"done within {deadline.timeout:g}"

    with ControlServer(tmp_path, handler(carry_out)):
        answer = raw(tmp_path, sent)
        assert answer in (b'{"garbage":true}\n', b"")
        assert not done
        good = {"version": 1, "timeout": 5, "command": {"do": "whoami"}}
        assert ask(tmp_path, good, TIMEOUT_S) == {"result": "done within 5"}
    assert len(done) == 1


@examples(200)
@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_no_line_makes_the_handler_raise(line: bytes) -> None:
    handle = handler(lambda command, deadline: (command, deadline)[0] and None)
    assert handle(line) == {"garbage": True}


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_bytes_take_the_server_down(tmp_path: Path, sent: bytes) -> None:
    with ControlServer(tmp_path, handler(lambda _command, _deadline: None)):
        raw(tmp_path, sent)
        assert ask(tmp_path, {"version": 1, "timeout": 5, "command": {"do": "whoami"}}, TIMEOUT_S) == {"result": None}


def test_who_dawdles_holds_up_nobody_and_too_many_are_turned_away(tmp_path: Path) -> None:
    begun, finish = threading.Semaphore(0), threading.Event()

    def handle(line: bytes) -> Answer:
        begun.release()
        assert finish.wait(TIMEOUT_S)
        return echo(line)

    answers: list[Answer] = []
    server = ControlServer(tmp_path, handle)
    with server:
        callers = [
            threading.Thread(target=lambda n=n: answers.append(ask(tmp_path, {"n": n}, TIMEOUT_S)))
            for n in range(control_server.CONNECTIONS_MAX)
        ]
        for caller in callers:
            caller.start()
        for _ in callers:
            assert begun.acquire(timeout=TIMEOUT_S)
        with pytest.raises(HolderBusy):
            ask(tmp_path, {"n": "one too many"}, TIMEOUT_S)
        closing = threading.Thread(target=server.close)
        closing.start()
        finish.set()
        closing.join(TIMEOUT_S)
        for caller in callers:
            caller.join(TIMEOUT_S)
    # Closing has waited for all that was begun.
    assert sorted(answer["echo"]["n"] for answer in answers) == list(range(control_server.CONNECTIONS_MAX))


def test_a_holder_that_fails_by_a_bug_is_told_apart_from_an_answer(tmp_path: Path) -> None:
    def handle(line: bytes) -> Answer:
        raise RuntimeError("a bug")

    with ControlServer(tmp_path, handle), pytest.raises(HolderGone):
        ask(tmp_path, {}, TIMEOUT_S)


def test_an_answer_that_is_too_long_is_said_to_be_that(tmp_path: Path) -> None:
    with (
        ControlServer(tmp_path, lambda _line: {"result": "x" * control.LINE_BYTES_MAX}),
        pytest.raises(control.AnswerTooLong, match="too long"),
    ):
        ask(tmp_path, {}, TIMEOUT_S)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO, errno.ENOSPC, errno.EOPNOTSUPP, errno.EROFS])
def test_without_sockets_it_continues_alone_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """As on exFAT, on some shares, and on a full disk."""

    class NoSocket(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", NoSocket)
    with caplog.at_level("WARNING"), ControlServer(tmp_path, echo):
        assert "no control socket" in caplog.text
        with pytest.raises(control.NoHolder):
            ask(tmp_path, {}, TIMEOUT_S)


@pytest.mark.seconds
def test_a_holder_that_does_not_answer_costs_little_more_than_the_time_that_was_given(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / control.SOCKET_NAME))
        deaf.listen()
        began = time.monotonic()
        with pytest.raises(control.HolderGone):
            ask(tmp_path, {}, 0.5)
        assert time.monotonic() - began < control.WAIT_S_MIN + 2
