"""Performs commands as the process that holds a home does, by way of the control socket's own encoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.helpers.handles import PATIENCE_S
from usernym import Client, control
from usernym.cli.command import ClientCommand, answer_type
from usernym.cli.holder import client_handler
from usernym.cli.session import answer_in, handed_over


def performing(client: Client) -> Callable[[ClientCommand[Any]], Any]:
    """What performs a command on this client, and returns its answer or raises `CommandFailed`."""
    handle = client_handler(client)

    def perform(command: ClientCommand[Any]) -> Any:
        answer = handle(control.encode(handed_over(command, PATIENCE_S)))
        return answer_in(answer, answer_type(type(command)))

    return perform
