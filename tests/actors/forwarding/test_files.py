"""Files between two people: whole, once, to the right person, in bounded room; and ended by either side."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import pytest

from usernym.actors import messages as msg
from usernym.actors.events import FileChanged, MessageArrived
from usernym.actors.failures import FileUnfit
from usernym.actors.forwarding import files as transfers
from usernym.actors.forwarding.file_rules import COMING_MAX, QUIET_S, STALLED_S, WINDOW_NODE
from usernym.mixnet.emulator.state import Faults
from usernym.protocol.files import PLAIN_FILE, chunks_of
from usernym.protocol.limits import FILE_BYTES_MAX
from usernym.protocol.payloads import CHUNK_BYTES
from usernym.storage.client.files import Files
from usernym.storage.client.types import Consent, Direction, FileState, HandshakeState, StoredFile
from usernym.testing.world import SimClient, World

CONTENT: Final = random.Random(1).randbytes(10 * CHUNK_BYTES + 7)
SMALL: Final = b"a small file"


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=3, disks=True) as made:
        yield made


def friends(world: World) -> tuple[SimClient, SimClient]:
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hi")
    return alice, bob


def send(sender: SimClient, recipient: str, content: bytes = CONTENT, name: str = "x.bin") -> bytes:
    message_id: bytes = sender.do(
        sender.graph.forwarding, lambda answer: msg.SendFile(recipient, name, PLAIN_FILE, content, answer)
    )
    return message_id


def end(client: SimClient, contact: str, file: bytes | None, *, erase: bool = False) -> int:
    ended: int = client.do(client.graph.forwarding, lambda answer: msg.EndFile(contact, file, erase, answer))
    return ended


def sent(client: SimClient, recipient: str, file: bytes) -> StoredFile:
    found = client.store.files.get(recipient, file, Direction.OUT)
    assert found is not None
    return found


def came(client: SimClient, sender: str, file: bytes) -> StoredFile:
    found = client.store.files.get(sender, file, Direction.IN)
    assert found is not None
    return found


def arrive(world: World, alice: SimClient, bob: SimClient, file: bytes, content: bytes = CONTENT) -> None:
    """Wait until Alice knows that Bob has all of it, and look."""
    world.sim.run_until(lambda: sent(alice, bob.name, file).state.is_final, 7200)
    assert sent(alice, bob.name, file).state is FileState.COMPLETE
    assert came(bob, alice.name, file).state is FileState.COMPLETE
    assert bob.store.files.content(came(bob, alice.name, file)) == content


@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("direct", [False, True])
def test_a_file_comes_whole(world: World, loss: float, direct: bool) -> None:
    alice, bob = friends(world)
    if direct:
        alice.offer("bob")
        world.settle(30)
        bob.accept("alice")
        world.settle(30)
        assert alice.contact("bob").handshake is HandshakeState.ACTIVE
    world.core.faults = Faults(loss=loss)
    file = send(alice, "bob")
    arrive(world, alice, bob, file)
    done = [event.done for event in bob.of_kind(FileChanged) if event.message_id == file]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    world.check()


def test_it_leaves_an_offer_in_the_history_and_nothing_else(world: World) -> None:
    alice, bob = friends(world)
    before = len(bob.store.messages.conversation("alice", 1000))
    arrive(world, alice, bob, send(alice, "bob"))
    world.settle(30)
    for one, other in ((alice, "bob"), (bob, "alice")):
        kinds = [message.kind for message in one.store.messages.conversation(other, 1000)]
        assert len(kinds) == before + 1
        assert kinds[-1] == msg.PayloadKind.FILE_OFFER
        assert not one.store.messages.outbox_of(other)
    alice.send_and_wait("bob", "and no counter is missing")
    assert [event.missing for event in bob.of_kind(MessageArrived)] == [0, 0]


@pytest.mark.parametrize("who", ["node", "alice", "bob", "both"])
def test_it_continues_after_death(world: World, who: str) -> None:
    alice, bob = friends(world)
    world.core.faults = Faults(loss=0.2)
    file = send(alice, "bob")
    for _ in range(3):
        before = came_so_far(bob, file)
        world.sim.run_until(lambda before=before: came_so_far(bob, file) > before, 3600)  # type: ignore[misc]
        if who == "node":
            world.node.restart()
        for client in {"alice": (alice,), "bob": (bob,), "both": (alice, bob)}.get(who, ()):
            client.restart()
            client.connect()
    arrive(world, alice, bob, file)


def came_so_far(bob: SimClient, file: bytes) -> int:
    found = bob.store.files.get("alice", file, Direction.IN)
    return 0 if found is None else found.done


def test_it_continues_soon_after_the_node_died_while_no_one_waited_for_its_answer(world: World) -> None:
    alice, bob = friends(world)
    file = send(alice, "bob")
    world.sim.run_until(lambda: came_so_far(bob, file) > 0, 60)
    world.node.restart()
    began = world.sim.now()
    arrive(world, alice, bob, file)
    assert world.sim.now() - began < QUIET_S[0] + 20, "not by the next regular heartbeat, up to 75 seconds later"


def test_a_file_that_becomes_quiet_puts_the_route_in_doubt_a_few_times(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = friends(world)
    doubts: list[msg.RouteDoubted] = []

    def doubted() -> msg.RouteDoubted:
        doubts.append(msg.RouteDoubted())
        return doubts[-1]

    monkeypatch.setattr(transfers, "RouteDoubted", doubted)
    file = send(alice, "bob")
    world.sim.run_until(lambda: came_so_far(bob, file) > 0, 60)
    assert doubts == []
    bob.kill()
    world.settle(30)
    assert len(doubts) == 1
    world.settle(3600)
    assert sent(alice, "bob", file).state is FileState.UNDER_WAY
    assert len(doubts) == len(QUIET_S)


@pytest.mark.seconds
def test_the_node_holds_a_windowful_at_most_and_texts_have_their_room(world: World) -> None:
    alice, bob = friends(world)
    file = send(alice, "bob")
    world.sim.run_until(lambda: came_so_far(bob, file) >= 2, 600)
    bob.kill()
    world.settle(600)
    waiting = world.node.store.mailbox.waiting("bob", 1000)
    assert 0 < len(waiting) <= WINDOW_NODE
    texts = [alice.send("bob", f"text {number}") for number in range(50)]
    world.settle(60)
    assert len(world.node.store.mailbox.waiting("bob", 1000)) <= WINDOW_NODE + len(texts)
    bob.start()
    bob.connect()
    arrive(world, alice, bob, file)
    world.sim.run_until(lambda: len(bob.texts("alice")) == 1 + len(texts), 600)


def test_a_text_overtakes_a_file(world: World) -> None:
    alice, bob = friends(world)
    file = send(alice, "bob", CONTENT * 5)
    world.sim.run_until(lambda: came_so_far(bob, file) >= 2, 600)
    alice.send_and_wait("bob", "first")
    assert sent(alice, "bob", file).done < chunks_of(5 * len(CONTENT)) // 2


def test_a_strangers_file_is_an_offer_until_they_are_accepted(world: World) -> None:
    alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
    alice.look_up("bob")
    file = send(alice, "bob")
    world.sim.run_until(lambda: bool(bob.of_kind(FileChanged)), 60)
    world.settle(300)
    assert came(bob, "alice", file).state is FileState.OFFERED
    assert bob.store.files.kept_bytes() == 0
    assert sent(alice, "bob", file).next == 0
    assert not world.node.store.mailbox.waiting("bob", 10)
    bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
    bob.graph.forwarding.tell(msg.RequestsDecided())
    arrive(world, alice, bob, file)


@pytest.mark.parametrize("consent", [Consent.DECLINED, Consent.BLOCKED])
def test_a_file_of_someone_unwanted_takes_no_room(world: World, consent: Consent) -> None:
    alice, bob = friends(world)
    bob.store.contacts.set_consent("alice", consent)
    bob.graph.forwarding.tell(msg.RequestsDecided())
    file = send(alice, "bob")
    world.settle(600)
    assert sent(alice, "bob", file).next == 0
    found = bob.store.files.get("alice", file, Direction.IN)
    assert found is None or found.state is FileState.OFFERED
    assert not bob.of_kind(FileChanged)


def test_who_is_blocked_meanwhile_sends_a_windowful_more_and_the_file_is_over(world: World) -> None:
    alice, bob = friends(world)
    file = send(alice, "bob", CONTENT * 5)
    world.sim.run_until(lambda: came_so_far(bob, file) >= 2, 600)
    bob.store.contacts.set_consent("alice", Consent.BLOCKED)
    world.settle(600)
    found = came(bob, "alice", file)
    assert found.state is FileState.CANCELLED
    assert bob.store.files.content(found) == b""
    assert sent(alice, "bob", file).state is FileState.UNDER_WAY  # she learns nothing
    assert sent(alice, "bob", file).next <= found.done + 2 * WINDOW_NODE


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_either_side_ends_it(world: World, who: str) -> None:
    alice, bob = friends(world)
    file = send(alice, "bob", CONTENT * 5)
    world.sim.run_until(lambda: came_so_far(bob, file) >= 2, 600)
    ending, other = (alice, bob) if who == "alice" else (bob, alice)
    assert end(ending, other.name, file) == 1
    world.settle(120)
    states = sent(alice, "bob", file).state, came(bob, "alice", file).state
    assert sorted(state.value for state in states) == ["cancelled", "ended by the other side"]
    assert (states[0] if who == "alice" else states[1]) is FileState.CANCELLED
    assert bob.store.files.content(came(bob, "alice", file)) == b""
    assert not alice.store.messages.outbox_of("bob")
    assert not bob.store.messages.outbox_of("alice")
    assert not world.node.store.mailbox.waiting("bob", 10)
    assert end(ending, other.name, file) == 0
    again = send(alice, "bob", SMALL)
    arrive(world, alice, bob, again, SMALL)


def test_erased_here_and_kept_there(world: World) -> None:
    alice, bob = friends(world)
    file = send(alice, "bob", SMALL)
    arrive(world, alice, bob, file, SMALL)
    assert end(alice, "bob", None, erase=True) == 1
    assert alice.store.files.get("bob", file, Direction.OUT) is None
    assert [message.kind for message in alice.store.messages.conversation("bob", 10)] == [msg.PayloadKind.TEXT]
    assert alice.of_kind(FileChanged)[-1].erased
    assert bob.store.files.content(came(bob, "alice", file)) == SMALL


def test_a_file_that_is_not_what_was_offered_is_kept_by_no_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = friends(world)
    with monkeypatch.context() as patched:
        patched.setattr(transfers, "digest_of", lambda _content: bytes(32))
        file = send(alice, "bob")
    world.sim.run_until(lambda: sent(alice, "bob", file).state.is_final, 600)
    world.settle(60)
    found = came(bob, "alice", file)
    assert found.state is FileState.DAMAGED
    assert bob.store.files.content(found) == b""


def test_what_a_look_for_files_to_want_costs_does_not_grow_with_what_a_contact_offers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob = friends(world)
    for number in range(300):
        file = number.to_bytes(16, "big")
        bob.store.files.add("alice", Direction.IN, file, name="x", size=FILE_BYTES_MAX, kind=0, digest=bytes(32), now=0)
    world.settle(20)
    looks = []
    kept_bytes = Files.kept_bytes

    def noted(self: Files) -> int:
        looks.append(kept_bytes(self))
        return looks[-1]

    monkeypatch.setattr(Files, "kept_bytes", noted)
    world.settle(60)
    assert 0 < len(looks) <= 20, "one a tick, or two"


@pytest.mark.seconds
def test_few_come_at_once_and_one_that_stalls_lets_another_in(world: World) -> None:
    bob = world.client("bob")
    people = [world.client(name) for name in ("carol", "dave", "erin", "frank")]
    files = []
    for person in people:
        person.send_and_wait("bob", "hi")
    for person in people[:COMING_MAX]:
        files.append(send(person, "bob", CONTENT))
        world.sim.run_until(lambda person=person: came_any(bob, person.name), 60)  # type: ignore[misc]
        person.kill()
    third = send(people[COMING_MAX], "bob", SMALL)
    world.settle(60)
    assert came(bob, people[COMING_MAX].name, third).state is FileState.OFFERED
    world.settle(STALLED_S + 60)
    arrive(world, people[COMING_MAX], bob, third, SMALL)
    for person, file in zip(people, files, strict=False):
        person.start()
        person.connect()
        arrive(world, person, bob, file)


def came_any(bob: SimClient, sender: str) -> bool:
    return any(file.state is FileState.UNDER_WAY for file in bob.store.files.page(sender, 10))


@pytest.mark.parametrize("content", [b"", bytes(FILE_BYTES_MAX + 1)])
def test_files_of_an_impossible_size(world: World, content: bytes) -> None:
    alice, _ = friends(world)
    with pytest.raises(FileUnfit):
        send(alice, "bob", content)


@pytest.mark.parametrize("name", ["", "../x", "x" * 65, ".x", "a\nb"])
def test_names_that_are_none(world: World, name: str) -> None:
    alice, _ = friends(world)
    with pytest.raises(FileUnfit):
        send(alice, "bob", SMALL, name)


def test_only_to_contacts(world: World) -> None:
    alice, _ = friends(world)
    world.client("carol")
    with pytest.raises(FileUnfit):
        send(alice, "carol", SMALL)
