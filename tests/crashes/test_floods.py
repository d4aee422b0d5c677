"""Floods against a real node: its memory stays in bounds, and the honest are served while they last.

Twice each. At a pace that twenty Nym clients could keep (each sends 50 packets a second), someone looks a name up and
has a text delivered meanwhile. As fast as the emulator takes it, most is dropped, and the node's resident memory, as
the kernel tells it, stays below a bound that a queue of what was sent would break.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

import pytest

import usernym
from tests.helpers.crash_world import Crowd, cut_names
from usernym.mixnet.addresses import parse_address
from usernym.mixnet.emulator.control import ask
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.transport import MixnetError, TransportEvent, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.cards import parse_card
from usernym.protocol.codec import encode_signed, encode_unsigned
from usernym.protocol.limits import FRAME_BYTES_MAX
from usernym.protocol.signing import SigningKey

pytestmark = pytest.mark.processes

PACED_S: Final = 1.5
PACE_PER_S: Final = 1_000
BURST_S: Final = 1.5
HONEST_S: Final = 45.0
"""How long an honest request may take in a flood; without one it takes a fraction of a second."""
MIB: Final = 2**20

Frames = Iterator[tuple[bytes, int]]
"""What a flood sends: a frame, and how many SURBs with it."""


def resident_bytes(crowd: Crowd | None) -> int:
    """The node's resident memory; without a crowd, this process's."""
    pid = os.getpid() if crowd is None or not crowd.nodes else crowd.node.process.pid
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Flood:
    """Hands frames to a mixnet client, at a pace or as fast as it takes them, from `__enter__` to `__exit__`."""

    def __init__(self, mixnet: str, to: bytes, frames: Frames, pace_per_s: int | None) -> None:
        self._to = to
        self._frames = frames
        self._pace_per_s = pace_per_s
        self._up = threading.Event()
        self._stop = threading.Event()
        self.sent = 0
        self._transport = NymClientTransport(mixnet)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, TransportUp):
            self._up.set()

    def _run(self) -> None:
        begun = time.monotonic()
        for data, surbs in self._frames:
            if self._pace_per_s is not None:
                time.sleep(max(0.0, begun + self.sent / self._pace_per_s - time.monotonic()))
            while not self._stop.is_set():
                try:
                    self._transport.send(self._to, data, surbs)
                    self.sent += 1
                    break
                except MixnetError:
                    time.sleep(0.01)
            if self._stop.is_set():
                return

    def __enter__(self) -> Self:
        self._transport.open(self._on_event)
        assert self._up.wait(20)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        self._transport.close()


# -- floods -----------------------------------------------------------------------------------------------------------

KEY = SigningKey.from_seed(b"f" * 32)


def request_ids() -> Iterator[bytes]:
    return (number.to_bytes(8, "big") for number in itertools.count())


def half_finished_challenges(_: bytes) -> Frames:
    """Registrations that ask for a challenge, and never answer it."""
    for request_id in request_ids():
        name = f"flood_{request_id.hex()[-8:]}"
        yield encode_unsigned(m.RegisterAsk(request_id, 2, name, KEY.public, request_id * 4)), 2


def logins_never_proved(_: bytes) -> Frames:
    for request_id in request_ids():
        yield encode_unsigned(m.LoginAsk(request_id, 2, "ann")), 2


def proofs_of_nothing(node: bytes) -> Frames:
    """Signed requests without an account: the most expensive ones that cost the sender nothing."""
    for request_id in request_ids():
        forward = m.Forward(
            request_id, "nobody_here", "ann", bytes(16), int(time.time()), 1, b"s" * 1_338, bytes(64), None
        )
        yield encode_signed(forward, KEY, node), 0


def lookups(_: bytes) -> Frames:
    for request_id in request_ids():
        yield encode_unsigned(m.Lookup(request_id, 2, "ann")), 2


def huge_garbage(_: bytes) -> Frames:
    while True:
        yield random.randbytes(FRAME_BYTES_MAX), 0


def huge_messages(node: bytes) -> Frames:
    """As large as a frame may be, and well-formed: what waits is at its largest."""
    for request_id in request_ids():
        forward = m.Forward(request_id, "nobody_here", "ann", bytes(16), 1, 1, b"s" * 67_100, bytes(64), None)
        yield encode_signed(forward, KEY, node), 0


def tiny_frames(_: bytes) -> Frames:
    for number in itertools.count():
        yield bytes((number % 256,)), number % 2


FLOODS = [
    half_finished_challenges,
    logins_never_proved,
    proofs_of_nothing,
    lookups,
    huge_garbage,
    huge_messages,
    tiny_frames,
]
GROWS_BYTES_MAX: Final = 32 * MIB
"""How much more memory a flood may take: 0 to 7 MiB was measured. Without bounds, 35,000 small frames take more."""
LARGEST_GROW_BYTES_MAX: Final = 128 * MIB
"""The same for the largest messages: 50 MiB was measured; a thousand may wait for one actor (64 MiB), behind 16 MiB of
frames that wait for I/O. Queued without bound, those of one burst are some 200 MiB."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """A node; ann and bob are users, the others' mixnet clients are the floods'."""
    with Crowd(tmp_path_factory.mktemp("floods"), cut_names(4)) as crowd:
        crowd.start_node()
        yield crowd


@pytest.fixture(scope="module")
def users(crowd: Crowd) -> Iterator[tuple[usernym.Client, usernym.Client]]:
    with crowd.honest_pair(HONEST_S) as pair:
        yield pair


@pytest.mark.parametrize("frames", FLOODS)
def test_a_flood_takes_bounded_memory_and_the_honest_are_served(
    crowd: Crowd, users: tuple[usernym.Client, usernym.Client], frames: Callable[[bytes], Frames]
) -> None:
    ann, bob = users
    card = parse_card(crowd.card)
    received, before = frames_received(crowd), resident_bytes(crowd)
    with Flood(crowd.mixnets["cleo"], card.addresses[0], frames(card.node), PACE_PER_S) as flood:
        end = time.monotonic() + PACED_S
        slowest = 0.0
        for number in itertools.count():
            asked = time.monotonic()
            bob.look_up("ann", HONEST_S)
            sent = ann.send("bob", f"in the flood: {number}", wait="delivered", timeout=HONEST_S)
            assert sent.state is usernym.DeliveryState.DELIVERED
            slowest = max(slowest, time.monotonic() - asked)
            if time.monotonic() >= end:
                break
    paced = flood.sent
    assert paced > PACED_S * PACE_PER_S / 10, "or it was no flood"

    grown = 0
    with Flood(crowd.mixnets["cleo"], card.addresses[0], frames(card.node), None) as flood:
        end = time.monotonic() + BURST_S
        while time.monotonic() < end:
            grown = max(grown, resident_bytes(crowd) - before)
            time.sleep(0.02)
    told = f"{paced} paced, others served within {slowest:.1f} s; {flood.sent} in a burst, {grown / MIB:.1f} MiB more"
    sys.stdout.write(f"{frames.__name__}: {told}\n")
    assert grown < (LARGEST_GROW_BYTES_MAX if frames is huge_messages else GROWS_BYTES_MAX)
    ann.send("bob", "after the flood", wait="delivered", timeout=2 * HONEST_S)
    status = crowd.node_status()
    assert frames_received(crowd) - received > paced / 2, "they reached the node"
    assert status["accounts"] == 2
    assert not any({"bugs", "bugs_dropped"} & set(counters) for counters in status["counters"].values())


def frames_received(crowd: Crowd) -> int:
    count: int = crowd.node_status()["counters"]["io"]["frames_received"]
    return count


def test_what_strangers_send_to_a_client_takes_bounded_memory_too(
    crowd: Crowd, users: tuple[usernym.Client, usernym.Client]
) -> None:
    """An address that was revealed can be written to by anyone. The client is this process: it is measured here."""
    _, bob = users
    address = parse_address(ask_address(crowd, "ann"))
    for frames in (huge_messages, tiny_frames, huge_garbage):
        before, grown = resident_bytes(None), 0
        with Flood(crowd.mixnets["dan"], address, frames(parse_card(crowd.card).node), PACE_PER_S):
            end = time.monotonic() + PACED_S
            while time.monotonic() < end:
                grown = max(grown, resident_bytes(None) - before)
                time.sleep(0.02)
            bob.send("ann", "in the strangers' flood", wait="delivered", timeout=HONEST_S)
        # The flood's own queue is in this process too.
        assert grown < LARGEST_GROW_BYTES_MAX, frames.__name__


def ask_address(crowd: Crowd, name: str) -> str:
    """The Nym address behind a mixnet client, as the emulator tells it."""
    port = int(crowd.mixnets[name].rpartition(":")[2])
    counters = ask(crowd.network.control_port, {"do": "counters"})
    (address,) = [str(client["address"]) for client in counters["clients"] if client["port"] == port]
    return address
