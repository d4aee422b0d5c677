"""The user's identity: made again, brought back by its recovery words, or replaced after a theft.

Only identity number i and message keys are stored; words, root and recovery key are shown or used once and forgotten.
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
from usernym.protocol.words import ENTROPY_BYTES, identity_seed, recovery_key, root_from_words, words_from_entropy
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Identity, IdentityState, PendingRecord

RandomBytes = Callable[[int], bytes]

RECOVERIES_MAX: Final = 255
"""What the record's field holds."""


class WordsUnfit(Exception):
    """These recovery words are another name's, or not enough for what was asked; the text says which."""


@dataclass(frozen=True, slots=True)
class Restore:
    """How a new home gets an identity that exists: by its twelve words.

    `replace`: make a new identity by the recovery key, since someone else may have the old one's key. `timeout`, in
    seconds, is for finding the name at the node.
    """

    words: str = field(repr=False)
    replace: bool = False
    timeout: float = 60.0


def create_identity(
    store: ClientStore, name: str, card: NodeCard, random_bytes: RandomBytes, unix_s: int, words: str | None = None
) -> str:
    """Make an identity for `name` at the card's node, and store it. Returns its twelve recovery words.

    `words` None: new ones. Raises `RemoteProtocolError` with the reason if no node would register the name,
    `WordsInvalid`: not twelve valid words.
    """
    check_registrable(name)
    words = words or words_from_entropy(random_bytes(ENTROPY_BYTES))
    root = root_from_words(words)
    seed = identity_seed(root, 0)
    recovery_public = recovery_key(root).public
    message_seed = random_bytes(SEED_BYTES)
    record = first_record(SigningKey.from_seed(seed), recovery_public, card.node, name, message_seed, unix_s)
    with store.transaction():
        store.profile.save_identity(
            Identity(name, seed, 0, recovery_public, pack(record), pack(record), 1, IdentityState.CREATING, unix_s)
        )
        store.keys.add(record.hpke_number, message_seed, unix_s)
        store.profile.set_setting("node_card", card_text(card).encode())
    return words


class _Owner:
    """What twelve words make: the recovery key, and all identities that a chain can hold."""

    def __init__(self, words: str, name: str, card: NodeCard) -> None:
        root = root_from_words(words)
        self._name = name
        self._card = card
        self.recovery = recovery_key(root)
        self.seeds = [identity_seed(root, index) for index in range(SUCCESSIONS_MAX)]
        self._index = {SigningKey.from_seed(seed).public: index for index, seed in enumerate(self.seeds)}

    def index(self, stub: RecordStub | KeyRecord) -> int | None:
        """Which of our identities' record this is; None if it is not ours."""
        return self._index.get(stub.identity_key) if stub.recovery_key == self.recovery.public else None

    def save(
        self, store: ClientStore, index: int, link: KeyRecord | RecordStub, record: KeyRecord, unix_s: int
    ) -> None:
        """Make identity `index` the store's, with its link of the chain and its newest record, at this node."""
        seed, recovery, state = self.seeds[index], self.recovery.public, IdentityState.REGISTERED
        identity = Identity(self._name, seed, index, recovery, pack(link), pack(record), record.number, state, unix_s)
        store.profile.save_identity(identity)
        store.profile.set_setting("node_card", card_text(self._card).encode())


def restore_identity(
    store: ClientStore,
    name: str,
    card: NodeCard,
    words: str,
    found: FoundRecord,
    random_bytes: RandomBytes,
    unix_s: int,
) -> None:
    """Store the identity that `words` make and `found` shows, with a new message key that is published before a login.

    Raises `WordsInvalid`, or `WordsUnfit` if the record is not that of these words, or of a thief who used up its
    numbers. Nothing is stored then.
    """
    owner = _Owner(words, name, card)
    record, link = found.record, found.chain[-1].stub
    index = owner.index(record)
    if index is None:
        if record.recovery_key == owner.recovery.public:
            raise WordsUnfit("these are this name's words, but someone else changed its identity: replace it")
        raise WordsUnfit("these are not the words of this name")
    if max(record.number, record.hpke_number) >= UINT32_MAX:
        raise WordsUnfit("someone used up the numbers of this identity's records: replace it")
    seed, key = random_bytes(SEED_BYTES), SigningKey.from_seed(owner.seeds[index])
    number = _next_key_number(store, record.hpke_number)
    newer = msgspec.structs.replace(
        record,
        number=record.number + 1,
        hpke_key=MessageKey.from_seed(seed).public,
        hpke_number=number,
        made_on=day_of(unix_s),
        previous=record_hash(card.node, name, link),
    )
    with store.transaction():
        owner.save(store, index, record if record.stub() == link else link, record, unix_s)
        store.keys.add(number, seed, unix_s)
        former = [each.stub.identity_key for each in found.chain[:-1] if owner.index(each.stub) is not None]
        store.profile.set_pending_record(PendingRecord(sign_record(key, card.node, name, newer), before_login=True))
        store.profile.set_former_identities(former)


