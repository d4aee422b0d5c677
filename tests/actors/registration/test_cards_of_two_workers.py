"""Two workers of a node that make its card at the same instant, on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest

from tests.helpers.postgres import PostgresServer, needs_postgres
from usernym.actors.registration.members import Members
from usernym.actors.registration.node_card import renew_card
from usernym.protocol.cards import decode_card
from usernym.protocol.signing import SigningKey
from usernym.storage.node.store import NodeStore
from usernym.storage.node.workers import Membership

ONE, TWO = b"1" * 96, b"2" * 96
SEED = b"k" * 32
KEY = SigningKey.from_seed(SEED)
NOW = 1_800_000_000
PATIENCE_S = 60.0
HEAD_START_S = 0.5
"""The second worker is done by then, if it does not wait for the first; else it is later."""


class PausedMembers(Members):
    """Those of a worker that stops where it has looked who the others are."""

    def __init__(self, workers: Membership) -> None:
        super().__init__(workers, lambda: 0.0)
        self.looked, self.continues = threading.Event(), threading.Event()

    def beat(self) -> list[bytes]:
        found = super().beat()
        self.looked.set()
        assert self.continues.wait(PATIENCE_S)
        return found


@needs_postgres
@pytest.mark.processes
@pytest.mark.parametrize("there_was_a_card", [False, True])
def test_no_card_forgets_a_worker_that_joined_at_the_same_instant(
    postgres: PostgresServer, there_was_a_card: bool
) -> None:
    url = postgres.new_database()
    with ExitStack() as undo:
        first, second = NodeStore.connect(url), NodeStore.connect(url)
        undo.callback(first.close)
        undo.callback(second.close)
        first.profile.identity_seed(SEED)
        first.workers.join(ONE)
        if there_was_a_card:
            renew_card(first, KEY, Members(first.workers, lambda: 0.0), NOW, fresh_tags=False)
        paused = PausedMembers(first.workers)
        with ThreadPoolExecutor(2) as pool:
            begun = pool.submit(renew_card, first, KEY, paused, NOW, fresh_tags=False)
            assert paused.looked.wait(PATIENCE_S)
            second.workers.join(TWO)
            other = pool.submit(renew_card, second, KEY, Members(second.workers, lambda: 0.0), NOW, fresh_tags=False)
            wait([other], HEAD_START_S)
            paused.continues.set()
            begun.result(PATIENCE_S)
            assert set(other.result(PATIENCE_S).addresses) == {ONE, TWO}
        stored = second.profile.card()
        assert stored is not None
        assert set(decode_card(stored.blob).addresses) == {ONE, TWO}
