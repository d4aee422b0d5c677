"""What a client does with what the node has stated about a name: keep it until a later proof shows whether that agrees.

docs/directory.md, "Promises" and "Chains that only grow". Owned by the client's lookup, and used in its thread only. A
client that looked a name up again at a set time would be known by it, so all times here are random within stated
bounds. With `log_watch` of the registration it keeps docs/models/Directory.tla's ForgeryIsFound.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.context import ClientContext
from usernym.actors.events import DirectoryChanged
from usernym.actors.failures import Failure
from usernym.protocol import messages as m
from usernym.protocol.answers import verify_shown
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.evidence import evidence_of_word
from usernym.protocol.limits import DAY_S, HOUR_S, MINUTE_S
from usernym.protocol.promises import Word, judged, said_in
from usernym.storage.client.promises import CHECKS_MAX, KeptPromise
from usernym.storage.client.types import Contact, InDirectory

CHECK_MIN_S: Final = 5 * MINUTE_S
CHECK_MAX_S: Final = 65 * MINUTE_S
"""A promise is checked between so long and so long after it was due, a first proof after it came; all times in between
are as likely."""
AGAIN_MIN_S: Final = 7 * DAY_S
AGAIN_MAX_S: Final = 14 * DAY_S
"""The same for a proof that agreed with the one before."""
LOOK_MAX_S: Final = 10 * MINUTE_S
"""At most so long between two looks at what is to be checked: one name is looked up at each, and none at a login."""
DUE_MAX_S: Final = HOUR_S
"""A promise that is due later is checked as though it were due then: a node can't put off all checks by its clock."""
ASIDE_MAX: Final = 128
"""What was stated about senders who are no contacts yet: as many as are looked up at once."""

assert max(CHECK_MAX_S + DUE_MAX_S, CHECK_MAX_S << CHECKS_MAX) <= AGAIN_MAX_S
"""No check is planned for a later time: one that stands there was planned by a clock that was ahead."""

_NOT_THE_NODES: Final = (Failure.NO_MIXNET, Failure.TOO_MANY, Failure.NO_STORAGE)
"""Failures of a check that say nothing about the node."""


class PromiseChecks:
    """What one node has said."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        self._node = context.user.node
        self._promises = context.store.promises
        self._contacts = context.store.contacts
        self._some = context.some
        self._aside: dict[str, bytes] = {}

    def take(self, name: str, frame: bytes) -> None:
        """Keep a promise or a proof about a contact."""
        now, said = self._context.runtime.unix_s(), said_in(frame)
        wait = min(max(0, said.due - now), DUE_MAX_S) if isinstance(said, m.Promised) else 0
        check_at = now + wait + self._some(CHECK_MIN_S, CHECK_MAX_S)
        contact = self._contacts.get(name)
        checks = int(contact is not None and contact.directory is InDirectory.NOT_WITNESSED)
        self._promises.keep(name, frame, check_at, is_promise=isinstance(said, m.Promised), checks=checks)

    def set_aside(self, name: str, frame: bytes) -> None:
        """Remember what was stated about someone who is a contact as soon as their message proves to be theirs."""
        if len(self._aside) < ASIDE_MAX:
            self._aside[name] = frame

    def judge(self, name: str, answer: m.Proved | m.Absent, frame: bytes) -> bool | None:
        """Compare an answer with what was stated of the name: whether they agree; None if it does not tell."""
        kept = self._promises.of(name)
        if kept is None:
            return None
        try:
            word = judged(self._node, said_in(kept.frame), answer)
        except RemoteProtocolError:
            return None  # the proof does not hold
        if word is Word.OPEN:
            return None
        if word is Word.BROKEN and (evidence := evidence_of_word(self._node, kept.frame, frame)) is not None:
            self._context.keep_evidence(evidence)
        contact = self._contacts.get(name)
        if contact is not None and word is Word.KEPT and isinstance(answer, m.Proved):
            self._promises.renew(name, frame, *self._again(contact, kept, answer))
        else:
            self._promises.settle(name)
        return word is Word.KEPT

    def _again(self, contact: Contact, kept: KeptPromise, answer: m.Proved) -> tuple[int, int]:
        """When to look again at a contact whose proof agrees, and how many checks brought too few signatures by then.

        As long as the user's witnesses lack it is looked at as an open promise is, with one count from the first proof
        on; 0 where those lookups are over.
        """
        now, same = self._context.runtime.unix_s(), contact.identity_key == answer.record.identity_key
        usual = now + self._some(AGAIN_MIN_S, AGAIN_MAX_S), 0
        if (same and contact.directory is InDirectory.SHOWN) or self._is_witnessed(answer):
            return usual
        if not same or contact.directory is InDirectory.NOT_SHOWN:
            return now + self._some(CHECK_MIN_S, CHECK_MAX_S), 1
        if self._is_to_come(kept):
            return kept.check_at, kept.checks
        if kept.checks in (0, CHECKS_MAX - 1):
            return usual
        return now + (self._some(CHECK_MIN_S, CHECK_MAX_S) << kept.checks), kept.checks + 1

    def _is_witnessed(self, answer: m.Proved) -> bool:
        """Whether the user's witnesses have signed the head of this proof, which holds."""
        policy = self._context.witnesses
        return policy.needed == 0 or policy.is_met(verify_shown(self._node, answer), answer.cosignatures)

    def is_due(self, name: str) -> bool:
        """Whether the name's next lookup is to bring a proof."""
        kept = self._promises.of(name)
        return kept is not None and not self._is_to_come(kept)

    def _is_to_come(self, kept: KeptPromise) -> bool:
        now = self._context.runtime.unix_s()
        return now < kept.check_at <= now + AGAIN_MAX_S

    def due(self) -> str | None:
        """A name that is to be looked up now."""
        aside, self._aside = self._aside, {}
        for name, frame in aside.items():
            contact = self._contacts.get(name)
            if contact is not None and contact.identity_key == said_in(frame).record.identity_key:
                self.take(name, frame)
        now = self._context.runtime.unix_s()
        found = self._promises.due(now, now + AGAIN_MAX_S)
        return None if found is None else found.contact

    def checked(self, name: str, failure: object) -> None:
        """A check has ended: if it brought no word, another one follows, after a longer time.

        After the last one the contact is not called in the public directory any more: a node that took something back
        would give no proof of it.
        """
        kept = self._promises.of(name)
        if kept is None or not self.is_due(name):
            return
        pause = self._some(CHECK_MIN_S, CHECK_MAX_S) << kept.checks
        checks = kept.checks + (failure not in _NOT_THE_NODES)
        self._promises.postpone(name, self._context.runtime.unix_s() + pause, checks)
        if checks >= CHECKS_MAX and self._contacts.call_not_shown(name):
            self._context.on_event(DirectoryChanged(name, InDirectory.NOT_SHOWN))
