"""Who gets a name: its price, the proof that it was paid, and one commit for all whose proofs came together.

docs/protocol.md, "Registration and login". A part of registration at the node; used in its thread only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from usernym.actors.node_context import NodeContext
from usernym.actors.registration.record_rules import RecordRules, free_again
from usernym.actors.registration.spent_proofs import SpentProofs
from usernym.protocol import messages as m
from usernym.protocol.challenges import Challenger, work_holds
from usernym.protocol.codec import Frame
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import ID_BYTES, MINUTE_S, WORK_BITS_MAX
from usernym.protocol.names import SKELETON_VERSION, check_registrable, skeleton
from usernym.protocol.records import first_succession
from usernym.protocol.wire import pack
from usernym.storage.node.directory import Account, Registration

RECENT_S: Final = 5 * MINUTE_S
REGISTRATIONS_PER_BIT: Final = 32
"""Proofs within `RECENT_S` that raise the next challenge's difficulty by a bit: a wave of them doubles its price each
time, while a busy day costs newcomers tenths of a second. A proof counts also where it brings no new name: its owner's
key may prove a name again and again, and each proof is remembered."""
BITS_BEHIND_MAX: Final = 1
"""How much easier than today's a challenge may be when it is answered. A user who asked as a wave of names began is let
in; a store of challenges from before the wave is worth no more than its first 64 names, and half the price after
that."""

_REFUSED: Final = {
    Registration.NAME_TAKEN: Code.NAME_TAKEN,
    Registration.LOOKS_ALIKE: Code.NAME_LOOKS_ALIKE,
}


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A proof that was checked, and the tag that it came from."""

    proof: m.RegisterProof
    tag: bytes = field(repr=False)


class Newcomers:
    """Makes challenges, checks their proofs, and registers. `work_bits`: the price while few come."""

    def __init__(
        self, context: NodeContext, challenger: Challenger, spent: SpentProofs, counts: Counter[str], work_bits: int
    ) -> None:
        self._runtime = context.runtime
        self._store = context.store
        self._clock = context.clock
        self._node = context.key.public
        self._rules = RecordRules(self._node, context.store.directory)
        self._challenger = challenger
        self._spent = spent
        self._counts = counts
        self._work_bits_min = work_bits
        self._recent, self._recent_since = 0, context.runtime.now()

    def forget_recent(self) -> None:
        """From now on the price is the lowest again."""
        self._recent_since = self._runtime.now()
        self._set_recent(0)

    def sweep(self) -> None:
        """The same, if it is time."""
        if self._runtime.now() - self._recent_since >= RECENT_S:
            self.forget_recent()

    def _set_recent(self, proofs: int) -> None:
        self._recent = proofs
        self._counts["work_bits"] = self._difficulty()

    def _difficulty(self) -> int:
        return min(WORK_BITS_MAX, self._work_bits_min + self._recent // REGISTRATIONS_PER_BIT)

    def _account_for(self, name: str, identity_key: bytes) -> Account | None:
        """The name's account, deleted or not. Raises unless this key may have this name, as far as the directory knows
        now."""
        check_registrable(name)
        now = self._clock.now()
        found = self._store.directory.in_the_way(name, skeleton(name))
        account = next((each for each in found if each.name == name), None)
        if account is not None and not free_again(account, now):
            if account.identity_key != identity_key:
                raise RemoteProtocolError(Code.NAME_TAKEN if account.deleted_until is None else Code.NAME_HELD)
        elif any(each.name != name and not free_again(each, now) for each in found):
            raise RemoteProtocolError(Code.NAME_LOOKS_ALIKE)
        return account

    def challenge(self, ask: m.RegisterAsk) -> m.Challenge:
        """A challenge for someone who may have the name."""
        self._account_for(ask.name, ask.identity_key)
        self._counts["challenges"] += 1
        nonce = self._runtime.random_bytes(ID_BYTES)
        return self._challenger.challenge(ask, nonce, self._clock.now(), self._difficulty())

    def check(self, proof: m.RegisterProof, frame: Frame) -> None:
        """Raise unless the proof holds, and its key may have the name, as far as the directory knows now."""
        now = self._clock.now()
        record = proof.record
        self._challenger.check(proof, now)
        if proof.difficulty + BITS_BEHIND_MAX < self._difficulty():
            raise RemoteProtocolError(Code.CHALLENGE_EXPIRED, "it was made when work was cheaper")
        if not work_holds(self._node, proof.nonce, proof.work, proof.difficulty):
            raise RemoteProtocolError(Code.WORK_INSUFFICIENT)
        frame.verify(record.identity_key, self._node)
        self._rules.check_registered(proof.name, record, self._account_for(proof.name, record.identity_key))
        if self._spent.note_registration(proof.nonce, frame.digest(), proof.expires_at, now):
            self._set_recent(self._recent + 1)

    def register(self, newcomers: list[Newcomer]) -> list[tuple[Newcomer, Registration | Code]]:
        """Create their accounts in one commit, or find them created by the same proof or the same key.

        One whose name another one got is refused by itself.
        Raises `StorageError`s; then nothing is stored.
        """
        # In one order, so that two workers do not wait for each other; names that look alike stay as they came.
        in_order = sorted((skeleton(each.proof.name), at) for at, each in enumerate(newcomers))
        outcomes = self._store.commit(
            lambda: [(newcomers[at], self._register(newcomers[at].proof, alike)) for alike, at in in_order]
        )
        self._counts["registrations"] += sum(outcome is Registration.CREATED for _, outcome in outcomes)
        return outcomes

    def _register(self, proof: m.RegisterProof, alike: str) -> Registration | Code:
        record = proof.record
        outcome = self._store.directory.register(
            name=proof.name,
            skeleton=alike,
            skeleton_version=SKELETON_VERSION,
            identity_key=record.identity_key,
            record=pack(record),
            record_number=record.number,
            hpke_number=record.hpke_number,
            link=pack(first_succession(record)),
            now=self._clock.now(),
        )
        return _REFUSED.get(outcome, outcome)
