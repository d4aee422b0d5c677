"""A file beside full-size texts of as many bytes, on a link of Nym's pace that loses packets: simulated.

A mixnet client with cover traffic sends 50 packets a second; the emulator has no such limit, so it is put before it.
Both go the same way, with the same losses. What a mixnet client sends again by itself is not counted in the pace.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from usernym.actors import messages as msg
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.transport import MixnetError
from usernym.protocol.files import PLAIN_FILE
from usernym.protocol.limits import TEXT_BYTES_MAX
from usernym.protocol.packets import anonymous_packets, reply_packets
from usernym.storage.client.types import DeliveryState, Direction, FileState
from usernym.testing.world import SimClient, World

PACKETS_PER_S = 50
LOSS = 0.2
SIZES = (1_000_000, 3_000_000)
"""Bytes of a file: the smaller it is, the more its beginning and its end weigh."""
WORLDS = 8
END_S = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Carried:
    """Virtual seconds for the same bytes, on average."""

    way: str
    size: int
    file_s: float
    texts_s: float

    @property
    def share(self) -> float:
        """The file's rate as a share of the texts'."""
        return self.texts_s / self.file_s


def _paced(world: World) -> None:
    """Let each mixnet client hand over so many packets a second, in the order in which they came."""
    mixnet, free_at = world.mixnet, dict[int, float]()
    send, reply = mixnet.send, mixnet.reply

    def later(client: int, packets: int, action: Callable[[], None]) -> None:
        now = world.sim.now()
        free_at[client] = max(now, free_at.get(client, 0.0)) + packets / PACKETS_PER_S

        def hand_over() -> None:
            with contextlib.suppress(MixnetError):  # its SURBs may have died since, as they would in the mixnet client
                action()

        world.sim.call_later(free_at[client] - now, hand_over)

    def send_later(client: int, to: bytes, data: bytes, surbs: int | None, **how: bool) -> None:
        later(client, anonymous_packets(len(data), surbs or 0), lambda: send(client, to, data, surbs, **how))

    def reply_later(client: int, tag: bytes, data: bytes) -> None:
        later(client, reply_packets(len(data)), lambda: reply(client, tag, data))

    mixnet.send, mixnet.reply = send_later, reply_later  # type: ignore[method-assign, assignment]  # this world's only


def _run(seed: int, carry: Callable[[World, SimClient], None], *, direct: bool) -> float:
    with World(seed, disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        if direct:
            alice.offer("bob")
            world.settle(60)
            bob.accept("alice")
            world.settle(60)
        world.core.faults = Faults(loss=LOSS)
        _paced(world)
        began = world.sim.now()
        carry(world, alice)
        return world.sim.now() - began


def _file(world: World, alice: SimClient, size: int) -> None:
    content = random.Random(1).randbytes(size)
    file: bytes = alice.do(
        alice.graph.forwarding, lambda answer: msg.SendFile("bob", "x", PLAIN_FILE, content, answer), END_S
    )

    def complete() -> bool:
        found = alice.store.files.get("bob", file, Direction.OUT)
        return found is not None and found.state is FileState.COMPLETE

    world.sim.run_until(complete, END_S)


def _texts(world: World, alice: SimClient, size: int) -> None:
    count = -(-size // TEXT_BYTES_MAX)
    texts = [alice.send("bob", f"{number:03}".ljust(size // count, "x")) for number in range(count)]
    world.sim.run_until(lambda: all(DeliveryState.DELIVERED in alice.states(text) for text in texts), END_S)


def carried(size: int, *, direct: bool, worlds: int = WORLDS) -> Carried:
    """`size` bytes as a file and as texts, in so many worlds each."""
    took = {
        carry: sum(_run(seed, partial(carry, size=size), direct=direct) for seed in range(worlds)) / worlds
        for carry in (_file, _texts)
    }
    return Carried("directly" if direct else "through the node", size, took[_file], took[_texts])


def files_table() -> list[Carried]:
    """Each size, through the node and directly."""
    return [carried(size, direct=direct) for direct in (False, True) for size in SIZES]


def print_files() -> None:
    """Print the table."""
    for row in files_table():
        seconds = f"{row.file_s:8.1f} s as a file, {row.texts_s:8.1f} s as full-size texts"
        print(f"  {row.size:>9,} bytes {row.way:<18} {seconds}   {row.share:6.0%} of their rate")


if __name__ == "__main__":
    print_files()
