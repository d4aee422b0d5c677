"""The emulator's control port: packet counters out, faults in. JSON over a websocket on loopback.

One request and one answer at a time; docs/emulator.md lists them. `ask` is a caller's side of it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.mixnet.emulator.port import ServerPort
from usernym.mixnet.transport import MixnetError
from usernym.mixnet.websocket_logging import silent_logger

ANSWER_S: Final = 10.0
"""How long `ask` waits for the emulator."""
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""Counters of the most clients are about 200 kB."""


class ControlPort:
    """Carries out the commands that come over the control port."""

    COMMAND_BYTES_MAX: Final = 4096

    def __init__(
        self, mixnet: InProcessMixnet, core: Emulator, endpoints: Sequence[tuple[int, str]], ports: Sequence[ServerPort]
    ) -> None:
        self._mixnet = mixnet
        self._core = core
        self._endpoints = endpoints
        self._ports = ports

    async def handle(self, connection: ServerConnection) -> None:
        try:
            async for frame in connection:
                await connection.send(json.dumps(self._answer(frame)))
        except ConnectionClosed:
            pass

    def _answer(self, frame: str | bytes) -> dict[str, Any]:
        try:
            command = json.loads(frame)
            if not isinstance(command, dict):
                raise ValueError("a command is a JSON object")
            return self._carry_out(command)
        except (ValueError, TypeError, RecursionError) as error:
            return {"error": f"not a command: {error}"}

    def _carry_out(self, command: dict[str, Any]) -> dict[str, Any]:
        match command.pop("do", None):
            case "counters":
                return self._counters()
            case "faults":
                self._set_faults(command)
            case "rotate_keys":
                self._mixnet.rotate_keys()
            case "kill":
                port = self._port(command)
                self._mixnet.kill(port.client)
                port.process_ended()
            case "restart":
                port = self._port(command)
                self._mixnet.restart(port.client)
                port.process_ended()
            case "offline":
                self._mixnet.offline(self._port(command).client)
            case "online":
                self._mixnet.online(self._port(command).client)
            case _:
                raise ValueError("'do' must be counters, faults, kill, restart, offline, online or rotate_keys")
        return {"ok": True}

    def _port(self, command: dict[str, Any]) -> ServerPort:
        index = command.get("client")
        if type(index) is not int or not 0 <= index < len(self._ports):
            raise ValueError(f"'client' must be a number from 0 to {len(self._ports) - 1}")
        return self._ports[index]

    def _set_faults(self, changes: dict[str, Any]) -> None:
        faults = self._mixnet.faults
        for name, value in changes.items():
            expected: Callable[[Any], bool] = (lambda v: type(v) is bool) if name == "reorder" else _is_number
            if not expected(value):
                raise ValueError("a fault has a value of the wrong type")
        self._mixnet.faults = dataclasses.replace(faults, **changes)

    def _counters(self) -> dict[str, Any]:
        clients = [
            {
                "port": endpoint[0],
                "address": endpoint[1],
                "connected": self._core.connected(port.client),
                "packets": dataclasses.asdict(self._mixnet.counts(port.client)),
                "dropped_unread": port.dropped,
            }
            for endpoint, port in zip(self._endpoints, self._ports, strict=True)
        ]
        lost = dict(sorted(self._core.lost.items()))
        return {"clients": clients, "lost": lost, "faults": dataclasses.asdict(self._mixnet.faults)}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def ask(control_port: int, command: dict[str, Any]) -> dict[str, Any]:
    """Give a command to a running emulator and return its answer, e.g. `ask(1976, {"do": "counters"})`.

    Raises `MixnetError` if nothing answers there, or the command is refused.
    """
    try:
        with connect(
            f"ws://127.0.0.1:{control_port}",
            open_timeout=ANSWER_S,
            max_size=ANSWER_BYTES_MAX,
            compression=None,
            proxy=None,
            logger=silent_logger(),
        ) as connection:
            connection.send(json.dumps(command))
            answer = json.loads(connection.recv(timeout=ANSWER_S))
    except (OSError, ValueError, ConnectionClosed, InvalidHandshake):
        raise MixnetError(f"no emulator answers at port {control_port}: is `usernym mixnet` running?") from None
    if not isinstance(answer, dict) or "error" in answer:
        raise MixnetError(str(answer.get("error")) if isinstance(answer, dict) else "the answer is no JSON object")
    return answer
