"""The client's watch over the directory's log: one history, and in it no key of the user's name but the user's own.

docs/directory.md, "Self-audit" and "Heads from others". A part of the registration actor: what it asks goes with logins
and heartbeats, and costs no packet. What is proved against the node is evidence; what the node only does not show is a
doubt, which names no one: an honest node whose log is refused shows nothing either. With `promises` of the lookup it
keeps docs/models/Directory.tla's ForgeryIsFound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from usernym.actors.events import DirectoryDoubted
from usernym.actors.registration.witness_watch import WitnessWatch
from usernym.protocol import messages as m
from usernym.protocol.directory.checkpoints import LogHead, SignedHead
from usernym.protocol.directory.complaints import Fork, complain
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.shown import (
    SHOWN_HASHES_MAX,
    KnownLog,
    LogAsked,
    LogSeen,
    LogShown,
    OwnPlace,
    continuing_hashes,
    earlier_hashes,
    own_place,
    take_shown,
)
from usernym.protocol.errors import Code
from usernym.protocol.evidence import Evidence, Fault, decode_evidence, evidence_of_change, evidence_of_fork
from usernym.protocol.limits import HOUR_S, MINUTE_S
from usernym.protocol.promises import chain_shown
from usernym.protocol.records import RecordStub, record_hash

if TYPE_CHECKING:
    from usernym.actors.context import ClientContext
    from usernym.storage.client.seen_log import HeadToCompare

OWN_LEAF_S: Final = HOUR_S
"""Between two looks at the own name while no login is needed."""
DOUBT_S: Final = MINUTE_S
"""How old a doubt is when the user hears of it: an answer that crossed with a newer head ends it by itself."""
ABSENT_S: Final = 10 * MINUTE_S
"""How long the own name may be missing from what the node shows: ten epochs."""
DECOYS: Final = 64
"""Where nothing is to be compared, a client asks about one of so many newest sizes: the node does not learn whether it
was shown a head of that minute, by a lookup of its own or by a contact's text."""
_UNKNOWN_HASHES_MIN: Final = 8
"""A leaf is expected where so few hashes are needed to show how the log continues."""


