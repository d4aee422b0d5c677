"""The user's identity: made again, brought back by its recovery words, or replaced after a theft.

Only the present identity and message keys are stored; words, root and recovery key are shown or used once and
forgotten.
docs/protocol.md, "Words" and "Key records".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from usernym.actors.messages import FoundRecord
from usernym.protocol.cards import NodeCard, card_text
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import SEED_BYTES, SUCCESSIONS_MAX, UINT32_MAX
from usernym.protocol.names import check_registrable
from usernym.protocol.records import (
    Authority,
    KeyRecord,
    RecordStub,
    authorise,
    day_of,
    decode_record,
    decode_stub,
    first_record,
    record_hash,
    sign_record,
)
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.protocol.words import (
    ENTROPY_BYTES,
    first_identity_seed,
    next_identity_seed,
    recovery_key,
    root_from_words,
    words_from_entropy,
)
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Identity, IdentityState, PendingRecord, RecoveryWords

NOT_THE_WORDS: Final = "these are not the words of this name"


class WordsUnfit(Exception):
    """These recovery words are another name's, or not enough for what was asked; the text says which."""


@dataclass(frozen=True, slots=True)
class Restore:
    """How a new home gets an identity that exists: by its twelve words.

    `replace`: make a new identity by the recovery key, since someone else may have the old one's key. A name whose
    identity was replaced before can be brought back in no other way: only a name's first identity is made by the words
    alone. `timeout`, in seconds, is for finding the name at the node.
    """

    words: str = field(repr=False)
    replace: bool = False
    timeout: float = 60.0


