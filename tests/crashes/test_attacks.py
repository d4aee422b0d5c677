"""A real node under each attack for a minute: honest people are served meanwhile, and it takes no more of the machine.

`make attacks` runs them (ATTACK_S seconds each). The attackers speak frames over mixnet clients of their own.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self, cast

import pytest

import usernym
from tests.helpers.crash_world import Crowd, cut_names
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.transport import Incoming, MixnetError, TransportEvent, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.cards import parse_card
from usernym.protocol.challenges import search_work, whole_record_hash
from usernym.protocol.codec import decode, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import FRAME_BYTES_MAX, SURBS_GIVEN_MAX
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.records import first_record
from usernym.protocol.signing import SigningKey

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(1_800)]

ATTACK_S: Final = float(os.environ.get("ATTACK_S", "60"))
HONEST_S: Final = 60.0
"""How long an honest request may take under an attack."""
GROWS_BYTES_MAX: Final = 64 * 2**20
"""How much more memory the node may take for an attack."""
FILES_MAX: Final = 16
"""How many more open files."""
SHORT, LONG = min(SEALED_SIZES), max(SEALED_SIZES)


class Attacker:
    """An account without a client: frames, and what comes back."""

    def __init__(self, crowd: Crowd, mixnet: str, name: str) -> None:
        self.card = parse_card(crowd.card)
        self.name = name
        self.key = SigningKey.from_seed(os.urandom(32))
        self.login_id = b""
        self.delivered: queue.SimpleQueue[m.Deliver] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._up = threading.Event()
        self._transport = NymClientTransport(mixnet)
        self.sent = 0

    def __enter__(self) -> Self:
        self._transport.open(self._on_event)
        assert self._up.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, TransportUp):
            self._up.set()
        elif isinstance(event, Incoming):
            with contextlib.suppress(RemoteProtocolError):
                message = decode(event.data).message
                if isinstance(message, m.Deliver):
                    self.delivered.put(message)
                else:
                    self._answers.put(message)

    def throw(self, message: m.Message, surbs: int, pause_s: float = 0.02) -> None:
        """Send a message with so many SURBs, whatever it says of them; at Nym's 50 packets a second."""
        data = (
            encode_signed(message, self.key, self.card.node) if is_signed(message) else encode_unsigned(message)
        )  # fmt: skip
        with contextlib.suppress(MixnetError):
            self._transport.send(self.card.addresses[0], data, surbs)
            self.sent += 1
        time.sleep(pause_s)

    def ask(self, request: Any) -> Any:
        """A request's answer."""
        self.throw(request, 2)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            answer = self._answers.get(timeout=20)
            if getattr(answer, "request_id", None) == request.request_id:
                return answer
        raise TimeoutError(type(request).__name__)

    def register_and_log_in(self) -> None:
        """Have an account, and a route."""
        recovery = SigningKey.from_seed(os.urandom(32)).public
        record = first_record(self.key, recovery, self.card.node, self.name, os.urandom(32), int(time.time()))
        asked = self.ask(m.RegisterAsk(os.urandom(8), 2, self.name, self.key.public, whole_record_hash(record)))
        work = search_work(self.card.node, asked.nonce, asked.difficulty, 0, 10**8)
        proof = m.RegisterProof(
            os.urandom(8), 2, self.name, record, asked.nonce, asked.expires_at, asked.difficulty, asked.mac,
            cast(int, work),
        )  # fmt: skip
        assert isinstance(self.ask(proof), m.Registered)
        self.log_in()

    def log_in(self) -> None:
        """Take the route again."""
        asked = self.ask(m.LoginAsk(os.urandom(8), 2, self.name))
        proof = m.LoginProof(
            os.urandom(8), 2, self.name, asked.nonce, asked.expires_at, asked.mac, self.card.sequence, 255
        )  # fmt: skip
        self.login_id = self.ask(proof).login_id

    def tops_up(self, said: int, surbs: int) -> None:
        self.throw(m.TopUp(said, self.name, self.login_id), surbs)

    def writes(self, to: str, size: int) -> None:
        """A seal of nothing, of this size."""
        self.throw(
            m.Forward(
                os.urandom(8), self.name, to, os.urandom(16), int(time.time()), 1, os.urandom(size), bytes(64), None
            ),
            0,
        )

    def acknowledges(self, token: bytes | None) -> None:
        """What has come."""
        items: list[m.Acknowledged] = []
        while not self.delivered.empty() and len(items) < 16:
            items.append(m.Acknowledged(self.name, self.delivered.get().message_id, token))
        if items:
            self.throw(m.Acknowledge(2, self.name, self.login_id, tuple(items), ()), 2)


# -- attacks: one step of each --


def longest_messages(attacker: Attacker) -> None:
    """As long as a frame may be, and a little longer, to itself and back."""
    attacker.tops_up(90, 90)
    attacker.writes(attacker.name, LONG)
    attacker.writes(attacker.name, FRAME_BYTES_MAX - 300)
    attacker.acknowledges(None)


