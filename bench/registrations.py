"""What registrations cost a node: `Newcomers` does what the registration actor does for those that come together. It
checks each proof, and registers all in one commit.

One thread, on a store that no one else uses. The proofs of work are trivial: it is not the node that makes them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load import new_names
from tests.helpers.postgres import PostgresServer
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.registration.newcomers import Newcomer, Newcomers
from usernym.actors.registration.spent_proofs import SpentProofs
from usernym.actors.runtime import ThreadRuntime
from usernym.protocol import messages as m
from usernym.protocol.challenges import Challenger, whole_record_hash
from usernym.protocol.codec import Frame, decode, encode_signed
from usernym.protocol.records import first_record
from usernym.protocol.signing import SigningKey
from usernym.storage.node.directory import Registration
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore
from usernym.timers import ThreadTimers

REGISTRATIONS: Final = 1_000
TOGETHER: Final = 50
"""So many have one commit. In an inbox there may be twenty times as many."""
WORK_BITS: Final = 0
"""Then the price of no proof of one commit is too low (`BITS_BEHIND_MAX`)."""


@dataclass(frozen=True)
class Pace:
    """Names a second: their proofs checked, and then stored."""

    checked: float
    stored: float


class _Desk:
    """The part of a node that registers."""

    def __init__(self, store: NodeStore, home: Path, timers: ThreadTimers) -> None:
        runtime, mark = ThreadRuntime(timers), FileMark(home)
        self._node = SigningKey.from_seed(os.urandom(32))
        self._challenger = Challenger(os.urandom(32))
        clock = NodeClock(runtime, store)
        context = NodeContext(runtime, lambda *_: os.abort(), store, clock, mark, mark, self._node)
        self._newcomers = Newcomers(context, self._challenger, SpentProofs(), Counter(), WORK_BITS)

    def proof(self, name: str) -> Frame:
        """As it comes from someone new."""
        key, recovery, now = SigningKey.from_seed(os.urandom(32)), os.urandom(32), int(time.time())
        record = first_record(key, recovery, self._node.public, name, os.urandom(32), now)
        ask = m.RegisterAsk(os.urandom(8), 2, name, key.public, whole_record_hash(record))
        made = self._challenger.challenge(ask, os.urandom(16), now, WORK_BITS)
        proof = m.RegisterProof(os.urandom(8), 2, name, record, made.nonce, made.expires_at, WORK_BITS, made.mac, 0)
        return decode(encode_signed(proof, key, self._node.public))

    def register(self, frames: list[Frame]) -> tuple[float, float]:
        """Seconds that it takes to check them, and to store them."""
        self._newcomers.forget_recent()
        newcomers, began = [], time.perf_counter()
        for frame in frames:
            assert isinstance(frame.message, m.RegisterProof)
            self._newcomers.check(frame.message, frame)
            newcomers.append(Newcomer(frame.message, b""))
        checked = time.perf_counter()
        outcomes = self._newcomers.register(newcomers)
        stored = time.perf_counter()
        assert all(outcome is Registration.CREATED for _, outcome in outcomes)
        return checked - began, stored - checked


def print_registrations(server: PostgresServer) -> None:
    """A line for each engine and number of registrations that share a commit."""
    for together in (1, TOGETHER):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            stores = {
                "in a file": NodeStore.open(home / "node.db"),
                "PostgreSQL": NodeStore.connect(server.new_database()),
            }
            for where, store in stores.items():
                pace = pace_of(store, home, together)
                print(
                    f"  registrations, {together:>2} a commit, {where:<10} {pace.stored:8,.0f} /s into the store,",
                    end=" ",
                )
                print(f"{pace.checked:8,.0f} /s checked")


def pace_of(store: NodeStore, home: Path, together: int) -> Pace:
    """So many names have one commit; the store is closed at the end."""
    timers = ThreadTimers()
    desk = _Desk(store, home, timers)
    names = iter(new_names(REGISTRATIONS))
    spent = [
        desk.register([desk.proof(next(names)) for _ in range(together)]) for _ in range(REGISTRATIONS // together)
    ]
    store.close()
    timers.close()
    checked_s, stored_s = map(sum, zip(*spent, strict=True))
    return Pace(REGISTRATIONS / checked_s, REGISTRATIONS / stored_s)
