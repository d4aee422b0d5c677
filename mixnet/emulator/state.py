"""What the emulated mixnet consists of: its bounds, its faults, its counters, and the state of its clients.

Times are seconds on the caller's clock. Where a figure has no source of its own it was measured on, or read from,
nymtech/nym 1.21 (nym-sdk 1.21.6); docs/emulator.md says what is emulated and what is not.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from usernym.mixnet.transport import MESSAGE_BYTES_MAX, SURBS_MAX

HOPS: Final = 3
"""Mix nodes on a packet's way."""
HOP_DELAY_S: Final = 0.015
"""Mean of the exponential delay at each hop."""
ACK_TIMEOUT_S: Final = 1.6
"""A packet that was not acknowledged by now is sent again."""
REPLY_RETRANSMISSIONS_MAX: Final = 10
"""How often one packet of a reply is sent again; other packets are sent until they are acknowledged."""
SURB_AGE_S_MAX: Final = 24 * 3600.0
"""Reply keys are forgotten at this age, and their SURBs with them."""
GATEWAY_S: Final = 24 * 3600.0
"""How long a gateway keeps packets for a client that is away."""
CATCH_UP_S: Final = 0.5
"""What a gateway kept is handed over within this time, in no order."""

STOCK_MAX: Final = SURBS_MAX
"""SURBs kept for one sender; the oldest make room."""
SURB_REQUEST_MIN: Final = 10
SURB_REQUEST_MAX: Final = 50
"""A replier asks for as many SURBs as its queue needs, within these bounds."""
REREQUEST_S: Final = 10.0
"""While a reply waits for SURBs, they are asked for again this often."""
WAITING_S_MAX: Final = 44.0
"""A reply that has waited this long for SURBs is dropped."""
FRESH_TAG_S: Final = 60.0
"""A tag of a single message is forgotten at this age, with its SURBs."""
SURB_MINIMUM_NYM_CLIENT: Final = 10
"""The stock a nym-client keeps back for asking for more."""
SURB_MINIMUM_EPHEMERAL: Final = 20
"""The stock an ephemeral client of nym-sdk keeps back."""

CLIENTS_MAX: Final = 10_000
"""Emulated clients: far above a simulation's need; it bounds the tables kept for pairs of them."""
STOCKS_MAX: Final = 50_000
"""Senders whose SURBs one client keeps; the one silent for longest makes room. Five lifetimes of every client."""
MESSAGES_MAX: Final = 200_000
"""Messages on their way, waiting or stored, all clients together."""
MESSAGE_BYTES_SUM_MAX: Final = 512 * 1024 * 1024
"""Their payloads together: a bound on the memory of the process."""
GATEWAY_MESSAGES_MAX: Final = 50_000
"""Messages a gateway keeps for one absent client, so that one can't use up everyone's room."""
OUTBOX_MAX: Final = 10_000
"""Messages a client that lost its gateway holds until it is back."""
WAITING_MAX: Final = 1_000
"""Replies that wait for the SURBs of one sender."""

assert GATEWAY_MESSAGES_MAX < MESSAGES_MAX
assert MESSAGE_BYTES_MAX < MESSAGE_BYTES_SUM_MAX


