"""A stolen identity and its owner's recovery, at the node and in a contact's client."""

from __future__ import annotations

import msgspec
import pytest

from tests.helpers.record_publisher import RecordPublisher
from usernym.actors.events import IdentityChanged, NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import UINT32_MAX
from usernym.protocol.records import (
    RecordStub,
    decode_record,
    sign_record,
)
from usernym.protocol.signing import SigningKey
from usernym.protocol.words import next_identity_seed, recovery_key, root_from_words
from usernym.storage.client.types import Trust
from usernym.testing.world import SimClient, World


def owner_keys(owner: SimClient) -> tuple[RecordStub, SigningKey, SigningKey]:
    """The first record, the recovery key and the next identity of someone who has their words."""
    assert owner.words is not None
    root = root_from_words(owner.words)
    first = decode_record(owner.store.profile.identity().record).stub()
    return first, recovery_key(root), SigningKey.from_seed(next_identity_seed(root, bytes(32)))


def test_a_contact_follows_the_thief_and_then_the_owner_and_never_back() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    alice.store.contacts.set_trust("bob", Trust.VERIFIED)
    first, recovery, second = owner_keys(bob)
    publisher = RecordPublisher(world)

    thief = SigningKey.from_seed(b"t" * 32)
    answer, stolen = publisher.publish("bob", first, thief, bob.user.key, number=UINT32_MAX, hpke_number=UINT32_MAX)
    assert isinstance(answer, m.Published)
    assert alice.look_up("bob").trust is Trust.CHANGED
    assert alice.of_kind(IdentityChanged) == [IdentityChanged("bob", True)]

    answer, mended = publisher.publish("bob", first, second, recovery)
    assert isinstance(answer, m.Published)
    assert decode_record(alice.look_up("bob").record) == mended
    assert alice.of_kind(IdentityChanged)[-1] == IdentityChanged("bob", False)

    next_thief = SigningKey.from_seed(b"u" * 32)
    answer, _ = publisher.publish("bob", stolen.stub(), next_thief, thief, number=UINT32_MAX, hpke_number=UINT32_MAX)
    assert isinstance(answer, m.Refused)
    assert decode_record(alice.look_up("bob").record) == mended
    assert not alice.of_kind(NodeCaught)
    world.check()


def test_a_thief_cannot_change_the_recovery_key() -> None:
    world = World()
    bob = world.client("bob")
    first, _, _ = owner_keys(bob)
    thief = SigningKey.from_seed(b"t" * 32)
    own_recovery = SigningKey.from_seed(b"r" * 32).public
    answer, _ = RecordPublisher(world).publish("bob", first, thief, bob.user.key, recovery_key=own_recovery)
    assert isinstance(answer, m.Refused)
    assert answer.code == Code.SUCCESSION_INVALID
    account = world.node.store.directory.account("bob")
    assert account is not None
    assert account.identity_key == bob.user.key.public
    world.check()


def test_a_node_that_swaps_a_pinned_key_is_refused() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    mallory = world.client("mallory", online=False)
    theirs = mallory.store.profile.identity()
    key = SigningKey.from_seed(theirs.seed)
    fake = sign_record(key, world.node.key.public, "bob", decode_record(theirs.record))
    world.node.store.database.run("UPDATE account SET record = ? WHERE name = 'bob'", (msgspec.msgpack.encode(fake),))
    with pytest.raises(NodeRefused):
        alice.look_up("bob")
    assert alice.counters()["lookup"]["refused_succession_invalid"] == 1
    assert alice.contact("bob").identity_key == bob.user.key.public
    world.check()
