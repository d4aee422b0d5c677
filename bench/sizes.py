"""A node with few names beside one with many: lookups and forwards by turns in one run, and a process's start.

`python -Im bench.sizes [NAMES]`. It is no part of `make bench`: to fill a store with a million names takes minutes.
"""

from __future__ import annotations

import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from bench.load import ACCEPTED, FOUND, PIPELINE, LoadedNode, Sender
from bench.workers import NymClient
from tests.helpers.crash_world import start, stop, usernym_command
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.mixnet.emulator.state import Faults
from usernym.timers import ThreadTimers

FEW: Final = 1_000
MANY: Final = 1_000_000
TURNS: Final = 7
"""The median counts."""
LOOKUPS: Final = 2_000
SENDERS: Final = 40
FORWARDS_EACH: Final = 25
STARTS: Final = 3


class _Sized:
    """A node with so many names, and what its turns took."""

    def __init__(self, home: Path, names: int, mixnet: InProcessMixnet) -> None:
        home.mkdir(mode=0o700)
        self.home = home
        self.node = LoadedNode(home / "node.db", mixnet.transport, names)
        self._senders: list[Sender] = [self.node.sender(number) for number in range(SENDERS)]
        self.lookups_per_s: list[float] = []
        self.forwards_per_s: list[float] = []

    def turn(self) -> None:
        """Ask it for a while, and write to its users."""
        node, senders = self.node, self._senders
        frames = node.lookup_frames(LOOKUPS)
        self.lookups_per_s.append(node.answers.rate(FOUND, LOOKUPS, lambda at: node.ask(at, frames[at]), PIPELINE))
        forwards = [sender.forward(at) for at in range(FORWARDS_EACH) for sender in senders]
        self.forwards_per_s.append(
            node.answers.rate(ACCEPTED, len(forwards), lambda at: senders[at % SENDERS].send(forwards[at]), PIPELINE)
        )

    def starts(self) -> tuple[float, float, float]:
        """Seconds until its process is up, and what it has then: MiB of memory, and MiB on the disk."""
        took, memory = [], []
        for number in range(STARTS):
            nym = NymClient()
            began = time.perf_counter()
            command = usernym_command("--home", str(self.home), "node", "run", "--mixnet", nym.url)
            running = start(str(number), self.home, command)
            running.wait_for("that it is up", lambda told: told.get("event") == "up")
            took.append(time.perf_counter() - began)
            status = Path(f"/proc/{running.process.pid}/status").read_text()
            memory.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
            assert stop(running) == 0
            nym.close()
        return median(took), median(memory), (self.home / "node.db").stat().st_size / 2**20


def print_sizes(few: int, many: int) -> None:
    """Print the table: how many times as long each takes with many names."""
    timers = ThreadTimers()
    mixnet = InProcessMixnet(Emulator(random.Random(1), Faults(hop_delay_s=0.0)), timers)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(timers.close)
        small, large = (_Sized(Path(folder) / str(names), names, mixnet) for names in (few, many))
        with contextlib.ExitStack() as open_nodes:
            open_nodes.callback(small.node.close)
            open_nodes.callback(large.node.close)
            for _ in range(TURNS):
                small.turn()
                large.turn()
        for what, less, more in (
            ("lookups answered", small.lookups_per_s, large.lookups_per_s),
            ("forwards on disk and accepted", small.forwards_per_s, large.forwards_per_s),
        ):
            ratio = median(one / other for one, other in zip(less, more, strict=True))
            print(
                f"  {what:<32} {median(less):8,.0f} /s {median(more):8,.0f} /s {ratio:5.2f} times as long", flush=True
            )
        for one in (small, large):
            took_s, memory, disk = one.starts()
            print(f"  {one.home.name:>9} names: up in {took_s:.2f} s, {memory:,.0f} MiB in memory, {disk:,.0f} on disk")


if __name__ == "__main__":
    print_sizes(FEW, int(sys.argv[1]) if len(sys.argv) > 1 else MANY)