@dataclass(frozen=True, slots=True)
class LinkDelay:
    """What one client sends to another takes so many seconds longer."""

    sender: int
    recipient: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Faults:
    """How badly the mixnet behaves. Raises `ValueError` for impossible values."""

    loss: float = 0.0
    """Probability that a packet, or its acknowledgement, is lost on the way; lost packets are sent again."""
    silent_loss: float = 0.0
    """Probability that a whole message vanishes for good, acknowledged: what a real client does now and then."""
    duplication: float = 0.0
    """Probability that a message is handed over twice."""
    hop_delay_s: float = HOP_DELAY_S
    """Mean delay of a packet at each of three hops, in seconds."""
    reorder: bool = True
    """Whether messages may overtake each other. If not, they reach each client in the order of sending; what had to
    be sent again, or was kept at a gateway, still comes late."""
    surb_age_s: float = SURB_AGE_S_MAX
    """At what age a SURB is dead."""
    partition: tuple[tuple[int, ...], ...] = ()
    """Groups of clients that reach no one of another group: their packets are lost, and sent again. A client that is in
    no group reaches everyone."""
    links: tuple[LinkDelay, ...] = ()
    """Clients that are far apart."""

    def __post_init__(self) -> None:
        for name in ("loss", "silent_loss", "duplication"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a probability: it must lie between 0 and 1")
        if not 0.0 <= self.hop_delay_s <= 3600.0:
            raise ValueError("hop_delay_s must lie between 0 and 3600 seconds")
        if not 0.0 < self.surb_age_s <= SURB_AGE_S_MAX:
            raise ValueError(f"surb_age_s must lie between 0 and {SURB_AGE_S_MAX:.0f} seconds")
        grouped = [client for group in self.partition for client in group]
        if len(set(grouped)) != len(grouped):
            raise ValueError("a client can be in one group of a partition only")
        if any(not 0.0 <= link.delay_s <= 3600.0 for link in self.links):
            raise ValueError("a link's delay must lie between 0 and 3600 seconds")

    def separated(self, sender: int, recipient: int) -> bool:
        """Whether no packet gets from one client to the other."""
        groups = [number for number, group in enumerate(self.partition) if sender in group or recipient in group]
        return len(groups) > 1

    def link_delay_s(self, sender: int, recipient: int) -> float:
        """The extra delay in seconds from one client to the other, beyond the hops."""
        return sum(link.delay_s for link in self.links if (link.sender, link.recipient) == (sender, recipient))


class Kind(Enum):
    """What a message is for the mixnet client, before the application sees any of it."""

    PLAIN = "plain"
    ANONYMOUS = "anonymous"
    REPLY = "reply"
    SURB_REQUEST = "surb request"
    SURB_ANSWER = "surb answer"


@dataclass(slots=True)
class PacketCounts:
    """Sphinx packets of one client since it was added; an incoming message counts when all of it is there."""

    sent_data: int = 0
    sent_surb_requests: int = 0
    sent_surb_answers: int = 0
    sent_retransmissions: int = 0
    received_data: int = 0
    received_surb_requests: int = 0
    received_surb_answers: int = 0
    received_retransmissions: int = 0

    def sent(self) -> int:
        return self.sent_data + self.sent_surb_requests + self.sent_surb_answers + self.sent_retransmissions

    def received(self) -> int:
        return (
            self.received_data
            + self.received_surb_requests
            + self.received_surb_answers
            + self.received_retransmissions
        )

    def count_sent(self, kind: Kind, packets: int) -> None:
        """Count packets that leave for the first time."""
        if kind is Kind.SURB_REQUEST:
            self.sent_surb_requests += packets
        elif kind is Kind.SURB_ANSWER:
            self.sent_surb_answers += packets
        else:
            self.sent_data += packets

    def count_received(self, kind: Kind, packets: int, retransmitted: int) -> None:
        """Count the packets of a message, of which `retransmitted` came only when sent again."""
        self.received_retransmissions += retransmitted
        if kind is Kind.SURB_REQUEST:
            self.received_surb_requests += packets - retransmitted
        elif kind is Kind.SURB_ANSWER:
            self.received_surb_answers += packets - retransmitted
        else:
            self.received_data += packets - retransmitted


@dataclass(slots=True, eq=False)
class Flight:
    """One message between two clients, from its sending until it is handed over or lost."""

    kind: Kind
    sender: int
    process: int
    """The sender's process that sent it: only that one sends its packets again."""
    keys: int
    """The sender's set of reply keys at that time, which the SURBs attached belong to."""
    recipient: int
    packets: int
    data: bytes = field(default=b"", repr=False)
    tag: bytes | None = field(default=None, repr=False)
    """The sender tag that the recipient sees; for a reply and a SURB request, the tag that is replied to."""
    surbs: int = 0
    """SURBs attached, or asked for."""
    made_at: float = 0.0
    stock: Stock | None = field(default=None, repr=False)
    """For what travels over SURBs: where they come from."""
    missing: int = 0
    """Packets that have not reached the recipient's gateway."""
    retransmitted: int = 0
    first_at: float = float("inf")
    last_at: float = 0.0
    vanishes: bool = False
    ended: bool = False
    fresh_tag: bool = False
    """Whether the tag is this message's alone."""


@dataclass(slots=True, eq=False)
class Waiting:
    """Packets of a reply that wait for SURBs: first ones, or (with `attempt` above 0) ones to send again."""

    flight: Flight
    since: float
    missing: int
    repeats: int = 0
    attempt: int = 0

    def packets(self) -> int:
        """SURBs that this needs."""
        return self.missing + self.repeats

    def split(self, packets: int, rng: random.Random) -> Waiting:
        """Take that many packets out, at random: the sender can't tell lost packets from lost acknowledgements."""
        chosen = rng.sample(range(self.packets()), packets) if self.repeats else range(packets)
        missing = sum(number < self.missing for number in chosen)
        self.missing -= missing
        self.repeats -= packets - missing
        return Waiting(self.flight, self.since, missing, packets - missing, self.attempt)


@dataclass(slots=True, eq=False)
class Stock:
    """What a replier holds for one sender tag."""

    sender: int
    process: int
    """The process of the sender that made the tag: only that one sends more SURBs."""
    keys: int
    """The sender's set of reply keys: a crash of the sender loses it, and the SURBs lead nowhere."""
    batches: deque[list[float]] = field(default_factory=deque)
    """[made at, how many, whether the sender's mixnet client gave them by itself], oldest first."""
    spent_gifts: deque[tuple[float, int]] = field(default_factory=deque)
    """Of those that the mixnet client gave by itself and that were spent: (made at, how many)."""
    count: int = 0
    expected: int = 0
    """SURBs that were requested and have not arrived."""
    waiting: deque[Waiting] = field(default_factory=deque)
    checking: bool = False
    fresh_tag: bool = False
    """Whether the tag is a single message's: all its SURBs can be spent, and the sender is not asked for others."""

    def add(self, made_at: float, surbs: int, *, on_request: bool = False) -> None:
        """Take SURBs in; above the maximum the oldest go."""
        place = len(self.batches)
        while place and self.batches[place - 1][0] > made_at:  # messages overtake each other
            place -= 1
        self.batches.insert(place, [made_at, surbs, on_request])
        self.count += surbs
        if self.count > STOCK_MAX:
            self.spend(self.count - STOCK_MAX)

    def spend(self, surbs: int) -> None:
        """Remove the oldest `surbs`; there must be as many."""
        self.count -= surbs
        while surbs:
            batch = self.batches[0]
            taken = min(surbs, int(batch[1]))
            batch[1] -= taken
            surbs -= taken
            if batch[2]:
                self.spent_gifts.append((batch[0], taken))
            if not batch[1]:
                self.batches.popleft()

    def discard_dead(self, dead_until: float) -> None:
        """Forget SURBs made at or before that time."""
        while self.batches and self.batches[0][0] <= dead_until:
            self.count -= int(self.batches.popleft()[1])
        while self.spent_gifts and self.spent_gifts[0][0] <= dead_until:
            self.spent_gifts.popleft()

    def given_by_program(self, dead_until: float) -> int:
        """SURBs made after that time that the sender's program gave, as though they were spent before all others:
        neither it nor anyone else sees which of them a replier spends."""
        alive = sum(int(count) for made_at, count, by_itself in self.batches if made_at > dead_until and not by_itself)
        return max(0, alive - sum(count for made_at, count in self.spent_gifts if made_at > dead_until))

    def wanted(self) -> int:
        """SURBs that the waiting packets need."""
        return sum(waiting.packets() for waiting in self.waiting)


@dataclass(slots=True, eq=False)
class EmulatedClient:
    """One emulated mixnet client, and what its gateway keeps for it."""

    address: bytes = field(repr=False)
    surb_minimum: int
    connected: bool = True
    surbs_on_request: int = SURB_REQUEST_MAX
    """SURBs that it gives at most when a replier asks for some."""
    process: int = 0
    keys: int = 0
    tags: dict[int, bytes] = field(default_factory=dict, repr=False)
    """Recipient to sender tag, of this process."""
    stocks: dict[bytes, Stock] = field(default_factory=dict, repr=False)
    """Sender tag to SURBs, the one that was filled last at the end."""
    fresh_tags: bool = True
    """Whether it takes messages whose tag is theirs alone; a nym-client does not."""
    outbox: deque[tuple[bytes, bytes, int | None, bool, bool]] = field(default_factory=deque, repr=False)
    """(address or tag, data, SURBs, whether under a fresh tag, whether a reply), while there is no gateway."""
    gateway: list[tuple[float, Flight]] = field(default_factory=list, repr=False)
    counts: PacketCounts = field(default_factory=PacketCounts)
    left_at: float = 0.0
    """When it lost its gateway, if it has none."""
    forgotten_until: float = float("-inf")
    """Fragments that came up to this time were in the memory of a process that has ended."""
    last_at: float = 0.0
    """When the last message arrives, where order is kept."""
    out: deque[list[float]] = field(default_factory=deque)
    """[made at, how many] of the SURBs that it gave with the present reply keys and that have not come back, oldest
    first."""

    def give(self, now: float, surbs: int) -> None:
        """So many SURBs leave."""
        if surbs:
            self.out.append([now, surbs])

    def take_back(self, surbs: int) -> None:
        """A packet came over each of so many; which of them is not known, so the oldest."""
        while surbs and self.out:
            lot = self.out[0]
            taken = min(surbs, int(lot[1]))
            lot[1] -= taken
            surbs -= taken
            if not lot[1]:
                self.out.popleft()

    def count_out(self, now: float) -> int:
        """Those that have not come back, and whose reply keys are not too old."""
        while self.out and self.out[0][0] + SURB_AGE_S_MAX <= now:
            self.out.popleft()
        return int(sum(count for _, count in self.out))
