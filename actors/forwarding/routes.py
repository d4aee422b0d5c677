"""The node's routes: how each logged-in user can be reached, and the SURBs there are for that.

In memory only: a route dies with the mixnet client on either side (docs/protocol.md, "Routes").
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from usernym.actors.base import Tellable
from usernym.actors.messages import RouteOpened, SendReply
from usernym.actors.runtime import Runtime
from usernym.actors.surbs import SurbStock
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.codec import encode
from usernym.protocol.limits import NOTICES_MAX, PACKETS_MAX, SURBS_GIVEN_MAX, SURBS_TARGET
from usernym.protocol.packets import reply_packets

ROUTES_MAX: Final = 100_000
"""Routes in memory, about 1 kB each; past that the one unused for longest is forgotten, and its user logs in again."""
SURBS_WANTED_AGAIN_S: Final = 10.0
"""SURBs are asked for again after this long; a heartbeat brings some anyway."""
RETRY_S: Final = 20.0
"""What was sent is sent again, on a heartbeat, if its user has not confirmed it after this long."""
DOUBT_AGAIN_S: Final = 600.0
"""A route's SURBs are written off at most this often: a message that its user can't acknowledge must not cost them all
their SURBs each minute."""


WINDOW_MIN: Final = 16
"""Packets of a round, at least: as many as there are deliveries at once. So messages that are never acknowledged do
not close the window for the others."""
WINDOW_MAX: Final = SURBS_GIVEN_MAX
NOTICES_SENT_MAX: Final = 2 * NOTICES_MAX
"""Notices of which a route remembers when they were sent."""


@dataclass(slots=True)
class UserRoute:
    """How a user can be reached: a tag, valid while this process and the user's mixnet client live."""

    identity_key: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    login_id: bytes = field(repr=False)
    login_at: int
    """By the node's clock."""
    fence: int
    """By which this worker took the route."""
    stock: SurbStock
    counter: int = 0
    sent_at: dict[int, float] = field(default_factory=dict)
    """Mailbox row → when it was sent on this route, until it is acknowledged or its turn is over."""
    unsent: set[int] = field(default_factory=set)
    """Of these rows, those that had their turn and were not sent: there were too few SURBs. Nothing of them is lost."""
    lost_latest: float = float("-inf")
    """Send time of the newest message whose turn ended without an acknowledgement."""
    lacks_surbs: tuple[int, float, int] = (0, 0.0, 0)
    """The mailbox row that waits for more SURBs than there are, since when, and for how many; no row is 0."""
    notices_at: dict[int, float] = field(default_factory=dict)
    """Notice → when it was last sent on this route."""
    wanted_at: float = float("-inf")
    had_when_wanted: int = 0
    """SURBs that there were when more were last asked for."""
    card_sequence: int = 0
    """That of the node's card by which the user's client came."""
    card_told_at: float = float("-inf")
    reached_at: float = float("-inf")
    """Send time of the newest message known to have arrived."""

    doubted_at: float = float("-inf")
    window: int = PACKETS_MAX
    """Packets that may be handed over before one is known to have arrived: one longest message at first."""
    unproved: int = 0
    """Packets handed over in this round: since the last that is known to have arrived, or since the round before."""
    round_began_at: float = float("-inf")

    def note_arrived(self, said_at: float | None) -> None:
        """A message sent then has been acknowledged or confirmed: the SURBs of that time work."""
        if said_at is not None:
            self.reached_at = max(self.reached_at, said_at)
            self.unproved, self.window = 0, min(WINDOW_MAX, 2 * self.window)

    def end_round(self, now: float) -> None:
        """If nothing has arrived for so long, there will be less in the next round."""
        if self.unproved and now - self.round_began_at >= RETRY_S:
            self.unproved, self.window = 0, max(WINDOW_MIN, self.window // 2)

    def keep_notices(self, numbers: Iterable[int]) -> None:
        """Of the notices that were sent, these may be sent again. Others went from the store without a confirmation: an
        account keeps its newest, and a client that never confirms must not have all remembered."""
        if len(self.notices_at) > NOTICES_SENT_MAX:
            self.notices_at = {number: self.notices_at[number] for number in numbers if number in self.notices_at}

    def hand_over(self, packets: int, now: float) -> bool:
        """Count packets into the window; False if there is no room. One message may go in any round, however long.

        The number of SURBs is only what the user's client says. If it is not true, the packets wait in our mixnet
        client for SURBs that never come; so there are few until some have arrived.
        """
        if self.unproved and self.unproved + packets > self.window:
            return False
        if not self.unproved:
            self.round_began_at = now
        self.unproved += packets
        return True

    def continue_round(self, before: UserRoute, now: float) -> None:
        """What was handed over in the present round of the user's route before this one counts on, unless something was
        known to arrive there: a login claims SURBs as any other message does, and proves none of them."""
        if before.reached_at == float("-inf") and now - before.round_began_at < RETRY_S:
            self.window, self.unproved, self.round_began_at = before.window, before.unproved, before.round_began_at

    def gives_up(self, row: int, needed: int, now: float) -> bool:
        """Whether this message has waited for SURBs so long that its turn is over, though it was not sent: there may
        never be enough for it, and others wait behind it."""
        since = self.lacks_surbs[1] if self.lacks_surbs[0] == row else now
        self.lacks_surbs = (row, since, needed)
        return now - since >= RETRY_S

    def end_turns(self, now: float, patience_s: float) -> dict[int, float]:
        """Take out the mailbox rows that had their turn so long ago, and have not been acknowledged; when that was."""
        over = {row: at for row, at in self.sent_at.items() if now - at >= patience_s}
        self.lost_latest = max([self.lost_latest, *(at for row, at in over.items() if row not in self.unsent)])
        self.unsent -= over.keys()
        for row in over:
            del self.sent_at[row]
        return over

    def lacking(self, now: float) -> int:
        """How many SURBs the next message takes, if it waits for them; else 0."""
        row, since, needed = self.lacks_surbs
        return needed if row and now - since < RETRY_S and self.stock.left(now) <= needed else 0

    def lost_at(self, now: float) -> float | None:
        """Send time of the newest message presumed lost; None if a later one arrived."""
        sent = (at for row, at in self.sent_at.items() if row not in self.unsent)
        said = [at for at in (*sent, *self.notices_at.values()) if now - at >= RETRY_S]
        latest = max(said, default=self.lost_latest)
        return latest if latest > self.reached_at else None


class UserRoutes:
    """Owned by the forwarding actor, and used in its thread only. `counts` are the actor's."""

    def __init__(self, runtime: Runtime, io: Tellable[SendReply], counts: Counter[str]) -> None:
        self._runtime = runtime
        self._io = io
        self._counts = counts
        self._routes: OrderedDict[str, UserRoute] = OrderedDict()
        self._dropped: OrderedDict[str, tuple[float, UserRoute]] = OrderedDict()
        """Routes that ended within the last `RETRY_S` seconds, and when."""
        self.card: NodeCard | None = None
        """The node's current card."""

    def get(self, name: str) -> UserRoute | None:
        return self._routes.get(name)

    def touch(self, name: str) -> None:
        self._routes.move_to_end(name)

    def drop(self, name: str) -> None:
        route, now = self._routes.pop(name, None), self._runtime.now()
        if route is not None:
            self._dropped.pop(name, None)
            self._dropped[name] = now, route
        while self._dropped and now - next(iter(self._dropped.values()))[0] >= RETRY_S:
            self._dropped.popitem(last=False)
        self._counts["routes"] = len(self._routes)

    def clear(self) -> None:
        """The mixnet client is new: every route is dead."""
        self._routes.clear()
        self._dropped.clear()
        self._counts["routes"] = 0

    def open(self, opened: RouteOpened, login_at: int) -> UserRoute:
        """A login took the route, at this time of the node's clock. A previous holder on another mixnet client gets
        `Displaced`."""
        now = self._runtime.now()
        before = self._routes.get(opened.name)
        if before is not None and before.tag != opened.tag:
            self.displace(before)
        route = UserRoute(opened.identity_key, opened.tag, opened.login_id, login_at, opened.fence, SurbStock())
        route.card_sequence = opened.card_sequence
        route.stock.add(opened.surbs, now)
        _, former = self._dropped.pop(opened.name, (0.0, None))
        if (former := before or former) is not None:
            route.continue_round(former, now)
        self._routes[opened.name] = route
        self._routes.move_to_end(opened.name)
        if len(self._routes) > ROUTES_MAX:
            self.drop(next(iter(self._routes)))
        self._counts["routes"] = len(self._routes)
        return route

    def displace(self, route: UserRoute) -> None:
        """Tell the mixnet client at the end of this route that another one has it now."""
        self.tell(route, m.Displaced(route.login_id, 0))

    def tell(self, route: UserRoute, tell: m.Tell, *, spare: int = 0, windowed: bool = False) -> int | None:
        """Send over the route, with the next counter. Returns 0; or, if that would leave fewer than `spare` SURBs, how
        many the message needs; or None if the route's window is full. Then nothing is sent.

        windowed: for what is sent again until it is known to have arrived; it counts into the window.
        """
        encoded = encode(msgspec.structs.replace(tell, counter=route.counter + 1))
        needed = reply_packets(encoded.frame_bytes)
        now = self._runtime.now()
        if route.stock.left(now) < needed + spare:
            return needed
        if windowed and not route.hand_over(needed, now):
            return None
        route.stock.take(needed, now)
        route.counter += 1
        self._io.tell(SendReply(route.tag, encoded))
        return 0

    def answer(self, name: str, tag: bytes, answer: m.Answer) -> None:
        """Answer a request that came from `tag` without SURBs of its own. Without its route, its sender asks again;
        and who sends another's request again can't use up the other's SURBs."""
        route, encoded = self._routes.get(name), encode(answer)
        if (
            route is not None
            and route.tag == tag
            and route.stock.take(reply_packets(encoded.frame_bytes), self._runtime.now())
        ):
            self._io.tell(SendReply(route.tag, encoded))
        else:
            self._counts["answers_without_route"] += 1

    def doubt_stock(self, route: UserRoute) -> None:
        """A user is online, but recent messages never arrived: a key rotation may have killed the SURBs.

        All that came before the latest loss is written off, and the user's client gives others. If it was a message
        lost by chance, that costs a few packets; believing in dead SURBs would cost a heartbeat for each message.
        """
        now = self._runtime.now()
        lost_at = route.lost_at(now)
        if lost_at is not None and now - route.doubted_at >= DOUBT_AGAIN_S:
            route.doubted_at = now
            self._counts["surbs_doubted"] += route.stock.forget_before(lost_at)

    def tell_card_to_all(self) -> None:
        """Tell everyone the current card now."""
        for route in self._routes.values():
            self.tell_card(route)

    def tell_card(self, route: UserRoute) -> None:
        """Tell a user who came by an older card the current one: it may have another address."""
        now = self._runtime.now()
        if self.card is None or route.card_sequence >= self.card.sequence or now - route.card_told_at < RETRY_S:
            return
        if self.tell(route, m.NewCard(route.login_id, 0, self.card)) == 0:
            route.card_told_at = now
            self._counts["cards_told"] += 1

    def top_up(self, route: UserRoute, count: int) -> None:
        """SURBs came. If there are more than when they were asked for, more may be asked for at once; else a user who
        gives one for each that the question takes would be asked without end."""
        now = self._runtime.now()
        route.stock.add(count, now)
        if route.stock.left(now) > route.had_when_wanted:
            route.wanted_at = float("-inf")

    def want_surbs(self, route: UserRoute, count: int) -> None:
        """Ask for SURBs, while there is one left to ask with."""
        now = self._runtime.now()
        if now - route.wanted_at >= SURBS_WANTED_AGAIN_S:
            wanted, had = m.SurbsWanted(route.login_id, 0, min(count + SURBS_TARGET, 255)), route.stock.left(now)
            if self.tell(route, wanted) == 0:
                route.wanted_at, route.had_when_wanted = now, had
