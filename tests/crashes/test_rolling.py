"""Three workers are drained and started again, one after the other, while people write: no text waits for it."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from pathlib import Path
from typing import Final

import pytest

import usernym
from tests.helpers.crash_world import Crowd, cut_names
from tests.helpers.postgres import PostgresServer, needs_postgres

pytestmark = [pytest.mark.processes, needs_postgres]

PATIENCE_S: Final = 60.0
PAUSE_S: Final = 0.25
QUIET_S: Final = 2.0
"""How long people write before the first worker is drained, and after each that is back."""
WAITS_S: Final = 5.0
"""The longest that a text may take more, because of a restart, than it took before."""


class Writers:
    """People in this process who are online, and each of whom writes to the next one all the time."""

    def __init__(self, crowd: Crowd, stack: contextlib.ExitStack) -> None:
        self._crowd = crowd
        self._over = threading.Event()
        self.sent: dict[str, float] = {}
        self.took: list[tuple[float, float]] = []
        """When a text was written, and how long it took until it was there."""
        self.people = [stack.enter_context(self._open(name)) for name in crowd.names]
        for person in self.people:
            person.register(PATIENCE_S)
            person.go_online(PATIENCE_S)
        turns = itertools.pairwise([*self.people, self.people[0]])
        self._threads = [threading.Thread(target=self._write, args=(one, next_.name)) for one, next_ in turns]
        self._threads += [threading.Thread(target=self._read, args=(one,)) for one in self.people]
        stack.callback(self.end)
        for thread in self._threads:
            thread.start()

    def _open(self, name: str) -> usernym.Client:
        crowd = self._crowd
        return usernym.Client.open(
            crowd.folder / name, name=name, node=crowd.card, mixnet=crowd.mixnets[name], unprotected=True
        )

    def _write(self, person: usernym.Client, to: str) -> None:
        for number in itertools.count():
            text = f"{person.name} {number}"
            self.sent[text] = time.monotonic()
            person.send(to, text, wait="queued", timeout=PATIENCE_S)
            if self._over.wait(PAUSE_S):
                return

    def _read(self, person: usernym.Client) -> None:
        while not (self._over.is_set() and len(self.took) == len(self.sent)) and not self._late():
            for _, view in person.unread():
                self.took.append((self.sent[view.text], time.monotonic() - self.sent[view.text]))
                person.mark_read([view])
            time.sleep(0.05)

    def _late(self) -> bool:
        return self._over.is_set() and time.monotonic() - max(self.sent.values()) > PATIENCE_S

    def end(self) -> None:
        """Write no more, and read what is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def longest(self, since: float, until: float) -> float:
        """Of the texts that were written then, in seconds."""
        return max(took for at, took in self.took if since <= at < until)


def test_texts_do_not_wait_for_workers_that_are_restarted_one_after_the_other(tmp_path: Path) -> None:
    with (
        contextlib.closing(PostgresServer()) as server,
        Crowd(tmp_path, cut_names(3), database=server, workers=3) as crowd,
    ):
        for worker in crowd.workers:
            crowd.start_node(worker)
        crowd.wait_for_card(3)
        with contextlib.ExitStack() as stack:
            writers = Writers(crowd, stack)
            time.sleep(QUIET_S)
            drained_at = [time.monotonic()]
            left = []
            for worker in crowd.workers:
                left.append(crowd.drain(worker))
                crowd.start_node(worker)
                crowd.nodes[worker].wait_for("that it is up", lambda told: told.get("event") == "up")
                time.sleep(QUIET_S)
                drained_at.append(time.monotonic())
            writers.end()
        assert left == [0, 0, 0], "all users had gone before their worker ended"
        assert len(writers.took) == len(writers.sent), "each text came, once"
        before = writers.longest(0.0, drained_at[0])
        waits = [writers.longest(since, until) for since, until in itertools.pairwise(drained_at)]
        sys.stdout.write(f"longest before: {before:.2f} s; with each restart: {[round(each, 2) for each in waits]} s\n")
        assert max(waits) < before + WAITS_S
