"""The walk of `send` in docs/architecture.md is what runs."""

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.walk import documented_walk, product_file
from usernym import client
from usernym.actors import messages as msg


@pytest.mark.processes
def test_from_the_command_line_to_the_actor(typed: Any, network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    zoe, abe = network.user("zoe"), network.user("abe")
    calls: list[str] = []

    def recorded(*values: Any) -> msg.SendText:
        files = [product_file(frame.f_code) for frame, _ in traceback.walk_stack(None)]
        calls.extend(file for file in reversed(files) if file is not None)
        return msg.SendText(*values)

    monkeypatch.setattr(client, "msg", SimpleNamespace(**(vars(msg) | {"SendText": recorded})))
    monkeypatch.setenv("USERNYM_PASSPHRASE", "a passphrase for tests")
    done = typed("--json", "--home", network.terminal.folder / zoe, "send", abe, "hi")
    assert done.code == 0, done.err
    steps = [file for at, file in enumerate(calls) if at == 0 or calls[at - 1] != file]
    assert steps == documented_walk("Walk: send")
