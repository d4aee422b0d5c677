"""Graphs on threads with a faster clock: a test of heartbeats and retries does not wait for them in real time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from usernym.actors.runtime import ThreadRuntime


def speed_up(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Run all `ThreadRuntime`s of this process `factor` times as fast: every wait and both clocks, all alike.

    The mixnet keeps real time. `factor` must leave it time to carry a message and its answer before the first retry
    (5 seconds by the graphs' clock): else the graphs only send more, and prove the same.
    """
    began, began_unix = time.monotonic(), time.time()
    call_later = ThreadRuntime.call_later

    def now(_runtime: ThreadRuntime) -> float:
        return began + factor * (time.monotonic() - began)

    def unix_s(_runtime: ThreadRuntime) -> int:
        return int(began_unix + factor * (time.monotonic() - began))

    def later(runtime: ThreadRuntime, delay_s: float, action: Callable[[], None]) -> None:
        call_later(runtime, delay_s / factor, action)

    monkeypatch.setattr(ThreadRuntime, "now", now)
    monkeypatch.setattr(ThreadRuntime, "unix_s", unix_s)
    monkeypatch.setattr(ThreadRuntime, "call_later", later)
