"""`usernym listen` prints each sender's texts in the order in which they were written, and waits for none for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

import usernym
from tests.helpers.handles import Handles
from usernym.cli.listen import QUIET_S, _Printer
from usernym.cli.signals import Interruptions
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Route, Trust


class Desk:
    """A printer, and texts that come to its client."""

    def __init__(self, handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = handles.client("bob", online=False)
        self._store = ClientStore.open(handles.home("bob"), None, unprotected=True)
        self._store.contacts.add("alice", b"k" * 32, b"record", Trust.CONFIRMED, Consent.ACCEPTED)
        self.printer = _Printer(self.client, Interruptions(), as_json=False, clock_s=lambda: self.now)
        self.printed: list[tuple[int, bool]] = []
        self.now = 100.0
        monkeypatch.setattr(self.printer, "print", lambda shown: self.printed.append((shown.counter, shown.late)))

    def comes(self, counter: int) -> None:
        self._store.messages.add_incoming(
            contact="alice", message_id=bytes([counter]) * 16, key_number=1, counter=counter, kind=1, body=b"text",
            token=bytes(16), sent_at=counter, now=int(time.time()), route=Route.NODE,
        )  # fmt: skip
        missing = self._store.gaps.missing_below("alice", counter)
        event: Any = usernym.MessageArrived(b"", "alice", "text", 0, counter, missing, usernym.Route.NODE, False)
        self.printer.print_unread(arrived=event)

    def close(self) -> None:
        self._store.close()


@pytest.fixture
def desk(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(handles, monkeypatch)
    with closing(made):
        yield made


def test_what_overtakes_is_kept_back_until_the_others_are_there(desk: Desk) -> None:
    for counter in (6, 10, 2, 8, 7, 9, 4, 1, 5, 3):
        desk.comes(counter)
        assert 0 <= desk.printer.wait_s() <= QUIET_S
    assert desk.printed == [(counter, False) for counter in range(1, 11)]


def test_it_is_not_kept_back_for_long_and_an_old_gap_delays_nothing(desk: Desk) -> None:
    desk.comes(3)
    assert desk.printed == []
    desk.now += QUIET_S
    assert desk.printer.wait_s() == 0
    desk.printer.print_unread()
    assert desk.printed == [(3, False)]
    desk.comes(4)
    assert desk.printed == [(3, False), (4, False)], "the same texts are missing as before"
    desk.comes(1)
    assert desk.printed[-1] == (1, True), "after one that was written later, which is said"


def test_one_that_comes_does_not_lengthen_the_wait(desk: Desk) -> None:
    for counter in range(9, 2, -1):
        desk.comes(counter)
        desk.now += QUIET_S / 4
    assert [counter for counter, _ in desk.printed] == [5, 6, 7, 8, 9, 4, 3], "two seconds after the first one"
