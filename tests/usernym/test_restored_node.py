"""What happens after a node came back in an older state: nothing is shown twice, and what can come back does."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym import node_backup as backup
from usernym.actors.events import NodeAddressChanged, NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.node_check import check_store
from usernym.protocol.errors import Code
from usernym.protocol.limits import DAY_S
from usernym.protocol.signing import SigningKey
from usernym.storage.client.types import DeliveryState
from usernym.storage.node.store import NodeStore
from usernym.testing.world import SimNode, World


class RestorableWorld(World):
    """A world whose node has its store on disk, and can be lost and restored."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        super().__init__(seed)
        self.disks = folder
        self.lives = 0
        self._open(folder / "node-0" / "node.db")

    def _open(self, path: Path) -> None:
        node: SimNode = self.node
        node.kill()
        node.store.close()
        node.store = NodeStore.open(path, synchronous="OFF")
        node._opened = True
        node.key = SigningKey.from_seed(node.store.profile.identity_seed(node.key._key.private_bytes_raw()))
        node.start_and_wait()

    @property
    def home(self) -> Path:
        return self.disks / f"node-{self.lives}"

    def back_up(self) -> None:
        backup.back_up(self.home, self.disks / "copy", None)

    def restore(self) -> None:
        """The node's disk is lost; a new one gets what the backup has."""
        self.lives += 1
        backup.restore(self.disks / "copy", self.home, None)
        self._open(self.home / "node.db")


@pytest.fixture
def world(tmp_path: Path) -> RestorableWorld:
    return RestorableWorld(tmp_path)


def test_a_newer_card_with_the_same_address_is_taken_and_no_one_is_warned_of_a_move(world: RestorableWorld) -> None:
    """A warning that is not true would be learned to be ignored."""
    alice = world.client("alice")
    before = alice.store.profile.setting("sent_node_card")
    world.back_up()
    world.restore()
    world.settle(300)
    assert alice.store.profile.setting("sent_node_card") not in (None, before), "the node has sent a newer one"
    assert alice.of_kind(NodeAddressChanged) == []
    bob = world.client("bob")
    bob.send_and_wait("alice", "hello")


def test_what_came_before_the_backup_arrives_and_what_was_delivered_since_is_shown_once(world: RestorableWorld) -> None:
    alice, bob = world.client("alice"), world.client("bob", online=False)
    first = alice.send_and_wait("bob", "waits at the backup", DeliveryState.ACCEPTED)
    world.back_up()
    bob.go_online()
    alice.wait_for_state(first, DeliveryState.DELIVERED)
    world.restore()
    assert len(world.node.store.mailbox.waiting("bob", 9)) == 1
    second = alice.send_and_wait("bob", "after it")
    world.settle(120)
    assert bob.texts() == ["waits at the backup", "after it"]
    assert alice.states(second)[-1] is DeliveryState.DELIVERED
    assert not world.node.store.mailbox.waiting("bob", 1)
    world.check()


@pytest.mark.seconds
def test_a_sender_who_knows_a_newer_key_than_the_restored_node_waits_for_its_owner(world: RestorableWorld) -> None:
    alice, bob = world.client("alice"), world.client("bob")
    world.back_up()
    for client in (alice, bob):
        client.kill()
    world.sim.run_for(8 * DAY_S)
    for client in (alice, bob):
        client.start()
        client.go_online()
    world.settle(60)
    assert alice.look_up("bob").record != bob.store.profile.identity().link
    bob.kill()
    world.restore()
    message_id = alice.send("bob", "to the key that the node has forgotten")
    world.settle(1_200)
    assert not alice.of_kind(NodeCaught), "it looks like a node that rolls records back, and proves nothing"
    assert DeliveryState.REFUSED not in alice.states(message_id)
    bob.start()
    bob.go_online()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 2_000)
    assert bob.texts() == ["to the key that the node has forgotten"]
    world.check()


def test_somebody_who_registered_after_the_backup_registers_again(world: RestorableWorld) -> None:
    alice = world.client("alice")
    world.back_up()
    late = world.client("latecomer")
    alice.look_up("latecomer")
    world.restore()
    late.restart()
    with pytest.raises(NodeRefused) as refusal:
        late.go_online()
    assert refusal.value.code is Code.NOT_REGISTERED
    late.register()
    late.go_online()
    alice.send_and_wait("latecomer", "there you are")
    assert late.texts() == ["there you are"]
    world.check()


@pytest.mark.seconds
def test_so_does_somebody_whose_message_key_was_rotated_since(world: RestorableWorld) -> None:
    alice = world.client("alice")
    world.back_up()
    late = world.client("latecomer")
    alice.kill()
    late.kill()
    world.sim.run_for(8 * DAY_S)
    alice.start()
    late.start()
    late.go_online()
    alice.go_online()
    world.settle(60)
    assert late.store.profile.identity().record_number == 2
    alice.look_up("latecomer")
    world.restore()
    late.restart()
    late.register()
    late.go_online()
    world.settle(60)
    account = world.node.store.directory.account("latecomer")
    assert account is not None
    assert account.record == late.store.profile.identity().record, (
        "the first record began the name again, the newest followed"
    )
    alice.send_and_wait("latecomer", "there you are")
    assert late.texts() == ["there you are"]
    assert check_store(Path(world.node.store.path)).problems == []
    world.check()


def test_a_receipt_of_after_the_restore_is_not_taken_for_one_of_before(world: RestorableWorld) -> None:
    """A notice's number is never used twice, also not by a node that has forgotten that it used it."""
    alice, _ = world.client("alice"), world.client("bob")
    world.back_up()
    for number in range(5):
        alice.send_and_wait("bob", f"text {number}")
    given_out = world.node.store.database.row("SELECT max(seq) FROM sqlite_sequence WHERE name = 'notice'")
    assert given_out is not None
    world.restore()
    assert world.node.store.notices.add("alice", 2, bytes(16), 1, 2) > given_out[0] + backup.NUMBERS_SKIPPED // 2
    world.check()


def test_the_card_of_a_restored_node_is_newer_than_any_it_gave_out(world: RestorableWorld) -> None:
    world.back_up()
    world.node.address = None
    world.node.restart()
    given_out = world.node.card
    world.restore()
    assert world.node.card.node == given_out.node
    assert world.node.card.sequence > given_out.sequence
    world.check()


def test_a_restored_nodes_users_log_in_again_by_themselves(world: RestorableWorld) -> None:
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.back_up()
    login_id = alice.store.profile.login_id()
    world.restore()
    world.settle(200)
    assert alice.store.profile.login_id() != login_id
    alice.send_and_wait("bob", "as if nothing had happened")
    assert bob.texts() == ["as if nothing had happened"]
    world.check()