class IdentityMaker:
    """Makes the identity of `name` at the card's node, and stores it; `unix_s` is now.

    Nothing is stored when a method raises.
    """

    def __init__(
        self, store: ClientStore, name: str, card: NodeCard, random_bytes: Callable[[int], bytes], unix_s: int
    ) -> None:
        self._store = store
        self._name = name
        self._card = card
        self._random = random_bytes
        self._now = unix_s

    def create(self, words: str | None = None) -> str:
        """Make a new identity. Returns its twelve recovery words; `words` None: new ones.

        It takes the place of one whose words no one has seen (`RecoveryWords.NOT_SHOWN`).

        Raises `RemoteProtocolError` with the reason if no node would register the name, `WordsInvalid`: not twelve
        valid words.
        """
        check_registrable(self._name)
        words = words or words_from_entropy(self._random(ENTROPY_BYTES))
        root = root_from_words(words)
        seed, message_seed = first_identity_seed(root), self._random(SEED_BYTES)
        key, recovery = SigningKey.from_seed(seed), recovery_key(root).public
        record = first_record(key, recovery, self._card.node, self._name, message_seed, self._now)
        with self._store.transaction():
            self._save(seed, record, record, IdentityState.CREATING, restored_at=0)
            self._store.keys.forget_all()
            self._store.keys.add(record.hpke_number, message_seed, self._now)
            self._store.profile.set_words(RecoveryWords.NOT_SHOWN)
        return words

    def restore(self, words: str, found: FoundRecord) -> None:
        """Store the identity that `words` make and `found` shows, with a new message key, published before a login.

        Raises `WordsInvalid`, or `WordsUnfit` if the record is not that of these words, or of a thief who used up its
        numbers, or of an identity that replaced another: words make the first one alone.
        """
        root = root_from_words(words)
        identity = first_identity_seed(root)
        recovery, key = recovery_key(root), SigningKey.from_seed(identity)
        record, link = found.record, found.chain[-1].stub
        if record.recovery_key != recovery.public:
            raise WordsUnfit(NOT_THE_WORDS)
        if record.identity_key != key.public:
            raise WordsUnfit(
                "these are this name's words, but they can't make its identity again, which replaced another:"
                " replace it"
            )
        if max(record.number, record.hpke_number) >= UINT32_MAX:
            raise WordsUnfit("someone used up the numbers of this identity's records: replace it")
        seed, number = self._random(SEED_BYTES), self._next_key_number(record.hpke_number)
        newer = msgspec.structs.replace(
            record,
            number=record.number + 1,
            hpke_key=MessageKey.from_seed(seed).public,
            hpke_number=number,
            made_on=day_of(self._now),
            previous=record_hash(self._card.node, self._name, link),
        )
        signed = sign_record(key, self._card.node, self._name, newer)
        with self._store.transaction():
            shown = record if record.stub() == link else link
            self._save(identity, shown, record, IdentityState.REGISTERED, restored_at=self._now)
            self._store.keys.add(number, seed, self._now)
            self._store.profile.set_pending_record(PendingRecord(signed, before_login=True))

    def replace(self, words: str, found: FoundRecord | None) -> None:
        """Store a new identity, with a succession by the recovery key, which is published before a login.

        It follows the last link that no identity key alone allowed; anything a thief put behind that stops counting.
        Without `found` (the node shows nothing of the name: a thief has deleted it) it follows the one in the store.
        Message keys that are there stay: they open what was sealed to them.

        Raises `WordsInvalid`, or `WordsUnfit` if these are not the name's words, or it changed too often.
        """
        root, node = root_from_words(words), self._card.node
        recovery = recovery_key(root)
        stubs = self._own_stubs(recovery.public, found)
        before = stubs[-1]
        if before.recoveries + 1 >= SUCCESSIONS_MAX:
            raise WordsUnfit("this name has changed its identity too often")
        identity = next_identity_seed(root, self._random(SEED_BYTES))
        key, seed = SigningKey.from_seed(identity), self._random(SEED_BYTES)
        # By the link alone: a thief who has the identity key may have used up the numbers of its later records.
        key_number = self._next_key_number(before.hpke_number)
        unsigned = KeyRecord(
            before.number + 1, before.recoveries + 1, key.public, recovery.public, MessageKey.from_seed(seed).public,
            key_number, day_of(self._now), record_hash(node, self._name, before), b"",
        )  # fmt: skip
        record = sign_record(key, node, self._name, unsigned)
        succession = authorise(recovery, node, self._name, record.stub(), Authority.RECOVERY)
        profile = self._store.profile
        restored_at = profile.identity().restored_at if profile.has_identity() else self._now
        # Also a thief's: what contacts sealed to that identity waits at the node, and they must learn to seal it again.
        shown = () if found is None else (link.stub.identity_key for link in found.chain)
        own = (stub.identity_key for stub in stubs)
        former = dict.fromkeys((*own, *shown, *profile.former_identities()))
        with self._store.transaction():
            self._save(identity, record, record, IdentityState.REGISTERED, restored_at=restored_at)
            self._store.keys.add(key_number, seed, self._now)
            self._store.profile.set_pending_record(PendingRecord(record, succession, before_login=True))
            self._store.profile.set_former_identities(former)
            self._store.contacts.end_agreements()

    def _save(
        self, seed: bytes, link: KeyRecord | RecordStub, record: KeyRecord, state: IdentityState, *, restored_at: int
    ) -> None:
        """Make an identity the store's, with its link of the chain and its newest record, at this node."""
        recovery, number = record.recovery_key, record.number
        made = self._now
        identity = Identity(self._name, seed, recovery, pack(link), pack(record), number, state, made, restored_at)
        self._store.profile.save_identity(identity)
        self._store.profile.set_setting("node_card", card_text(self._card).encode())

    def _own_stubs(self, recovery: bytes, found: FoundRecord | None) -> list[RecordStub]:
        """The owner's links, up to the one that the next recovery follows: the last that the recovery key signed, or
        the first. Identity keys sign no succession for an owner, so the others are a thief's."""
        if found is not None:
            stubs = [link.stub for link in found.chain if link.authority is not Authority.IDENTITY]
        elif not self._store.profile.has_identity():
            raise WordsUnfit("the node has no such name, and nothing of it is here")
        else:
            stored = self._store.profile.identity().link
            try:
                stubs = [decode_record(stored).stub()]
            except RemoteProtocolError:
                stubs = [decode_stub(stored)]
        if stubs[-1].recovery_key != recovery:
            raise WordsUnfit(NOT_THE_WORDS)
        return [stub for stub in stubs if stub.recovery_key == recovery]

    def _next_key_number(self, known: int) -> int:
        """A number for a message key that neither the node nor the store has had for another."""
        return 1 + max([known, *(key.number for key in self._store.keys.all())])
