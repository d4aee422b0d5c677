"""Registration, the node's half: challenges, proofs, and everything that writes the directory.

Serves docs/protocol.md, "Registration and login", "Publishing" and "Deleting".
Receives: `RequestArrived` with `RegisterAsk`, `RegisterProof`, `LoginAsk`, `LoginProof`, `Publish` or `Delete`; word of
the mixnet's state. Sends: one answer to each request, to the tag it came from; `RouteOpened`, `IdentityReplaced` and
`CardRenewed` to forwarding. Owns: the directory's rows, the node's card, the challenges' secret, the difficulty.
It commits before it answers; it never moves a route but for the proof of a login, and never twice for one proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from usernym.actors.base import PASSING_FAILURES, Actor, Tellable
from usernym.actors.directory_reader import DirectoryReader
from usernym.actors.messages import (
    BeatDue,
    CardDue,
    CardRenewed,
    CommitBatch,
    Drain,
    IdentityReplaced,
    MixnetConnected,
    MixnetDisconnected,
    RegistrationNodeInbox,
    RequestArrived,
    RouteOpened,
    RoutesEnded,
    SendReply,
    Tick,
)
from usernym.actors.node_context import NodeContext
from usernym.actors.registration.members import BEAT_S, Members
from usernym.actors.registration.newcomers import Newcomer, Newcomers
from usernym.actors.registration.node_card import renew_card
from usernym.actors.registration.record_rules import RecordRules, free_again
from usernym.actors.registration.spent_proofs import SpentProofs, TakenLogin
from usernym.actors.shared_commit import SharedCommit
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.challenges import Challenger, LoginNonces
from usernym.protocol.codec import Frame, encode
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import (
    ACCEPTANCE_WINDOW_S,
    BUSY_RETRY_S,
    ID_BYTES,
    MINUTE_S,
    NAME_HELD_S,
    SEEN_S,
    SURBS_GIVEN_MAX,
    SURBS_OF_LOGIN,
    WORK_BITS_MIN,
)
from usernym.protocol.names import check
from usernym.protocol.records import Authority, decode_record
from usernym.protocol.wire import pack
from usernym.storage.errors import RouteLost
from usernym.storage.node.directory import Account
from usernym.storage.node.replay_ids import DELETIONS_TOO_MAX

SWEEP_S: Final = 5 * MINUTE_S
SWEEP_ROWS: Final = 10_000
"""Rows forgotten in one sweep: a bounded pause for those who wait."""
SWEEP_AGAIN_S: Final = 1.0
"""When there was more to forget than one sweep takes."""
CARD_AGAIN_S: Final = 1.0
"""When a card that could not be stored is tried again."""


class RegistrationNode(Actor[RegistrationNodeInbox]):
    """Registers names, opens routes, replaces records. `on_card` is called with each card that becomes current."""

    name = "registration"

    def __init__(
        self,
        context: NodeContext,
        *,
        io: Tellable[SendReply],
        forwarding: Tellable[RouteOpened | RoutesEnded | IdentityReplaced | CardRenewed],
        on_card: Callable[[NodeCard], None],
        work_bits: int = WORK_BITS_MIN,
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._store = context.store
        self._directory = DirectoryReader(context)
        self._clock = context.clock
        self._key = context.key
        self._node = context.key.public
        self._io = io
        self._forwarding = forwarding
        self._on_card = on_card
        self._challenger = Challenger(context.runtime.random_bytes(32))
        self._login_nonces = LoginNonces(context.runtime.random_bytes(32))
        self._logins_asked = 0
        self._spent = SpentProofs()
        self._workers = context.store.workers
        self._members = Members(self._workers, context.runtime.now)
        self._card: NodeCard | None = None
        self._draining = False
        self._boot_id = self._address = b""
        self._mixnet_is_older = False
        self._fresh_tags = False
        self._rules = RecordRules(self._node, context.store.directory)
        self._newcomers = Newcomers(context, self._challenger, self._spent, self.counts, work_bits)
        self._commits = SharedCommit(self, self._newcomers.register)

    def acquire(self) -> None:
        """Start the sweep. The challenges' secret outlives a bug: clients that are answering one can finish."""
        self._newcomers.forget_recent()
        self.tell_self_later(SWEEP_S, Tick())
        if self._workers.shared:
            self.tell_self_later(BEAT_S, BeatDue())

    def receive(self, message: RegistrationNodeInbox) -> None:
        match message:
            case RequestArrived(frame, tag):
                self._answer(frame, tag)
            case CommitBatch():
                self._commit()
            case MixnetConnected(address, boot_id, older, fresh_tags):
                self._boot_id, self._mixnet_is_older, self._address = boot_id, older, address
                self._fresh_tags = fresh_tags
                self._join()
            case CardDue():
                self._join()
            case BeatDue():
                self._beat()
            case Drain():
                self._drain()
            case MixnetDisconnected():
                pass
            case Tick():
                self._sweep()
            case _:
                assert_never(message)

    def _join(self) -> None:
        """Become a worker at this address, and have it in the card."""
        try:
            self._workers.join(self._address)
            if self._draining:
                self._workers.drain()
            self._renew_card()
        except (*PASSING_FAILURES, RouteLost) as failure:  # without a card, no one finds the node
            self.note_failure(failure)
            self.tell_self_later(CARD_AGAIN_S, CardDue())

    def _beat(self) -> None:
        """Show that this worker lives, and see who else does."""
        try:
            if self._workers.number:
                self._renew_card()
        except RouteLost:
            self._begin_again()
        finally:  # also while the database is away
            self.tell_self_later(BEAT_S, BeatDue())

    def _drain(self) -> None:
        """Leave the card; tried until that is stored, since logins would come until then."""
        self._draining = True
        try:
            self._workers.drain()
            self._renew_card()
        except RouteLost:
            self._begin_again()
        except PASSING_FAILURES as failure:
            self.note_failure(failure)
            self.tell_self_later(CARD_AGAIN_S, Drain())

    def _begin_again(self) -> None:
        """The others took this worker for dead: its users may have gone to them."""
        self._forwarding.tell(RoutesEnded())
        self._join()

    def _renew_card(self) -> None:
        card = renew_card(self._store, self._key, self._members, self._clock.now(), fresh_tags=self._fresh_tags)
        if self._card is None or card.sequence > self._card.sequence:
            self._card = card
            self._forwarding.tell(CardRenewed(card, leaving=self._draining and self._address not in card.addresses))
            self._on_card(card)

    def _answer(self, frame: Frame, tag: bytes) -> None:
        request = frame.message
        if not isinstance(request, m.Challenged | m.Publish | m.Delete):
            raise RemoteProtocolError(Code.UNEXPECTED, "not a request of this exchange")
        try:
            answer = self._carry_out(request, frame, tag)
        except RemoteProtocolError as error:
            self.refuse(error)
            detail = self._clock.now() if error.code is Code.CLOCK_SKEW else 0
            answer = m.Refused(request.request_id, error.code, detail)
        except PASSING_FAILURES as failure:
            self.note_failure(failure)
            answer = m.Refused(request.request_id, Code.BUSY, BUSY_RETRY_S)
        if answer is not None:
            self._io.tell(SendReply(tag, encode(answer)))

    def _carry_out(self, request: m.Challenged | m.Publish | m.Delete, frame: Frame, tag: bytes) -> m.Answer | None:
        """The answer; None if it comes when the request is committed."""
        match request:
            case m.RegisterAsk():
                return self._newcomers.challenge(request)
            case m.RegisterProof():
                self._newcomers.check(request, frame)
                self._commits.add(Newcomer(request, tag))
                return None
            case m.LoginAsk():
                return self._login_ask(request, tag)
            case m.LoginProof():
                return self._login(request, frame, tag)
            case m.Publish():
                return self._publish(request, frame)
            case m.Delete():
                return self._delete(request, frame)

    def _sweep(self) -> None:
        """Forget what is due; the difficulty falls again."""
        more = False
        self._newcomers.sweep()
        try:
            due = self._clock.deletion_time()
            if due is not None:
                more = self._store.replay_ids.expire(due, SWEEP_ROWS) == SWEEP_ROWS
                self._store.directory.release_names(due, SWEEP_ROWS)
        finally:  # also when the disk is full
            self.tell_self_later(SWEEP_AGAIN_S if more else SWEEP_S, Tick())

    # -- registration --

    def _commit(self) -> None:
        """Register all who came together, then answer each."""
        for newcomer, outcome in self._commits.carry_out():
            request_id = newcomer.proof.request_id
            answer: m.Answer = m.Registered(request_id)
            if isinstance(outcome, Code):
                self.refuse(RemoteProtocolError(outcome))
                answer = m.Refused(request_id, outcome, BUSY_RETRY_S if outcome is Code.BUSY else 0)
            self._io.tell(SendReply(newcomer.tag, encode(answer)))

    # -- login --

    def _account(self, name: str, *, held_too: bool = False) -> Account:
        check(name)
        account = self._store.directory.account(name)
        if account is None or free_again(account, self._clock.now()) or (account.deleted_until and not held_too):
            raise RemoteProtocolError(Code.NOT_REGISTERED)
        return account

    def _login_ask(self, ask: m.LoginAsk, tag: bytes) -> m.Answer:
        self._account(ask.name)
        if self._draining and self._card is not None and self._address not in self._card.addresses:
            raise RemoteProtocolError(Code.BUSY)
        self._logins_asked += 1
        number = (self._workers.fence(ask.name) << 32) + self._logins_asked
        nonce = self._login_nonces.make(number, tag)
        return self._challenger.challenge(ask, nonce, self._clock.now(), 0)

    def _login(self, proof: m.LoginProof, frame: Frame, tag: bytes) -> m.Answer:
        """Open a route to `tag`. The same proof again gets the same answer, and moves nothing."""
        now = self._clock.now()
        account = self._account(proof.name)
        self._challenger.check(proof, now)
        number = self._login_nonces.number(proof.nonce, tag)
        frame.verify(account.identity_key, self._node)
        login = self._spent.login_by(proof.name, number, frame.digest())
        if login is None:
            life = self._boot_id + tag
            stock = SURBS_OF_LOGIN + (proof.held if self._believes(proof.name, life, number >> 32) else 0)
            fence = self._take_route(proof.name, number >> 32)
            login_id = self._runtime.random_bytes(ID_BYTES)
            login = TakenLogin(number, frame.digest(), life, login_id, min(stock, SURBS_GIVEN_MAX), fence)
            self._spent.note_login(proof.name, login)
            self._forwarding.tell(
                RouteOpened(
                    account.name, account.identity_key, tag, login.login_id, login.stock, proof.card_sequence, fence
                )
            )
            self.counts["logins"] += 1
        shown = self._directory.shown(proof.name, proof.log)
        return m.LoggedIn(
            proof.request_id, login.login_id, self._boot_id, account.record_number, now, login.stock, shown
        )

    def _believes(self, name: str, life: bytes, fence: int) -> bool:
        """Whether the SURBs that a client claims in a login can be there: its first one of this life, or one that comes
        back from another worker. Any other is a sign that some are missing: who has a route does not log in again."""
        before = self._spent.latest(name)
        return self._mixnet_is_older if before is None or before.life != life else before.fence < fence

    def _take_route(self, name: str, fence: int) -> int:
        """Take the route for this worker; returns its new fence."""
        try:
            taken = self._workers.take(name, fence)
        except RouteLost:
            self._begin_again()
            raise RemoteProtocolError(Code.BUSY) from None
        if taken is None:
            raise RemoteProtocolError(Code.CHALLENGE_EXPIRED, "a login at another worker came before it")
        return taken

    # -- changes --

    def _publish(self, publish: m.Publish, frame: Frame) -> m.Answer:
        record, change = publish.record, publish.succession
        # Also where a thief deleted the account: the recovery key takes the name back.
        by_recovery = change is not None and change.authority is Authority.RECOVERY
        account = self._account(publish.name, held_too=by_recovery)
        frame.verify(record.identity_key, self._node)
        current = decode_record(account.record)
        if record == current and account.deleted_until is None:
            return m.Published(publish.request_id, record.number)
        new_link = self._rules.check_published(current, publish)
        now = self._clock.now()

        def replace() -> None:
            if new_link is not None:
                self._workers.close_route(account.name)
            replaced = self._store.directory.replace_record(
                account.name,
                expected=account.record,
                identity_key=record.identity_key,
                record=pack(record),
                record_number=record.number,
                hpke_number=record.hpke_number,
                new_link=new_link,
                now=now,
            )
            if not replaced:  # and the route stays
                raise RemoteProtocolError(Code.RECORD_STALE, "another record came first")

        self._store.commit(replace)
        if new_link is not None:
            self._forwarding.tell(IdentityReplaced(account.name))
        self.counts["published"] += 1
        return m.Published(publish.request_id, record.number)

    def _delete(self, request: m.Delete, frame: Frame) -> m.Answer:
        now = self._clock.now()
        check(request.name)
        account = self._store.directory.account(request.name)
        if account is None:
            raise RemoteProtocolError(Code.NOT_REGISTERED)
        frame.verify(account.identity_key, self._node)
        if abs(now - request.made_at) > ACCEPTANCE_WINDOW_S:
            raise RemoteProtocolError(Code.CLOCK_SKEW)
        if account.deleted_until is not None:  # nothing to carry out, and nothing to remember
            return m.Deleted(request.request_id, account.deleted_until)
        held_until = now + NAME_HELD_S

        def delete() -> tuple[bytes | None, bool]:
            if self._clock.others_floor() - request.made_at > ACCEPTANCE_WINDOW_S:
                raise RemoteProtocolError(Code.CLOCK_SKEW)
            self._workers.close_route(account.name)
            self._store.mailbox.lock([account.name])
            known = self._store.replay_ids.remember(
                frame.digest(), held_until.to_bytes(4, "big"), now + SEEN_S, DELETIONS_TOO_MAX
            )
            if known is None:
                # Its senders are not notified: they would see what had not been fetched.
                self._store.mailbox.remove_all(account.name)
                if not self._store.directory.has_identity(account.name, account.identity_key):
                    # Another worker has taken a recovery since: what this key says does not count any more.
                    raise RemoteProtocolError(Code.SIGNATURE_INVALID)
                self._store.directory.delete_account(account.name, held_until)
            left = self._store.directory.account(account.name)
            return known, left is not None and left.deleted_until is not None

        known, deleted = self._store.commit(delete)
        if deleted:
            self._forwarding.tell(IdentityReplaced(account.name))
            self.counts["deleted"] += 1
        return m.Deleted(request.request_id, held_until if known is None else int.from_bytes(known, "big"))
