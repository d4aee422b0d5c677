"""A new identity: words, keys, the first record. Only identity 0 and the message key are stored; the words are not."""

from __future__ import annotations

from collections.abc import Callable

from usernym.actors.client_keys import SEED_BYTES, first_record
from usernym.protocol.cards import NodeCard, card_text
from usernym.protocol.names import check_registrable
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.protocol.words import ENTROPY_BYTES, identity_seed, recovery_key, root_from_words, words_from_entropy
from usernym.storage.client import ClientStore, Identity, IdentityState


def create_identity(
    store: ClientStore, name: str, card: NodeCard, random_bytes: Callable[[int], bytes], unix_s: int
) -> str:
    """Make an identity for `name` at the card's node, and store it. Returns its twelve recovery words.

    Raises `RemoteProtocolError` with the reason if no node would register the name.
    """
    check_registrable(name)
    words = words_from_entropy(random_bytes(ENTROPY_BYTES))
    root = root_from_words(words)
    seed = identity_seed(root, 0)
    recovery_public = recovery_key(root).public
    message_seed = random_bytes(SEED_BYTES)
    record = first_record(SigningKey.from_seed(seed), recovery_public, card.node, name, message_seed, unix_s)
    with store.transaction():
        store.save_identity(
            Identity(name, seed, 0, recovery_public, pack(record), pack(record), 1, IdentityState.CREATING, unix_s)
        )
        store.add_hpke_key(record.hpke_number, message_seed, unix_s)
        store.set_setting("node_card", card_text(card).encode())
    return words