def replace_identity(
    store: ClientStore,
    name: str,
    card: NodeCard,
    words: str,
    found: FoundRecord | None,
    random_bytes: RandomBytes,
    unix_s: int,
) -> None:
    """Store a new identity for the name, with a succession by the recovery key, which is published before a login.

    It follows the last identity of ours; anything a thief put behind that stops counting. Without `found` (the node
    shows nothing of the name: a thief has deleted it) it follows the one in the store. Message keys that are there
    stay: they open what was sealed to them.

    Raises `WordsInvalid`, or `WordsUnfit` if these are not the name's words, or it changed too often. Nothing is stored
    then.
    """
    owner = _Owner(words, name, card)
    stubs = _own_stubs(store, owner, found)
    before = stubs[-1]
    index = 1 + max(owner.index(stub) or 0 for stub in stubs)
    if store.profile.has_identity():
        index = max(index, store.profile.identity().number + 1)
    if index >= SUCCESSIONS_MAX or before.recoveries >= RECOVERIES_MAX:
        raise WordsUnfit("this name has changed its identity too often")
    key, seed = SigningKey.from_seed(owner.seeds[index]), random_bytes(SEED_BYTES)
    # By the link alone: a thief who has the identity key may have used up the numbers of its later records.
    key_number = _next_key_number(store, before.hpke_number)
    record = sign_record(
        key,
        card.node,
        name,
        KeyRecord(
            before.number + 1,
            before.recoveries + 1,
            key.public,
            owner.recovery.public,
            MessageKey.from_seed(seed).public,
            key_number,
            day_of(unix_s),
            record_hash(card.node, name, before),
            b"",
        ),
    )
    succession = authorise(owner.recovery, card.node, name, record.stub(), Authority.RECOVERY)
    former = {stub.identity_key: None for stub in stubs} | dict.fromkeys(store.profile.former_identities())
    with store.transaction():
        owner.save(store, index, record, record, unix_s)
        store.keys.add(key_number, seed, unix_s)
        store.profile.set_pending_record(PendingRecord(record, succession, before_login=True))
        store.profile.set_former_identities(former)
        store.contacts.end_agreements()


def _own_stubs(store: ClientStore, owner: _Owner, found: FoundRecord | None) -> list[RecordStub]:
    """The links that are ours, up to the one that a recovery may follow: only identities signed behind it."""
    if found is None:
        if not store.profile.has_identity():
            raise WordsUnfit("the node has no such name, and nothing of it is here")
        stored = store.profile.identity().link
        try:
            stubs = [decode_record(stored).stub()]
        except RemoteProtocolError:
            stubs = [decode_stub(stored)]
        if owner.index(stubs[0]) is None:
            raise WordsUnfit("these are not the words of this name")
        return stubs
    chain = list(found.chain)
    while chain and owner.index(chain[-1].stub) is None:
        if chain[-1].authority is not Authority.IDENTITY:
            raise WordsUnfit("these are not the words of this name")
        chain.pop()
    if not chain:
        raise WordsUnfit("these are not the words of this name")
    return [link.stub for link in chain if owner.index(link.stub) is not None]


def _next_key_number(store: ClientStore, known: int) -> int:
    """A number for a message key that neither the node nor the store has had for another."""
    return 1 + max([known, *(key.number for key in store.keys.all())])