class LogWatch:
    """Owned by the registration actor, and used in its thread only.

    `origin` gives the record that has made the user's identity.
    """

    def __init__(self, context: ClientContext, origin: Callable[[], RecordStub]) -> None:
        self._context = context
        self._log = context.store.seen_log
        self._origin = origin
        self._witnesses = WitnessWatch(context)
        self._leaf_at: float | None = None
        self._leaf_asked = False
        self._absent_since: float | None = None
        self._failed_at: int | None = None
        self._accused_of: tuple[int, bytes] | None = None
        """The chain of the own name that a lookup showed, and that the node was accused of."""
        self._is_hidden = False
        """Whether the newest lookup of the own name did not show the user's key, and proved nothing."""

    # -- what is asked --

    def at_login(self) -> LogAsked:
        """How the log continues, and the own name in it."""
        known = self._log.known()
        return LogAsked(0 if known is None else known.size, 0, int(self._own() is None))

    def at_heartbeat(self) -> LogAsked:
        """The same if it is due; else whether another's head is of the same log. If none waits, a recent size."""
        known, now = self._log.known(), self._context.runtime.now()
        if known is None:
            return self.at_login()
        waiting = self._next_head(known)
        leaf_due = self._own() is None or self._leaf_at is None or now - self._leaf_at >= OWN_LEAF_S
        if leaf_due and not (waiting and self._leaf_asked):
            self._leaf_asked = True
            return self.at_login()
        self._leaf_asked = False
        decoy = max(1, known.size - self._context.runtime.random_bytes(1)[0] % DECOYS)
        return LogAsked(known.size, decoy if waiting is None else waiting.size, 0)

    def expect_deletion(self) -> None:
        """The user has asked to delete the name: its chain grows, and once more if they take it back."""
        self._log.forget_own()

    def _next_head(self, known: KnownLog) -> HeadToCompare | None:
        """One that waits, and that one answer can be about; others are given up."""
        while (head := self._log.next_head(known.size)) is not None:
            if earlier_hashes(head.size, known.size) < SHOWN_HASHES_MAX:
                return head
            self._log.compared(head, differs=False)
        return None

    def _own(self) -> OwnPlace | None:
        """The user's name in the log, if it was seen there with the identity of now."""
        own = self._log.own()
        return own if own is not None and own.identity == self._identity() else None

    def _identity(self) -> bytes:
        user = self._context.user
        return record_hash(user.node, user.name, self._origin())

    # -- what is shown --

    def take(self, asked: LogAsked, shown: LogShown | None) -> None:
        """Take what a login or a heartbeat brought. Raises `StorageError`s."""
        known, own, user = self._log.known(), self._own(), self._context.user
        if asked.known != (0 if known is None else known.size):
            return  # the answer to another request came first
        if shown is None:
            self._judge(is_shown=known is None and own is None)
            return
        try:
            seen = take_shown(user.node, known, asked, shown)
            place = own
            if shown.leaf is not None:
                place = own_place(user.node, user.name, self._identity(), seen, shown.leaf, own)
        except DirectoryInvalid:
            self._judge(is_shown=False)
            return
        if own is not None and place is not None and place.leaf != own.leaf:
            change = complain(user.key, user.node, user.name, self._origin(), own, place)
            self._accuse_of(evidence_of_change(user.node, change))
            place = None  # it is looked for again: so the next change is found as well
        head = LogHead(user.node, seen.log.size, seen.log.head.root)
        with self._context.store.transaction():
            self._log.save(seen.log, place)
            told = self._witnesses.take(head, shown.cosignatures)
        if told is not None:
            self._context.on_event(told)
        if known is not None and seen.earlier is not None:
            self._compare(asked.other, seen.earlier.root(), known.head, seen.earlier_hashes)
        self._compare(seen.log.size, seen.log.head.root, seen.log.head, b"")
        self._judge(is_shown=self._is_all_shown(asked, shown, seen, place))

    def take_looked_up(self, answer: m.Answer, then: OwnPlace | None) -> None:
        """Take what the node answers to who looks the own name up, which need not be what it shows at a login. Raises
        `StorageError`s. It is compared with the place of `then`, when the name was asked about: the node may have shown
        a later one since.

        A name that no one has is no evidence: the user may have deleted it, and not have heard of it yet.
        """
        own, user = self._own(), self._context.user
        if own is None:
            self._is_hidden = False
            return
        was = own if then is None or then.identity != own.identity else then
        if isinstance(answer, m.Proved) and (leaf := chain_shown(user.node, answer)) not in (was.leaf, own.leaf):
            now = OwnPlace(own.identity, answer.chain, *leaf, answer.proof)
            change = evidence_of_change(user.node, complain(user.key, user.node, user.name, self._origin(), was, now))
            if change is not None:
                self._is_hidden = False
                if leaf != self._accused_of:  # once: each epoch has it
                    self._accused_of = leaf
                    self._accuse_of(change)
                return
        match answer:
            case m.Found(record=record) | m.Proved(record=record) | m.Promised(record=record):
                self._is_hidden = record.identity_key != user.key.public
            case m.Absent() | m.Refused(code=Code.NO_SUCH_USER):
                self._is_hidden = True

    def _compare(self, size: int, root: bytes, later: SignedHead, hashes: bytes) -> None:
        """Compare the heads of this size with the log's own one, which `hashes` join to a later head of it."""
        for head in self._log.heads_of(size):
            differs = head.root != root
            if differs and head.signature is not None:
                shown = hashes if size < later.size else b""
                self._accuse_of_fork(Fork(SignedHead(size, head.root, head.signature), later, shown))
            # A contact needs a signed head of ours to prove it, too.
            self._log.compared(head, differs=differs and head.name != "")

    def _accuse_of_fork(self, fork: Fork) -> None:
        """Once: a node that shows two histories does so with every epoch."""
        kept = self._context.store.evidence.all()
        if all(decode_evidence(each.packed).fault != Fault.FORKED_LOG for each in kept):
            self._accuse_of(evidence_of_fork(self._context.user.node, fork))

    def _accuse_of(self, evidence: Evidence | None) -> None:
        if evidence is not None:
            self._context.keep_evidence(evidence)

    def _is_all_shown(self, asked: LogAsked, shown: LogShown, seen: LogSeen, place: OwnPlace | None) -> bool:
        """Whether the node has shown what an honest one would have."""
        new, now = continuing_hashes(asked.known, shown.size), self._context.runtime.now()
        is_compared = True
        if asked.other:
            fits = new + earlier_hashes(asked.other, asked.known) <= SHOWN_HASHES_MAX
            is_compared = seen.earlier is not None or not fits
        elif place is not None and shown.leaf is not None:
            self._leaf_at, self._absent_since = now, None
        elif new <= _UNKNOWN_HASHES_MIN and self._absent_since is None:
            self._absent_since = now
        is_late = self._absent_since is not None and now - self._absent_since >= ABSENT_S
        return is_compared and not is_late and not self._is_hidden and not self._log.is_behind(shown.size)

    def _judge(self, *, is_shown: bool) -> None:
        """Note whether the node shows its log as it should; the user hears of a doubt that lasts, and of its end."""
        since, now = self._log.doubted_at(), self._context.runtime.unix_s()
        if is_shown:
            self._failed_at = None
            if since is not None:
                self._log.set_doubted(None)
                self._context.on_event(DirectoryDoubted(None))
        elif since is not None:
            return
        elif self._failed_at is None or self._failed_at > now:
            self._failed_at = now
        elif now - self._failed_at >= DOUBT_S:
            self._log.set_doubted(self._failed_at)
            self._context.on_event(DirectoryDoubted(self._failed_at))
