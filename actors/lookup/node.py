"""Lookup, the node's half: answers from the directory, with proofs from its log where they are asked for.

Serves docs/protocol.md, "Lookup" and "History", and docs/directory.md, "Lookups with proof" and "Reading the log".
Receives: `RequestArrived` with `Lookup`, `History` or `LogRead`, from anyone. Sends: one signed answer to each, to the
tag it came from. Owns nothing, remembers no request, writes nothing but the mark of the head that it gives out. It
checks each proof before it signs it: a false one accuses the node for good.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, assert_never

from usernym.actors.base import PASSING_FAILURES, Actor, Tellable
from usernym.actors.directory_reader import DirectoryReader
from usernym.actors.messages import LookupNodeInbox, RequestArrived, SendReply
from usernym.actors.node_context import NodeContext
from usernym.protocol import messages as m
from usernym.protocol.answers import verify_shown
from usernym.protocol.codec import encode
from usernym.protocol.derived import PROOF_PACKETS
from usernym.protocol.directory.events import DirectoryEvent
from usernym.protocol.directory.proofs import ALIVE, ChainEnd, DeletedEnd, Origin, OtherLeaf, identity_of, origin_of
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import BUSY_RETRY_S, PROMISE_S, SUCCESSIONS_PER_ANSWER_MAX
from usernym.protocol.names import check
from usernym.protocol.records import KeyRecord, decode_record, decode_succession, record_hash
from usernym.storage.errors import StoreCorrupt
from usernym.storage.node.directory import Account
from usernym.storage.node.proofs import ProvedPlace

_COUNTS: Final[Mapping[type[m.Message], str]] = {m.Lookup: "lookups", m.History: "histories", m.LogRead: "log_reads"}


class LookupNode(Actor[LookupNodeInbox]):
    """Answers `Lookup` and `History` from the directory."""

    name = "lookup"

    def __init__(self, context: NodeContext, *, io: Tellable[SendReply]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._store = context.store
        self._io = io
        self._clock = context.clock
        self._node = context.key.public
        self._directory = DirectoryReader(context)

    def receive(self, message: LookupNodeInbox) -> None:
        match message:
            case RequestArrived(frame, tag):
                self._answer(frame.message, tag)
            case _:
                assert_never(message)

    def _answer(self, request: m.Message, tag: bytes) -> None:
        if not isinstance(request, m.Lookup | m.History | m.LogRead):
            raise RemoteProtocolError(Code.UNEXPECTED, "not a request of this exchange")
        try:
            answer = self._part(request) if isinstance(request, m.LogRead) else self._about(request)
        except RemoteProtocolError as error:
            self.refuse(error)
            answer = m.Refused(request.request_id, error.code, 0)
        except PASSING_FAILURES as failure:
            self.note_failure(failure)
            answer = m.Refused(request.request_id, Code.BUSY, BUSY_RETRY_S)
        self.counts[_COUNTS[type(request)]] += 1
        self._io.tell(SendReply(tag, encode(answer)))

    def _part(self, request: m.LogRead) -> m.Answer:
        part = self._directory.part(request.epoch, request.offset)
        if part is None:
            raise RemoteProtocolError(Code.BUSY, "its log is refused")
        return m.LogPart(request.request_id, *part)

    def _about(self, request: m.Lookup | m.History) -> m.Answer:
        check(request.name)
        account = self._store.directory.account(request.name)
        present = account if account is not None and account.deleted_until is None else None
        return self._shown(request, present) or self._found(request, present)

    def _found(self, request: m.Lookup | m.History, account: Account | None) -> m.Answer:
        if account is None:
            raise RemoteProtocolError(Code.NO_SUCH_USER)
        if isinstance(request, m.Lookup):
            return m.Found(request.request_id, decode_record(account.record))
        links = self._store.directory.links(account.name, request.start)
        total = request.start + len(links)
        part = tuple(decode_succession(link.blob) for link in links[:SUCCESSIONS_PER_ANSWER_MAX])
        return m.Links(request.request_id, part, total)

    # -- with proof --

    def _shown(self, request: m.Lookup | m.History, account: Account | None) -> m.Answer | None:
        """The answer with its proof, or with a promise, if that was asked for and can be given. It is sent over the
        request's own SURBs: a node sends no more packets than it was given."""
        if isinstance(request, m.History) or not request.prove or request.surbs < PROOF_PACKETS:
            return None

        def shown() -> m.Answer | None:
            return self._proved(request, account) or self._promised(request, account)

        return self._directory.read(shown)

    def _proved(self, request: m.Lookup, account: Account | None) -> m.Proved | m.Absent | None:
        """The answer with its proof, if the newest epoch has what the node answers."""
        place = self._directory.place_of(request.name)
        if place is None:
            return None
        answer = _absence_at(request, place) if account is None else self._proof_of(request, account, place)
        if answer is not None:
            try:
                verify_shown(self._node, answer)
            except RemoteProtocolError as error:
                raise StoreCorrupt(f"a proof that was made from the store does not hold ({error})") from None
            self.counts["lookups_proved"] += 1
        return answer

    def _proof_of(self, request: m.Lookup, account: Account, place: ProvedPlace) -> m.Proved | None:
        made = self._identity_of(account)
        if made is None or place.former is None:
            return None
        record, origin, identity = made
        chain = _end_of(place, place.former, ALIVE, identity)
        return None if chain is None else m.Proved(
            request.request_id, request.name, record, origin, chain, place.proof, place.cosignatures
        )  # fmt: skip

    def _promised(self, request: m.Lookup, account: Account | None) -> m.Promised | None:
        """The answer whose identity waits for the next epoch, if that epoch has it for certain."""
        made = None if account is None else self._identity_of(account)
        end = None if made is None else self._directory.coming_end(request.name)
        if made is None or end is None:
            return None
        record, origin, identity = made
        if end.chain.event not in ALIVE or end.chain.head(identity) != end.head:
            return None
        self.counts["lookups_promised"] += 1
        # No earlier than two epochs from the newest: where the clock was set back, that one may be ahead of it.
        due = max(self._clock.now(), end.made_at) + PROMISE_S
        return m.Promised(request.request_id, request.name, record, origin, end.chain, end.size, due)

    def _identity_of(self, account: Account) -> tuple[KeyRecord, Origin | None, bytes] | None:
        """The account's record, what the record that made its identity has otherwise, and that one's hash."""
        link, node = self._store.directory.last_link(account.name), self._node
        if link is None:
            return None
        record, made_by = decode_record(account.record), decode_succession(link.blob).stub
        origin, identity = origin_of(record, made_by), record_hash(node, account.name, made_by)
        if identity_of(node, account.name, record, origin) != identity:
            raise StoreCorrupt("an account's record is not of the newest identity of its chain")
        return record, origin, identity


def _absence_at(request: m.Lookup, place: ProvedPlace) -> m.Absent | None:
    leaf = place.leaf
    if place.former is None:
        other = OtherLeaf(leaf.label, leaf.events, leaf.head)
        return m.Absent(request.request_id, request.name, other, None, place.proof, place.cosignatures)
    if place.deleted is None:
        return None
    chain = _end_of(place, place.former, (DirectoryEvent.DELETED,), place.deleted)
    if chain is None:
        return None
    deletion = DeletedEnd(chain, place.deleted)
    return m.Absent(request.request_id, request.name, None, deletion, place.proof, place.cosignatures)


def _end_of(place: ProvedPlace, former: bytes, events: Collection[DirectoryEvent], identity: bytes) -> ChainEnd | None:
    """The end of the chain at this place, if its newest event is one of these about this identity: else the node
    answers what no epoch has yet."""
    ends = (ChainEnd(place.leaf.events, former, event) for event in events)
    return next((end for end in ends if end.head(identity) == place.leaf.head), None)