def never_acknowledged(attacker: Attacker) -> None:
    """One packet after the other to a user and to itself; nothing is acknowledged."""
    attacker.writes("ann", SHORT)
    attacker.writes(attacker.name, SHORT)
    attacker.throw(m.Heartbeat(os.urandom(8), 2, attacker.name, attacker.login_id, ()), 2)


def lies_about_surbs(attacker: Attacker) -> None:
    attacker.writes(attacker.name, LONG)
    for _ in range(4):
        attacker.tops_up(255, 1)
    attacker.throw(m.Heartbeat(os.urandom(8), 255, attacker.name, attacker.login_id, ()), 1)


def invents_statements(attacker: Attacker) -> None:
    """Tokens, confirmations and statements that are not true."""
    attacker.tops_up(10, 10)
    attacker.writes(attacker.name, SHORT)
    if not attacker.delivered.empty():
        told = attacker.delivered.get()
        said = m.Unopenable(0, attacker.name, attacker.login_id, told.sender, told.message_id, os.urandom(64))
        attacker.throw(said, 0)
        attacker.delivered.put(told)
    attacker.acknowledges(os.urandom(16))
    attacker.throw(m.Heartbeat(os.urandom(8), 2, attacker.name, attacker.login_id, tuple(range(1, 65))), 2)


def logs_in_for_ever(attacker: Attacker) -> None:
    attacker.log_in()


def asks_for_histories(attacker: Attacker) -> None:
    for _ in range(20):
        attacker.throw(m.History(os.urandom(8), SURBS_GIVEN_MAX, "ann", 0), 3)


def looks_up_more_than_a_node_answers(attacker: Attacker) -> None:
    """As of many mixnet clients, none of which pays."""
    for _ in range(100):
        attacker.throw(m.Lookup(os.urandom(8), 3, "ann", 1), 3, pause_s=0.0)


ATTACKS = [
    longest_messages, never_acknowledged, lies_about_surbs, invents_statements, logs_in_for_ever, asks_for_histories,
    looks_up_more_than_a_node_answers,
]  # fmt: skip


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with Crowd(tmp_path_factory.mktemp("attacks"), cut_names(3)) as crowd:
        crowd.start_node()
        yield crowd


@pytest.fixture(scope="module")
def users(crowd: Crowd) -> Iterator[tuple[usernym.Client, usernym.Client]]:
    with crowd.honest_pair(HONEST_S) as pair:
        yield pair


def taken(crowd: Crowd) -> tuple[int, int]:
    """What the node has of the machine: bytes of resident memory, and open files."""
    process = Path(f"/proc/{crowd.node.process.pid}")
    pages = int((process / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list((process / "fd").iterdir()))


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=[attack.__name__ for attack in ATTACKS])
def test_a_node_under_attack_serves_the_honest(
    crowd: Crowd, users: tuple[usernym.Client, usernym.Client], number: int
) -> None:
    _, bob = users
    attack: Callable[[Attacker], None] = ATTACKS[number]
    pid, before = crowd.node.process.pid, taken(crowd)
    rounds, slowest = 0, 0.0
    with Attacker(crowd, crowd.mixnets["cleo"], "xyz" + "abcdefg"[number]) as attacker:
        attacker.register_and_log_in()
        over = threading.Event()

        def attacks() -> None:
            while not over.is_set():
                with contextlib.suppress(queue.Empty, TimeoutError, AttributeError):  # refused: the next one follows
                    attack(attacker)

        thread = threading.Thread(target=attacks, daemon=True)
        thread.start()
        end = time.monotonic() + ATTACK_S
        while time.monotonic() < end:
            asked = time.monotonic()
            bob.look_up("ann", HONEST_S)
            sent = bob.send("ann", f"{attack.__name__} {rounds}", wait="delivered", timeout=HONEST_S)
            assert sent.state is usernym.DeliveryState.DELIVERED
            slowest, rounds = max(slowest, time.monotonic() - asked), rounds + 1
        over.set()
        thread.join(30)
    after = taken(crowd)
    assert crowd.node.process.poll() is None
    assert crowd.node.process.pid == pid
    counters = crowd.node_status()["counters"]
    assert not any({"bugs", "bugs_dropped"} & set(counts) for counts in counters.values())
    grown, files = after[0] - before[0], after[1] - before[1]
    sys.stdout.write(
        f"{attack.__name__}: {attacker.sent} frames in {ATTACK_S:.0f} s; {rounds} lookups and texts meanwhile, the"
        f" slowest in {slowest:.1f} s; {grown / 2**20:+.1f} MiB, {files:+d} open files\n"
    )
    assert attacker.sent > ATTACK_S, "or it was no attack"
    assert attack is not looks_up_more_than_a_node_answers or counters["io"]["work_wanted"]
    assert grown < GROWS_BYTES_MAX
    assert files < FILES_MAX
