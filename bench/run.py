"""`make bench`: packets per operation, files beside texts, one node's speed as a share of this machine's Ed25519
verification rate, a node's workers on PostgreSQL, the directory's log with many names, a long history beside a short
one.

Figures in seconds differ from machine to machine and from run to run; the shares are taken within one run. Node,
load and emulated mixnet share one process, and so Python's lock: a node with a process of its own does better.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.directory import directory_table
from bench.files import LOSS, PACKETS_PER_S, WORLDS, print_files
from bench.history import LONG, SHORT, Figure, history_table
from bench.load import ACCEPTED, FOUND, LoadedNode
from bench.operations import packets_table
from bench.page import FEW, MANY, page_table
from bench.workers import print_workers
from tests.helpers.browser import missing
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.transport import Transport
from usernym.protocol.signing import Context, SigningKey, verify
from usernym.timers import ThreadTimers

LOOKUPS = 6_000
SENDERS, FORWARDS_EACH = 40, 150


def verifications_per_second(seconds: float = 1.0) -> float:
    """One core's Ed25519 verifications, as the node makes them."""
    key = SigningKey.from_seed(os.urandom(32))
    body = os.urandom(1400)
    signature = key.sign(Context.REQUEST, body)
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        verify(key.public, signature, Context.REQUEST, body)
        count += 1
    return count / seconds


def load_node(new_transport: Callable[[], Transport], lookups: int, forwards_each: int) -> tuple[float, float]:
    """Lookups answered, and forwards on disk and accepted, a second."""
    with tempfile.TemporaryDirectory() as folder:
        node = LoadedNode(Path(folder) / "node.db", new_transport)
        try:
            frames = node.lookup_frames(lookups)
            answered = node.answers.rate(FOUND, lookups, lambda at: node.ask(at, frames[at]))
            senders = [node.sender(number) for number in range(SENDERS)]
            forwards = [sender.forward(at) for at in range(forwards_each) for sender in senders]
            accepted = node.answers.rate(ACCEPTED, len(forwards), lambda at: senders[at % SENDERS].send(forwards[at]))
        finally:
            node.close()
    return answered, accepted


def main() -> None:
    """Print the tables."""
    print("Sphinx packets per operation (32-letter names; simulated, all top-ups included where it says so)\n")
    for operation, packets in packets_table():
        print(f"  {operation:<58} {packets}")
    print(f"\nFiles at {LOSS:.0%} loss and {PACKETS_PER_S} packets a second; simulated, {WORLDS} worlds each\n")
    print_files()
    base = verifications_per_second()
    timers = ThreadTimers()
    mixnet = InProcessMixnet(Emulator(random.Random(1), Faults(hop_delay_s=0.0)), timers)
    lookups, accepted = load_node(mixnet.transport, LOOKUPS, FORWARDS_EACH)
    timers.close()
    print(f"\nOne node on this machine, beside {base:,.0f} Ed25519 verifications a second of one core\n")
    print(f"  {'lookups answered':<32} {lookups:>8,.0f} /s   {lookups / base:6.1%} of that rate")
    print(f"  {'forwards on disk and accepted':<32} {accepted:>8,.0f} /s   {accepted / base:6.1%} of that rate")
    print("\nProcessor time of each forward of a node's processes; beside one worker in a file, two beside one\n")
    print_workers()
    print(f"\nBeside them, {directory_table()}")
    print(f"\nA history of {LONG:,} texts beside one of {SHORT:,}, in a client's encrypted store\n")
    print_figures(history_table())
    print(
        f"\nThe chat page in Chromium, with {MANY:,} contacts besides beside one with {FEW}, by turns; a search begins"
    )
    print("150 ms after the last key\n")
    print_figures(page_table())


def print_figures(figures: list[Figure]) -> None:
    """A line each; or that there is no browser, which only the page needs."""
    for figure in figures:
        ratio = figure.long_s / figure.short_s
        print(f"  {figure.operation:<42} {figure.long_s * 1000:>7.1f} ms   {ratio:5.1f} times as long")
    if not figures:
        print(f"  not measured: {missing()}")


if __name__ == "__main__":
    main()
