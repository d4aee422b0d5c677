"""The walk of `send` in docs/architecture.md is what runs."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tests.helpers.walk import documented_walk, product_file
from usernym.actors import messages as msg


@pytest.mark.processes
def test_from_the_command_line_to_the_actor(typed: Any, network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    zoe, abe = network.user("zoe"), network.user("abe")
    made = msg.SendText.__init__
    calls: list[str] = []

    def recorded(message: msg.SendText, *values: Any) -> None:
        files = [product_file(frame.f_code) for frame, _ in traceback.walk_stack(None)]
        calls.extend(file for file in reversed(files) if file is not None)
        made(message, *values)

    monkeypatch.setattr(msg.SendText, "__init__", recorded)
    monkeypatch.setenv("USERNYM_PASSPHRASE", "a passphrase for tests")
    done = typed("--json", "--home", network.terminal.folder / zoe, "send", abe, "hi")
    assert done.code == 0, done.err
    steps = [file for at, file in enumerate(calls) if at == 0 or calls[at - 1] != file]
    assert steps == documented_walk("Walk: send")
