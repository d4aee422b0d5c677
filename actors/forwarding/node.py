"""Forwarding, the node's half: verify, queue, deliver over SURBs, delete on acknowledgement.

Serves docs/protocol.md, "Forwarding", "What the node tells" and "Reply blocks". Receives: `RequestArrived` with
`Forward`, `Acknowledge`, `Unopenable`, `Heartbeat` or `TopUp`; `RouteOpened`, `IdentityReplaced` and `CardRenewed` from
registration; word of the mixnet's state. Sends: answers and tells over users' routes. Owns: the mailbox, the notices to
senders, and the routes, which live in memory only: they die with the mixnet client. A message is committed before it is
accepted, together with those that came with it; it leaves by its recipient's acknowledgement or after its term. No
route moves here: that takes a login.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, assert_never

from usernym.actors.base import PASSING_FAILURES, Actor, Tellable
from usernym.actors.directory_reader import DirectoryReader
from usernym.actors.forwarding.intake import HandedIn, Intake, reports_of
from usernym.actors.forwarding.routes import RETRY_S, UserRoute, UserRoutes
from usernym.actors.forwarding.shares import Shares
from usernym.actors.messages import (
    CardRenewed,
    CommitBatch,
    ForwardingNodeInbox,
    HintsDue,
    IdentityReplaced,
    MixnetConnected,
    MixnetDisconnected,
    NoticesDue,
    RequestArrived,
    RouteOpened,
    RoutesEnded,
    SendReply,
    Tick,
)
from usernym.actors.node_context import NodeContext
from usernym.actors.shared_commit import SharedCommit
from usernym.protocol import messages as m
from usernym.protocol.codec import Frame, encode
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import (
    ACCEPTANCE_WINDOW_S,
    HPKE_GRACE_S,
    MINUTE_S,
    NOTICE_S,
    NOTICES_MAX,
    SURBS_WITHHELD,
)
from usernym.protocol.names import check
from usernym.protocol.sealing import Envelope
from usernym.storage.errors import RouteLost
from usernym.storage.node.mail import (
    NoticeKind,
    deliver_tell,
    delivered_blob,
    mail_of,
    not_opened_blob,
    notice_tells,
)
from usernym.storage.node.mailbox import Enqueued, RemovedMessage, Turn
from usernym.storage.node.notices import NewNotice, Notice
from usernym.storage.node.workers import NO_WORKER, HeldRoute

T = TypeVar("T")

DELIVERIES_AT_ONCE: Final = 16
"""Messages on their way to one user: as many as one acknowledgement lists."""
RETRY_MAX_S: Final = 5 * MINUTE_S
"""The longest pause before a message is sent again; it doubles each time. So few SURBs go to what a client never
acknowledges, and what it leaves until its user has decided comes within five minutes of that."""
NOTICE_DELAY_S: Final = 0.5
"""Receipts are gathered this long before they travel together."""
SWEEP_S: Final = 5 * MINUTE_S
"""Also how long the write-ahead log may show who wrote to whom after the message is gone."""
SWEEP_AGAIN_S: Final = 1.0
SWEEP_ROWS: Final = 1_000
POLL_S: Final = 1.0
"""How often a worker of several looks for hints whose notification was lost."""
REPORTS_AT_ONCE: Final = 10_000
"""Reports of other workers taken each second: many times what one of them can acknowledge."""
HINTS_AT_ONCE: Final = 1_000
"""Users that are looked at for hints before other messages have their turn."""


class ForwardingNode(Actor[ForwardingNodeInbox]):
    """Stores messages, delivers them over routes, and deletes them when they are acknowledged."""

    name = "forwarding"

    def __init__(self, context: NodeContext, *, io: Tellable[SendReply]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._store, self._directory = context.store, DirectoryReader(context)
        self._workers = context.store.workers
        self._clock = context.clock
        self._node = context.key.public
        self._io = io
        self._shares = Shares(context.store.mailbox)
        self._boot_id = b""
        self._routes = UserRoutes(context.runtime, io, self.counts)
        self._commits = SharedCommit(self, Intake(context, self._shares).take)
        self._notices_for: set[str] = set()
        self._notices_set = False

    def acquire(self) -> None:
        """Start the sweep. The routes outlive a bug: losing them would cost every user a login."""
        self._notices_for = set()
        self._notices_set = False
        self.tell_self_later(SWEEP_S, Tick())
        if self._workers.shared:
            self.tell_self_later(POLL_S, HintsDue(polled=True))

    def receive(self, message: ForwardingNodeInbox) -> None:
        match message:
            case RequestArrived(frame, tag):
                self._on_request(frame, tag)
            case CommitBatch():
                self._commit()
            case RouteOpened():
                before = self._routes.get(message.name)
                if before is not None:
                    before.fence = message.fence  # by that this worker has the route now
                    self._end_turns(message.name, before, 0.0)
                self._serve(message.name, self._routes.open(message, self._clock.now()))
            case IdentityReplaced(name):
                self._routes.drop(name)
                self._shares.forget(name)
            case CardRenewed(card, leaving):
                self._routes.card = card
                if leaving:
                    self._routes.tell_card_to_all()
            case MixnetConnected(_, boot_id):
                self._boot_id = boot_id
                self._routes.clear()
            case MixnetDisconnected():
                pass
            case Tick():
                self._sweep()
            case NoticesDue():
                self._send_notices()
            case HintsDue(polled):
                self._take_hints(polled=polled)
            case RoutesEnded():
                self._routes.clear()
            case _:
                assert_never(message)

    def _on_request(self, frame: Frame, tag: bytes) -> None:
        match frame.message:
            case m.Forward() as forward:
                self._forward(forward, frame, tag)
            case m.Acknowledge() as acknowledge:
                self._acknowledge(acknowledge, frame, tag)
            case m.Unopenable() as unopenable:
                self._unopenable(unopenable, frame, tag)
            case m.Heartbeat() as heartbeat:
                self._heartbeat(heartbeat, frame, tag)
            case m.TopUp() as top_up:
                name, route = top_up.name, self._verified_route(top_up, frame, tag)
                self._routes.top_up(route, top_up.surbs)
                self._serve(name, route)
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "not a request of this exchange")

    # -- who speaks --

    def _identity_key(self, name: str) -> bytes:
        route = self._routes.get(name)
        if route is not None:
            return route.identity_key
        check(name)
        account = self._store.directory.account(name)
        if account is None or account.deleted_until is not None:
            raise RemoteProtocolError(Code.NOT_REGISTERED)
        return account.identity_key

    def _verified_route(self, said: m.Statement | m.Heartbeat, frame: Frame, tag: bytes) -> UserRoute:
        """The route that the message is about. Raises unless its user signed it, for the login that holds the route,
        and it came from the route's mixnet client: sent again from anywhere else it counts for nothing."""
        frame.verify(self._identity_key(said.name), self._node)
        route = self._routes.get(said.name)
        if route is None or route.login_id != said.login_id or route.tag != tag:
            raise RemoteProtocolError(Code.NOT_LOGGED_IN)
        self._routes.touch(said.name)
        return route

    # -- messages in --

    def _forward(self, forward: m.Forward, frame: Frame, tag: bytes) -> None:
        sender_key = self._identity_key(forward.sender)
        frame.verify(sender_key, self._node)
        try:
            self._check_forward(forward)
        except RemoteProtocolError as error:
            self.refuse(error)
            self._refuse_forward(forward, tag, error.code)
            return
        self._commits.add(HandedIn(forward, tag, sender_key))

    def _refuse_forward(self, forward: m.Forward, tag: bytes, code: Code) -> None:
        detail = self._clock.now() if code is Code.CLOCK_SKEW else 0
        self._routes.answer(forward.sender, tag, m.Refused(forward.request_id, code, detail))

    def _check_forward(self, forward: m.Forward) -> None:
        now = self._clock.now()
        if abs(now - forward.made_at) > ACCEPTANCE_WINDOW_S:
            raise RemoteProtocolError(Code.CLOCK_SKEW)
        check(forward.recipient)
        account = self._store.directory.account(forward.recipient)
        if account is None or account.deleted_until is not None:
            raise RemoteProtocolError(Code.NO_SUCH_USER)
        if forward.key_number == account.hpke_number:
            return
        superseded_at = self._store.directory.key_superseded_at(forward.recipient, forward.key_number)
        if superseded_at is None:
            raise RemoteProtocolError(Code.UNKNOWN_KEY)
        if now - superseded_at > HPKE_GRACE_S:
            raise RemoteProtocolError(Code.STALE_KEY)

    def _commit(self) -> None:
        """Commit all that was gathered, then answer each, then deliver."""
        recipients: dict[str, None] = {}
        for each, outcome in self._commits.carry_out():
            forward, tag = each.forward, each.tag
            if isinstance(outcome, Code):
                self._refuse_forward(forward, tag, outcome)
                continue
            if outcome is Enqueued.STORED:
                recipients[forward.recipient] = None
                self.counts["forwards"] += 1
            else:
                self.counts["forwards_again"] += 1
            self._routes.answer(forward.sender, tag, m.Accepted(forward.request_id))
        for name in recipients:
            route = self._routes.get(name)
            if route is not None:
                self._deliver(name, route, again=False)

    # -- messages out --

    def _serve(self, name: str, route: UserRoute) -> None:
        """The route has SURBs, and its user is there: deliver what waits, again what went unacknowledged."""
        self._end_turns(name, route, RETRY_S)
        route.end_round(self._runtime.now())
        self._routes.tell_card(route)
        self._notify(name, route)
        self._deliver(name, route, again=True)

    def _end_turns(self, name: str, route: UserRoute, patience_s: float) -> None:
        """What was sent so long ago, and not acknowledged, makes room for what others have sent."""
        now, clock = self._runtime.now(), self._clock.now()
        sent = [(number, clock - int(now - at)) for number, at in route.end_turns(now, patience_s).items()]
        if not sent:
            return
        try:
            self._commit_on(name, route, lambda: self._store.mailbox.note_unacknowledged(name, sent))
        except PASSING_FAILURES as failure:  # the same messages come first again, until there is room
            self.note_failure(failure)

    def _deliver(self, name: str, route: UserRoute, *, again: bool) -> None:
        now, places = self._runtime.now(), DELIVERIES_AT_ONCE - len(route.sent_at)
        if places <= 0 or route.unproved >= route.window:
            return
        if again and (lacking := route.lacking(now)):
            # One frame after the other would else have the whole mailbox looked at for each.
            self._routes.want_surbs(route, lacking)
            return
        turn = Turn(self._clock.now(), route.login_at, again, tuple(route.sent_at), int(RETRY_S), RETRY_MAX_S)
        for row in self._store.mailbox.next_for(name, places, turn):
            try:
                tell, spare = deliver_tell(row, route.login_id), SURBS_WITHHELD + 1
                needed = self._routes.tell(route, tell, spare=spare, windowed=True)
            except Exception as error:  # noqa: BLE001 - a row that can't be sent must not hold up the others
                self.drop_bug(error, "a stored message")
                needed = 0
            else:
                if needed is None:
                    return  # an acknowledgement, or the next round, makes room
                if not needed:
                    self.counts["deliveries"] += 1
                    route.lacks_surbs = (0, 0.0, 0)
            if needed:
                # The spare one carries the question for more.
                self._routes.want_surbs(route, needed)
                if not route.gives_up(row.number, needed, now):
                    return
                route.unsent.add(row.number)
            route.sent_at[row.number] = now

    def _acknowledge(self, said: m.Acknowledge, frame: Frame, tag: bytes) -> None:
        route = self._verified_route(said, frame, tag)
        route.stock.add(said.surbs, self._runtime.now())
        now = self._clock.now()
        for item in said.messages:
            check(item.sender)
        tokens = {(item.sender, item.message_id): item.token for item in said.messages}

        def remove() -> Sequence[RemovedMessage]:
            rows = self._store.mailbox.acknowledge(said.name, tokens)
            self._store.notices.confirm(said.name, said.confirmed)
            receipts = [(row, token) for row in rows if (token := tokens[row.sender, row.message_id]) is not None]
            self._store.notices.add_all(
                (NewNotice(row.sender, NoticeKind.DELIVERED, delivered_blob(row.message_id, token))
                 for row, token in receipts), now, now + NOTICE_S)  # fmt: skip
            self._workers.report(reports_of((row for row, _ in receipts), receipt=True))
            self._workers.hint(row.sender for row, _ in receipts)
            return rows

        rows = self._commit_on(said.name, route, remove)
        self._note_confirmed(route, said.confirmed)
        for row in rows:
            self._note_arrived(route, row)
            self.counts["acknowledged"] += 1
            if tokens[row.sender, row.message_id] is not None:
                self._report([row], receipt=True)
                self._plan_notices(row.sender)
        self._serve(said.name, route)

    def _unopenable(self, said: m.Unopenable, frame: Frame, tag: bytes) -> None:
        """Pass a recipient's statement on, if the sender will be able to verify it; else the message stays."""
        route = self._verified_route(said, frame, tag)
        route.stock.add(said.surbs, self._runtime.now())
        check(said.sender)
        waiting = self._store.mailbox.find(said.name, said.sender, said.message_id)
        if waiting is None:
            return
        mail = mail_of(waiting.blob)
        Envelope(
            self._node, said.sender, said.name, mail.sender_key, route.identity_key, mail.key_number, said.message_id
        ).verify_unopenable(said.statement)
        now = self._clock.now()

        def remove() -> Sequence[RemovedMessage]:
            rows = self._store.mailbox.acknowledge(said.name, [(said.sender, said.message_id)])
            for row in rows:
                blob = not_opened_blob(said.name, row.message_id, said.statement)
                self._store.notices.add(row.sender, NoticeKind.NOT_OPENED, blob, now, now + NOTICE_S)
            self._workers.report(reports_of(rows, receipt=False))
            self._workers.hint(row.sender for row in rows)
            return rows

        for row in self._commit_on(said.name, route, remove):
            self._note_arrived(route, row)
            self.counts["not_opened"] += 1
            self._report([row], receipt=False)
            self._plan_notices(row.sender)

    def _report(self, rows: Iterable[RemovedMessage], *, receipt: bool) -> None:
        for report in reports_of(rows, receipt=receipt):
            self._shares.reported(report, self._runtime.now())

    def _note_arrived(self, route: UserRoute, row: RemovedMessage) -> None:
        route.unsent.discard(row.number)
        sent_at = route.sent_at.pop(row.number, None)
        if sent_at is None and row.attempted_at > route.login_at:  # late: its turn was over
            sent_at = self._runtime.now() - max(0, self._clock.now() - row.attempted_at)
        route.note_arrived(sent_at)

    def _heartbeat(self, said: m.Heartbeat, frame: Frame, tag: bytes) -> None:
        try:
            route = self._verified_route(said, frame, tag)
            if said.confirmed or self._workers.shared:  # a sole worker's heartbeats cost no commit
                self._commit_on(said.name, route, lambda: self._store.notices.confirm(said.name, said.confirmed))
        except RemoteProtocolError as error:
            self.refuse(error)
            self._io.tell(SendReply(tag, encode(m.Refused(said.request_id, error.code, 0))))
            return
        now = self._runtime.now()
        route.stock.add(said.surbs, now)
        self._note_confirmed(route, said.confirmed)
        self._routes.doubt_stock(route)
        stock, shown = max(0, route.stock.left(now) - 1), self._directory.shown(said.name, said.log)
        self._routes.answer(said.name, tag, m.Alive(said.request_id, self._boot_id, stock, shown))
        self._serve(said.name, route)

    # -- the other workers --

    def _commit_on(self, name: str, route: UserRoute, work: Callable[[], T]) -> T:
        """One commit for all that `work` writes because of this route. Raises NOT_LOGGED_IN, and writes nothing, if
        another worker took the route."""

        def on_route() -> T:
            self._workers.hold(name, route.fence)
            return work()

        try:
            return self._store.commit(on_route)
        except RouteLost:
            self._look_at(self._workers.held([name]))
            raise RemoteProtocolError(Code.NOT_LOGGED_IN) from None

    def _take_hints(self, *, polled: bool) -> None:
        try:
            hinted = self._workers.hinted(HINTS_AT_ONCE)
            if len(hinted) == HINTS_AT_ONCE:
                self.tell_self(HintsDue())
            # At once: they are taken, and a failure of what follows must not lose them.
            self._look_at(hinted)
            for report in self._workers.reported(REPORTS_AT_ONCE) if polled else ():
                self._shares.reported(report, self._runtime.now())
        finally:  # also while the database is away
            if polled:
                self.tell_self_later(POLL_S, HintsDue(polled=True))

    def _look_at(self, held: Sequence[HeldRoute]) -> None:
        """Deliver what came to these users by other workers, and drop the routes that other workers took."""
        for now in held:
            route = self._routes.get(now.name)
            if route is None:
                continue
            if (now.worker, now.fence) == (self._workers.number, route.fence):
                self._plan_notices(now.name)
                self._deliver(now.name, route, again=False)
            elif now.worker != self._workers.number:  # else a newer login here is on its way to this actor
                self._routes.drop(now.name)
                if now.worker == NO_WORKER:  # the identity was replaced, or is gone
                    self._shares.forget(now.name)
                elif now.fence != route.fence:  # else it is ours, from before we joined again
                    self._routes.displace(route)

    # -- notices --

    def _note_confirmed(self, route: UserRoute, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            route.note_arrived(route.notices_at.pop(number, None))

    def _plan_notices(self, name: str) -> None:
        self._notices_for.add(name)
        if not self._notices_set:
            self._notices_set = True
            self.tell_self_later(NOTICE_DELAY_S, NoticesDue())

    def _send_notices(self) -> None:
        names, self._notices_for, self._notices_set = sorted(self._notices_for), set(), False
        for name in names:
            route = self._routes.get(name)
            if route is not None:
                self._notify(name, route)
                if self._workers.shared:
                    # Another worker may have committed a message after its hint was taken: one that was there already.
                    self._deliver(name, route, again=False)

    def _notify(self, name: str, route: UserRoute) -> None:
        now, notices = self._runtime.now(), self._store.notices.of(name, NOTICES_MAX)
        route.keep_notices(notice.id for notice in notices)
        due = [each for each in notices if now - route.notices_at.get(each.id, float("-inf")) >= RETRY_S]
        for numbers, tell in self._notice_tells(due, route.login_id):
            if self._routes.tell(route, tell, windowed=True) != 0:
                return  # too few SURBs, or no room in the window
            route.notices_at.update(dict.fromkeys(numbers, now))

    def _notice_tells(self, due: list[Notice], login_id: bytes) -> list[tuple[list[int], m.Tell]]:
        """The tells of these notices. One that can't be read is removed: it can never be sent."""
        try:
            return notice_tells(due, login_id)
        except Exception as error:  # noqa: BLE001 - as for a message
            if len(due) == 1:
                self.drop_bug(error, "a stored notice")
                self._store.notices.confirm(due[0].account, [due[0].id])
                return []
        return [tell for each in due for tell in self._notice_tells([each], login_id)]

    # -- time --

    def _sweep(self) -> None:
        """Give up what has waited its term; leave no trace of messages that are gone. No one is notified: a sender
        would see by that whether the recipient was there."""
        gone = 0
        try:
            now = self._clock.deletion_time()
            if now is not None:
                gone = self._store.commit(lambda: self._give_up_mail(now))
        finally:  # also when the disk is full: then traces of what went before it was must not stay
            self.tell_self_later(SWEEP_AGAIN_S if gone == SWEEP_ROWS else SWEEP_S, Tick())
            if not self._store.erase_traces():
                self.counts["traces_left"] += 1  # until the next sweep
        self.counts["expired"] += gone

    def _give_up_mail(self, now: int) -> int:
        gone = len(self._store.mailbox.expire(now, SWEEP_ROWS))
        self._store.notices.expire(now, SWEEP_ROWS)
        return gone
