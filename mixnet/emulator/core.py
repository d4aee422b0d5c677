"""The emulated mixnet's core: Nym's semantics without Nym, as a pure and repeatable state machine. No anonymity.

No I/O, no clock, no threads: `now` comes with every call, randomness from the generator given. The same calls with the
same seed give the same run. To drive it: `advance(now)` hands over what has arrived by then, `next_event_at()` says
when to call it again; other calls may move that moment nearer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from usernym.mixnet.emulator import state
from usernym.mixnet.emulator.packets import PacketNetwork
from usernym.mixnet.emulator.state import EmulatedClient, Faults, Flight, Kind, PacketCounts, Stock, Waiting
from usernym.mixnet.transport import ADDRESS_BYTES, MESSAGE_BYTES_MAX, SENDER_TAG_BYTES, SURBS_MAX, MixnetError
from usernym.protocol.packets import PACKET_PAYLOAD_BYTES, PLAIN_OVERHEAD_BYTES, anonymous_packets, reply_packets


class Delivery(NamedTuple):
    """A message for the application of `client`; `tag` is None if it came over a SURB, or was sent plainly."""

    client: int
    data: bytes
    tag: bytes | None


class Emulator:
    """A mixnet with its clients. Clients are known by small numbers, given by `add_client` from 0 on."""

    def __init__(
        self, rng: random.Random, faults: Faults | None = None, new_tag: Callable[[], bytes] | None = None
    ) -> None:
        """`new_tag` makes sender tags, 16 random bytes each; without it they come from `rng`."""
        self._rng = rng
        self._new_tag = new_tag or (lambda: rng.randbytes(SENDER_TAG_BYTES))
        self._clients: list[EmulatedClient] = []
        self._by_address: dict[bytes, int] = {}
        self._network = PacketNetwork(rng, faults or Faults(), self._clients, self._receive, self._send_again)
        self._now = float("-inf")
        self._rotated_at = float("-inf")
        self._deliveries: list[Delivery] = []

    @property
    def faults(self) -> Faults:
        """How badly the mixnet behaves. May be replaced at any time; it holds for what is sent from then on."""
        return self._network.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._network.faults = faults

    @property
    def lost(self) -> Counter[str]:
        """Messages that were lost for good, by reason."""
        return self._network.lost

    # -- clients --

    def add_client(
        self,
        address: bytes | None = None,
        surb_minimum: int = 0,
        connected: bool = True,
        surbs_on_request: int = state.SURB_REQUEST_MAX,
        fresh_tags: bool = True,
    ) -> int:
        """Add a client and return its number. `surb_minimum`: the SURBs of each sender it keeps back (0 to 200);
        `surbs_on_request`: how many it gives at most to a replier that asks; `fresh_tags`: whether it takes messages
        with a tag of their own.

        Raises `MixnetError` for a bad or repeated address, a bad minimum, or one client too many.
        """
        if len(self._clients) >= state.CLIENTS_MAX:
            raise MixnetError(f"the emulator takes at most {state.CLIENTS_MAX} clients")
        if not 0 <= surb_minimum <= state.STOCK_MAX:
            raise MixnetError(f"the SURB minimum must lie between 0 and {state.STOCK_MAX}")
        if address is None:
            address = self._rng.randbytes(ADDRESS_BYTES)
        if len(address) != ADDRESS_BYTES or address in self._by_address:
            raise MixnetError(f"a client's address must be new and have {ADDRESS_BYTES} bytes")
        self._clients.append(EmulatedClient(address, surb_minimum, connected, surbs_on_request, fresh_tags=fresh_tags))
        self._by_address[address] = len(self._clients) - 1
        return len(self._clients) - 1

    def address(self, client: int) -> bytes:
        """The address of a client, which it keeps through restarts and crashes."""
        return self._clients[client].address

    def client_at(self, address: bytes) -> int | None:
        return self._by_address.get(address)

    def counts(self, client: int) -> PacketCounts:
        """The packet counters of a client; they continue counting."""
        return self._clients[client].counts

    def connected(self, client: int) -> bool:
        """Whether the client reaches its gateway."""
        return self._clients[client].connected

    def surbs(self, client: int, tag: bytes) -> int:
        """SURBs that a client holds for a sender tag, those kept back included."""
        stock = self._clients[client].stocks.get(tag)
        return 0 if stock is None else self._alive(stock, self._now)

    def surbs_out(self, now: float, client: int) -> int:
        """SURBs that a client gave with the reply keys that it has, and over which nothing has come back."""
        return self._clients[client].count_out(now)

    def fresh_tags(self, client: int) -> bool:
        """Whether a client takes messages with a tag of their own."""
        return self._clients[client].fresh_tags

    def surbs_on_request(self, client: int) -> int:
        """How many a client gives at most to a replier that asks."""
        return self._clients[client].surbs_on_request

    def surbs_of(self, holder: int, giver: int, *, on_request: bool = True, earlier: bool = True) -> int:
        """SURBs of `giver`'s that `holder` could use now, with all sender tags. `on_request`: with those that the
        giver's mixnet client gave by itself, else as though what its program gave was spent first; `earlier`: with what
        it gave before it ended in order."""
        dead_until = max(self._rotated_at, self._now - self.faults.surb_age_s)
        it = self._clients[giver]
        stocks = [
            stock
            for stock in self._clients[holder].stocks.values()
            if (stock.sender, stock.keys) == (giver, it.keys) and (earlier or stock.process == it.process)
        ]
        if not on_request:
            return sum(stock.given_by_program(dead_until) for stock in stocks)
        return sum(int(count) for stock in stocks for made_at, count, _ in stock.batches if made_at > dead_until)

    def most_waiting(self, holder: int) -> int:
        """Bytes of replies that wait at `holder` for SURBs, of the sender tag with the most. Packets of one reply that
        wait to be sent again are one reply."""
        stocks = self._clients[holder].stocks.values()
        replies = ({id(each.flight): len(each.flight.data) for each in stock.waiting} for stock in stocks)
        return max((sum(sizes.values()) for sizes in replies), default=0)

    # -- what happens to clients --

    def offline(self, now: float, client: int) -> None:
        """Cut the client off its gateway: the gateway keeps what comes, the client keeps what it sends."""
        it = self._clients[client]
        if it.connected:
            it.connected = False
            it.left_at = now

    def online(self, now: float, client: int) -> None:
        """Connect it again: what waited comes within half a second, in no order; what is over 24 h old is gone."""
        it = self._clients[client]
        if it.connected:
            return
        it.connected = True
        self._network.hand_over_stored(now, it)
        outbox = list(it.outbox)
        it.outbox.clear()
        for target, data, surbs, fresh_tag, is_reply in outbox:
            self._network.release(len(data))
            if is_reply:
                self._reply(now, client, target, data)
            else:
                self._send(now, client, target, data, surbs, fresh_tag)

    def restart(self, now: float, client: int) -> None:
        """End the client's process in order, and start it again: its SURBs and reply keys are kept, its tags new.

        What was only in memory is lost: fragments of messages, replies that waited for SURBs, retransmissions.
        """
        it = self._clients[client]
        it.process += 1
        it.tags.clear()
        it.forgotten_until = now if it.connected else max(it.forgotten_until, it.left_at)
        while it.outbox:
            self._network.release(len(it.outbox.popleft()[1]))
            self.lost["sender's process ended"] += 1
        for tag in [tag for tag, stock in it.stocks.items() if stock.fresh_tag]:
            self._forget(now, (client, tag, it.stocks[tag]))
        for stock in it.stocks.values():
            stock.expected = 0
            for waiting in stock.waiting:
                self._network.lose(waiting.flight, "sender's process ended")
            stock.waiting.clear()

    def kill(self, now: float, client: int) -> None:
        """End it as `kill -9` does, and start it again: all SURBs it held are gone, and the reply keys of those it
        gave. Replies to its old tags are lost silently."""
        self.lose_reply_keys(now, client)
        self._clients[client].stocks.clear()

    def lose_reply_keys(self, now: float, client: int) -> None:
        """Restart it in order, but without the reply keys of what it gave: that brings nothing any more."""
        self.restart(now, client)
        it = self._clients[client]
        it.keys += 1
        it.out.clear()

    def rotate_keys(self, now: float) -> None:
        """Let the mix nodes change keys: all SURBs made until now are dead."""
        self._rotated_at = now

    # -- messages --

    def send(
        self, now: float, client: int, recipient: bytes, data: bytes, surbs: int | None, *, fresh_tag: bool = False
    ) -> None:
        """Send to an address: anonymously with that many SURBs (0 to 200), or plainly, without a tag, with None.
        `fresh_tag`: with a tag that is this message's alone; it has a SURB at least.

        Raises `MixnetError` when the message is out of bounds, or too many are on their way. An unknown address is not
        an error: the message is lost.
        """
        if len(recipient) != ADDRESS_BYTES:
            raise MixnetError(f"an address has {ADDRESS_BYTES} bytes")
        if surbs is not None and not 0 <= surbs <= SURBS_MAX:
            raise MixnetError(f"a message carries 0 to {SURBS_MAX} SURBs")
        if fresh_tag and not surbs:
            raise MixnetError("a fresh tag needs a SURB")
        self._check_room(data)
        it = self._clients[client]
        if it.connected:
            self._send(now, client, recipient, data, surbs, fresh_tag)
        else:
            self._hold(it, recipient, data, surbs, fresh_tag=fresh_tag, is_reply=False)

    def reply(self, now: float, client: int, tag: bytes, data: bytes) -> None:
        """Reply to a sender tag. Raises `MixnetError` as `send` does, and for empty data, which can't be decoded."""
        if len(tag) != SENDER_TAG_BYTES:
            raise MixnetError(f"a sender tag has {SENDER_TAG_BYTES} bytes")
        if not data:
            raise MixnetError("a reply must have at least one byte: an empty one can't be decoded")
        self._check_room(data)
        it = self._clients[client]
        if it.connected:
            self._reply(now, client, tag, data)
        else:
            self._hold(it, tag, data, None, fresh_tag=False, is_reply=True)

    def next_event_at(self) -> float | None:
        """When something happens next, if nothing else is done; None: never."""
        return self._network.next_event_at()

    def advance(self, now: float) -> list[Delivery]:
        """Let everything happen that is due by `now`, and return the messages that arrived, in order."""
        self._now = max(self._now, now)
        self._network.run_until(now)
        deliveries, self._deliveries = self._deliveries, []
        return deliveries

    # -- sending --

    def _check_room(self, data: bytes) -> None:
        if len(data) > MESSAGE_BYTES_MAX:
            raise MixnetError(f"a message has at most {MESSAGE_BYTES_MAX} bytes; this one has {len(data)}")
        if not self._network.has_room(len(data)):
            raise MixnetError("too much is on its way in the emulated mixnet: send less at once")

    def _hold(
        self, it: EmulatedClient, target: bytes, data: bytes, surbs: int | None, *, fresh_tag: bool, is_reply: bool
    ) -> None:
        if len(it.outbox) >= state.OUTBOX_MAX:
            raise MixnetError("the client is cut off from its gateway, and holds all the messages it can")
        self._network.reserve(len(data))
        it.outbox.append((target, data, surbs, fresh_tag, is_reply))

    def _send(self, now: float, client: int, recipient: bytes, data: bytes, surbs: int | None, fresh_tag: bool) -> None:
        target = self._by_address.get(recipient)
        it = self._clients[client]
        if surbs is None:
            kind, packets = Kind.PLAIN, -(-(len(data) + PLAIN_OVERHEAD_BYTES) // PACKET_PAYLOAD_BYTES)
        else:
            kind, packets = Kind.ANONYMOUS, anonymous_packets(len(data), surbs)
        if target is None:
            it.counts.count_sent(kind, packets)
            self.lost["no such client"] += 1
            return
        tag = None if surbs is None else self._new_tag() if fresh_tag else self._tag(it, target)
        it.give(now, surbs or 0)
        flight = Flight(kind, client, it.process, it.keys, target, packets, data, tag, surbs or 0, now)
        flight.fresh_tag = fresh_tag
        self._network.begin(flight)
        self._network.transmit(now, Waiting(flight, now, packets))

    def _tag(self, it: EmulatedClient, recipient: int) -> bytes:
        tag = it.tags.get(recipient)
        if tag is None:
            tag = it.tags[recipient] = self._new_tag()
        return tag

    def _reply(self, now: float, client: int, tag: bytes, data: bytes) -> None:
        it = self._clients[client]
        stock = it.stocks.get(tag)
        if stock is None:
            self.lost["unknown tag"] += 1
            return
        if len(stock.waiting) >= state.WAITING_MAX:
            self.lost["too many replies wait for SURBs"] += 1
            return
        packets = reply_packets(len(data))
        flight = Flight(Kind.REPLY, client, it.process, it.keys, stock.sender, packets, data, tag, 0, now, stock)
        self._network.begin(flight)
        stock.waiting.append(Waiting(flight, now, packets))
        self._serve(now, client, tag, stock)

    # -- SURBs, at the replier --

    def _alive(self, stock: Stock, now: float) -> int:
        stock.discard_dead(max(self._rotated_at, now - self.faults.surb_age_s))
        return stock.count

    def _take_surbs(self, now: float, flight: Flight) -> None:
        """Put the SURBs that came with a message into the recipient's stock, and use them for what waits."""
        assert flight.tag is not None
        stocks = self._clients[flight.recipient].stocks
        stock = stocks.pop(flight.tag, None) or Stock(flight.sender, flight.process, flight.keys)
        if flight.fresh_tag:
            stock.fresh_tag = True
            self._network.schedule(now + state.FRESH_TAG_S, self._forget, (flight.recipient, flight.tag, stock))
        if len(stocks) >= state.STOCKS_MAX:
            for waiting in stocks.pop(next(iter(stocks))).waiting:
                self._network.lose(waiting.flight, "too many senders")
        stocks[flight.tag] = stock
        if flight.kind is Kind.SURB_ANSWER:
            stock.expected = max(0, stock.expected - flight.surbs)
        stock.add(flight.made_at, flight.surbs, on_request=flight.kind is Kind.SURB_ANSWER)
        self._serve(now, flight.recipient, flight.tag, stock)

    def _serve(self, now: float, client: int, tag: bytes, stock: Stock) -> None:
        """Send what waits as far as the SURBs above the minimum go; ask for more if they are low."""
        usable = self._alive(stock, now) - (0 if stock.fresh_tag else self._clients[client].surb_minimum)
        while stock.waiting and usable > 0:
            waiting = stock.waiting[0]
            if waiting.missing and waiting.flight.ended:  # another of its packets was abandoned
                stock.waiting.popleft()
                continue
            if waiting.packets() <= usable:
                stock.waiting.popleft()
            else:
                waiting = waiting.split(usable, self._rng)
            usable -= waiting.packets()
            stock.spend(waiting.packets())
            self._network.transmit(now, waiting)
        self._ask_if_low(now, client, tag, stock)
        if stock.waiting and not stock.checking:
            stock.checking = True
            self._network.schedule(now + state.REREQUEST_S, self._check_waiting, (client, tag, stock))

    def _ask_if_low(self, now: float, client: int, tag: bytes, stock: Stock) -> None:
        """Ask the sender for SURBs if they don't suffice for what waits and the minimum; the asking takes one."""
        it = self._clients[client]
        if stock.fresh_tag:
            return
        queue = stock.wanted()
        enough = min(state.STOCK_MAX, queue + it.surb_minimum)
        if stock.count == 0 or stock.count + stock.expected >= enough or not it.connected:
            return
        amount = min(state.SURB_REQUEST_MAX, max(state.SURB_REQUEST_MIN, queue))
        stock.spend(1)
        stock.expected += amount
        flight = Flight(
            Kind.SURB_REQUEST, client, it.process, it.keys, stock.sender, 1, b"", tag, amount, now, stock
        )  # fmt: skip
        self._network.begin(flight)
        self._network.transmit(now, Waiting(flight, now, 1))

    def _forget(self, _now: float, subject: tuple[int, bytes, Stock]) -> None:
        """The tag was a single message's, and its time is over."""
        client, tag, stock = subject
        if self._clients[client].stocks.get(tag) is stock:
            del self._clients[client].stocks[tag]
            for waiting in stock.waiting:
                self._network.lose(waiting.flight, "its tag was forgotten")

    def _check_waiting(self, now: float, subject: tuple[int, bytes, Stock]) -> None:
        """Drop the replies that have waited too long, and ask again for SURBs for the others."""
        client, tag, stock = subject
        stock.checking = False
        if self._clients[client].stocks.get(tag) is not stock:
            return
        for waiting in [w for w in stock.waiting if now >= w.since + state.WAITING_S_MAX]:
            stock.waiting.remove(waiting)
            self._network.lose(waiting.flight, "no SURBs came")
        if stock.waiting:
            stock.expected = 0
            self._alive(stock, now)
            self._ask_if_low(now, client, tag, stock)
            stock.checking = True
            drop_at = min(waiting.since for waiting in stock.waiting) + state.WAITING_S_MAX
            self._network.schedule(min(now + state.REREQUEST_S, drop_at), self._check_waiting, subject)

    def _send_again(self, now: float, waiting: Waiting) -> None:
        """Packets of a reply or a SURB request were not acknowledged: each needs a SURB to be sent again."""
        flight = waiting.flight
        stock = flight.stock
        assert stock is not None
        assert flight.tag is not None
        if self._clients[flight.sender].stocks.get(flight.tag) is not stock:
            self._network.lose(flight, "no SURBs came")
        elif flight.kind is Kind.REPLY:
            stock.waiting.appendleft(waiting)
            self._serve(now, flight.sender, flight.tag, stock)
        elif self._alive(stock, now) > 0:
            stock.spend(1)
            self._network.transmit(now, waiting)
        else:
            self._network.lose(flight, "no SURBs came")

    # -- receiving --

    def _receive(self, now: float, flight: Flight) -> None:
        it = self._clients[flight.recipient]
        data = flight.data
        self._network.end(flight)
        if flight.stock is not None and flight.stock.keys != it.keys:
            self.lost["reply keys lost"] += 1
        elif flight.kind is Kind.SURB_REQUEST:
            self._answer_surb_request(now, flight)
        elif flight.kind is Kind.SURB_ANSWER:
            self._take_surbs(now, flight)
        else:
            readable = it.fresh_tags or not flight.fresh_tag  # a nym-client gets bytes without a tag
            tag = flight.tag if flight.kind is Kind.ANONYMOUS and readable else None
            self._deliveries.append(Delivery(flight.recipient, data, tag))
            if flight.surbs and readable:
                self._take_surbs(now, flight)

    def _answer_surb_request(self, now: float, request: Flight) -> None:
        client = request.recipient
        it = self._clients[client]
        if it.tags.get(request.sender) != request.tag:
            self.lost["SURB request to an ended process"] += 1
            return
        surbs = min(request.surbs, it.surbs_on_request)
        if not surbs:
            self.lost["SURBs not given"] += 1
            return
        it.give(now, surbs)
        packets = anonymous_packets(0, surbs)
        flight = Flight(
            Kind.SURB_ANSWER, client, it.process, it.keys, request.sender, packets, b"", request.tag, surbs, now
        )  # fmt: skip
        self._network.begin(flight)
        self._network.transmit(now, Waiting(flight, now, packets))
