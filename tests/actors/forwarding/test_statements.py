"""A node passes on only statements that the sender can verify: none makes an honest node look like a liar."""

from __future__ import annotations

import msgspec
import pytest

from tests.helpers.hostile import RawClient, total
from usernym.actors.events import NodeCaught
from usernym.protocol import messages as m
from usernym.protocol.sealing import Envelope
from usernym.protocol.signing import SigningKey
from usernym.storage.client.types import Consent, DeliveryState
from usernym.testing.world import SimClient, World


class Scene:
    """Two texts of alice's wait for mallory, who can state what it likes about them."""

    def __init__(self) -> None:
        self.world = World(7)
        self.alice = self.world.client("alice")
        self.mallory = RawClient(self.world)
        assert isinstance(self.mallory.register(), m.Registered)
        self.mallory.log_in()
        for text in ("one", "two"):
            self.alice.send_and_wait("mallory", text, DeliveryState.ACCEPTED)
        self.world.settle(5)
        self.delivered: list[m.Deliver] = self.mallory.received(m.Deliver)

    def envelope(self, told: m.Deliver, client: SimClient | None = None) -> Envelope:
        sender = (client or self.alice).store.profile.identity()
        sender_key = SigningKey.from_seed(sender.seed).public
        node, mine = self.mallory.node, self.mallory.key.public
        return Envelope(node, "alice", "mallory", sender_key, mine, told.key_number, told.message_id)

    def states(self, told: m.Deliver, statement: bytes) -> None:
        said = m.Unopenable(2, "mallory", self.mallory.login_id, "alice", told.message_id, statement)
        self.mallory.throw(self.mallory.encode(said), 2)
        self.world.settle(2)

    def waiting(self) -> int:
        return len(self.world.node.store.mailbox.waiting("mallory", 9))


def false_statements(scene: Scene) -> list[bytes]:
    first, second = scene.delivered[:2]
    key, another = scene.mallory.key, SigningKey.from_seed(b"o" * 32)
    envelope = scene.envelope(first)
    return [
        bytes(64),
        scene.world.sim.random_bytes(64),
        envelope.sign_unopenable(another),
        scene.envelope(second).sign_unopenable(key),
        envelope.sign(key, first.sealed),
        first.inner_signature,
    ]


def test_a_statement_that_does_not_verify_is_refused_and_its_message_stays() -> None:
    scene = Scene()
    first = scene.delivered[0]
    statements = false_statements(scene)
    for statement in statements:
        scene.states(first, statement)
    assert scene.waiting() == 2
    assert scene.world.node.store.notices.of("alice", 9) == []
    assert total(scene.world.node.counters(), "refused_signature_invalid") == len(statements)
    assert total(scene.alice.counters(), "refused_signature_invalid") == 0
    assert not scene.alice.of_kind(NodeCaught)
    scene.world.check()


def test_the_recipients_own_statement_is_passed_on_and_the_text_sealed_again() -> None:
    scene = Scene()
    first = scene.delivered[0]
    scene.states(first, scene.envelope(first).sign_unopenable(scene.mallory.key))
    scene.world.settle(30)
    again = [told for told in scene.mallory.received(m.Deliver) if told.message_id == first.message_id]
    assert len({told.sealed for told in again}) == 2
    assert total(scene.world.node.counters(), "not_opened") == 1
    scene.world.check()


def test_a_node_that_did_not_check_would_pass_on_what_no_one_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """What once was: a contact could make the page say of an honest node that it lies."""
    scene = Scene()
    monkeypatch.setattr(Envelope, "verify_unopenable", lambda _self, _statement: None)
    scene.states(scene.delivered[0], bytes(64))
    assert total(scene.world.node.counters(), "not_opened") == 1


def test_a_message_sealed_again_takes_the_place_of_its_former_seal() -> None:
    """What the recipient says of a seal that its sender no longer knows would be no word about the message."""
    with World(8) as world:
        bob = world.client("bob")
        mallory = RawClient(world)
        mallory.register()
        mallory.log_in()
        found = world.node.show("bob")
        assert found is not None
        record = found.record
        bob.kill()
        first = mallory.forward("bob", record, b"1" * 202)
        again = mallory.forward("bob", record, b"2" * 202, message_id=first.message_id)
        for forward in (first, again):
            assert isinstance(mallory.hand_in(forward), m.Accepted)
        (kept,) = world.node.store.mailbox.waiting("bob", 10)
        assert again.sealed in kept.blob
        repeated = msgspec.structs.replace(first, request_id=mallory.new_id())
        assert isinstance(mallory.hand_in(repeated), m.Accepted)
        assert world.node.store.mailbox.waiting("bob", 10) == [kept], "the former seal, overtaken, changes nothing"


@pytest.mark.parametrize("consent", [Consent.BLOCKED, Consent.DECLINED])
def test_who_is_not_wanted_sees_by_no_statement_whether_the_user_is_there(consent: Consent) -> None:
    scene = Scene()
    scene.alice.store.contacts.set_consent("mallory", consent)
    told, key = scene.delivered[0], scene.mallory.key
    scene.states(told, scene.envelope(told).sign_unopenable(key))
    scene.world.settle(120)
    assert scene.mallory.received(m.Deliver) == scene.delivered, "nothing is sealed again"
    assert scene.alice.states(told.message_id)[-1] is DeliveryState.REFUSED, "its writer knows that it did not arrive"
    scene.world.check()
