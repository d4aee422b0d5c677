"""Lookups of users who name witnesses, in simulated worlds: what counts as signed, and what is looked at again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.actors.directory.test_witnesses import newest_head, witnessed
from tests.actors.lookup.test_promises import CHECKED_S, asked, lying, much_later, shown
from tests.actors.lookup.test_proved_lookups import client_of
from tests.helpers.hostile import message_of
from usernym.actors.events import DirectoryChanged, NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup.promises import AGAIN_MAX_S, CHECK_MAX_S
from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.directory.witnesses import WitnessPolicy, cosign
from usernym.protocol.errors import Code
from usernym.protocol.limits import DAY_S, EPOCH_S, HOUR_S
from usernym.protocol.signing import SigningKey
from usernym.storage.client.promises import CHECKS_MAX
from usernym.storage.client.types import InDirectory
from usernym.testing.forgeries import ForgedWorld
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, SimNode, World

SHOWS = "as its public directory shows"
NOBODY = SigningKey.from_seed(bytes(32))


def policy_of(others: list[SimNode], needed: int = 0) -> WitnessPolicy:
    return WitnessPolicy([other.key.public for other in others], needed or len(others))


def with_witnesses(world: World, *names: str, witnesses: int = 1, needed: int = 0) -> list[SimNode]:
    """Witnesses for the world's node, and users who want their signatures, and are in the log."""
    others = witnessed(world, *[f"witness_{number}" for number in range(witnesses)])
    for name in names:
        world.client(name, witnesses=policy_of(others, needed))
    world.settle(3 * EPOCH_S)
    return others


def directories(client: SimClient) -> list[InDirectory]:
    return [event.directory for event in client.of_kind(DirectoryChanged)]


def add_epoch(world: World) -> None:
    """An epoch that no witness has signed yet."""
    size = world.node.store.log.size()
    world.client(f"user_{size}", online=False)
    world.sim.run_until(lambda: world.node.store.log.size() > size)


def test_a_key_in_a_log_that_the_witnesses_have_signed_is_in_the_directory_at_once() -> None:
    with World() as world:
        with_witnesses(world, "alice", "bob", witnesses=3, needed=2)
        alice, times = client_of(world, "alice"), asked(world, "bob")
        assert alice.look_up("bob").directory is InDirectory.SHOWN
        assert not directories(alice)
        with pytest.raises(NodeRefused) as refused:
            alice.look_up("nobody")
        assert (refused.value.code, SHOWS in str(refused.value)) == (Code.NO_SUCH_USER, True)
        much_later(world, CHECK_MAX_S)
        much_later(world, 3 * DAY_S)
        assert len(times) == 2, "no more lookups than without witnesses"
        world.check()


@pytest.mark.seconds
def test_what_a_client_sends_does_not_say_whose_signatures_it_wants() -> None:
    def sent(policy: Callable[[list[SimNode]], WitnessPolicy]) -> list[tuple[float, type, int]]:
        """All that alice sends while the signatures are there: when, of which kind, and how long."""
        with World() as world:
            frames: list[tuple[float, type, int]] = []

            def hear(heard: Heard) -> None:
                if (heard.what, heard.who) == ("sent", "alice"):
                    frames.append((heard.at, type(message_of(heard.data)), len(heard.data)))

            others = witnessed(world, "one", "two")
            world.mixnet.listeners.append(hear)
            alice, _bob = world.client("alice", witnesses=policy(others)), world.client("bob")
            world.settle(3 * EPOCH_S)
            assert alice.look_up("bob").directory is InDirectory.SHOWN
            alice.send_and_wait("bob", "hi")
            world.settle(CHECKED_S)
            return frames

    without = sent(lambda _others: WitnessPolicy())
    assert len(without) > 20
    assert without == sent(policy_of)
    assert without == sent(lambda others: policy_of(others[:1]))


@pytest.mark.seconds
def test_a_head_that_is_not_signed_yet_is_no_alarm_and_is_looked_at_again() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice = client_of(world, "alice")
        other.kill()
        add_epoch(world)
        assert alice.look_up("bob").directory is InDirectory.NOT_WITNESSED
        assert shown(alice, "bob") is InDirectory.NOT_WITNESSED
        other.start_and_wait()
        world.settle(CHECKED_S)
        assert shown(alice, "bob") is InDirectory.SHOWN
        assert directories(alice) == [InDirectory.SHOWN]
        add_epoch(world)
        much_later(world, AGAIN_MAX_S)
        assert shown(alice, "bob") is InDirectory.SHOWN
        assert not alice.of_kind(NodeCaught)
        world.check()


def test_a_user_who_asks_again_gets_the_word_at_once() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice = client_of(world, "alice")
        other.kill()
        add_epoch(world)
        assert alice.look_up("bob").directory is InDirectory.NOT_WITNESSED
        other.start_and_wait()
        world.settle(HOUR_S // 20)
        assert alice.look_up("bob").directory is InDirectory.SHOWN


@pytest.mark.seconds
def test_however_often_a_user_asks_the_program_looks_as_soon_as_it_would_have() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice = client_of(world, "alice")
        other.kill()
        add_epoch(world)
        for _ in range(CHECKS_MAX + 1):
            alice.look_up("bob")
        other.start_and_wait()
        world.settle(CHECKED_S)
        assert shown(alice, "bob") is InDirectory.SHOWN


def test_an_absence_that_is_not_signed_is_the_nodes_word_only() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice")
        other.kill()
        add_epoch(world)
        with pytest.raises(NodeRefused) as refused:
            client_of(world, "alice").look_up("nobody")
        assert (refused.value.code, SHOWS in str(refused.value)) == (Code.NO_SUCH_USER, False)


def test_an_answer_without_proof_changes_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob", "carol")
        alice = client_of(world, "alice")
        alice.look_up("carol")
        other.kill()
        add_epoch(world)
        alice.look_up("bob")
        lying(monkeypatch, lambda _request, _answer: None)
        assert alice.look_up("bob").directory is InDirectory.NOT_WITNESSED
        assert alice.look_up("carol").directory is InDirectory.SHOWN


def test_a_contact_whose_key_was_signed_once_stays_in_the_directory() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice, times = client_of(world, "alice"), asked(world, "bob")
        alice.look_up("bob")
        other.kill()
        add_epoch(world)
        much_later(world, CHECK_MAX_S)
        assert len(times) == 2
        assert shown(alice, "bob") is InDirectory.SHOWN
        much_later(world, 3 * DAY_S)
        assert len(times) == 2, "there is nothing more to be found out"
        assert not directories(alice)


def test_a_contact_whose_key_was_signed_once_is_not_looked_at_more_often_after_a_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice, times = client_of(world, "alice"), asked(world, "bob")
        alice.look_up("bob")
        lying(monkeypatch, lambda _request, _answer: None)
        much_later(world, CHECK_MAX_S)
        monkeypatch.undo()
        other.kill()
        add_epoch(world)
        much_later(world, CHECK_MAX_S << 1)
        assert len(times) == 3
        much_later(world, 3 * DAY_S)
        assert len(times) == 3


@pytest.mark.seconds
def test_witnesses_who_are_away_accuse_no_one_and_cost_a_bounded_number_of_lookups() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice, times = client_of(world, "alice"), asked(world, "bob")
        other.kill()
        add_epoch(world)
        alice.look_up("bob")
        for number in range(1, CHECKS_MAX):
            assert len(times) == number
            much_later(world, CHECK_MAX_S << number)
        assert len(times) == CHECKS_MAX
        much_later(world, 3 * DAY_S)
        assert len(times) == CHECKS_MAX, "from now on as rarely as any contact"
        much_later(world, AGAIN_MAX_S)
        assert len(times) == CHECKS_MAX + 1
        much_later(world, 3 * DAY_S)
        assert len(times) == CHECKS_MAX + 1
        assert shown(alice, "bob") is InDirectory.NOT_WITNESSED
        assert not directories(alice)
        assert not alice.store.evidence.all()
        other.start_and_wait()
        world.settle(HOUR_S + EPOCH_S)
        much_later(world, AGAIN_MAX_S)
        assert shown(alice, "bob") is InDirectory.SHOWN


@pytest.mark.seconds
def test_a_young_name_is_promised_then_shown_then_signed() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice")
        alice = client_of(world, "alice")
        other.kill()
        world.client("bob", online=False)
        alice.look_up("bob")
        assert shown(alice, "bob") is InDirectory.PROMISED
        world.settle(CHECKED_S)
        assert shown(alice, "bob") is InDirectory.NOT_WITNESSED
        other.start_and_wait()
        world.settle(HOUR_S + EPOCH_S)
        much_later(world, CHECK_MAX_S << 2)  # the second check may have come before the signature
        assert directories(alice) == [InDirectory.NOT_WITNESSED, InDirectory.SHOWN]


@pytest.mark.seconds
def test_another_identity_of_a_contact_must_be_signed_itself() -> None:
    with World(disks=True) as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice, bob = client_of(world, "alice"), client_of(world, "bob")
        alice.look_up("bob")
        much_later(world, CHECK_MAX_S)  # now it would not be looked at for a week
        other.kill()
        assert bob.move(replace=True)
        bob.go_online()
        world.settle(2 * EPOCH_S)
        assert alice.look_up("bob").directory is InDirectory.NOT_WITNESSED
        other.start_and_wait()
        world.settle(CHECKED_S)
        assert shown(alice, "bob") is InDirectory.SHOWN


@pytest.mark.seconds
def test_strangers_who_write_are_judged_by_the_same_policy() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        other.kill()
        add_epoch(world)
        client_of(world, "bob").send_and_wait("alice", "hi")
        alice = client_of(world, "alice")
        assert shown(alice, "bob") is InDirectory.NOT_WITNESSED
        other.start_and_wait()
        world.settle(CHECKED_S)
        assert shown(alice, "bob") is InDirectory.SHOWN


def test_another_policy_makes_what_was_signed_before_unsigned_until_the_next_lookup() -> None:
    with World() as world:
        others = with_witnesses(world, "alice", "bob", witnesses=2, needed=1)
        alice = client_of(world, "alice")
        alice.look_up("bob")
        alice.restart()
        assert shown(alice, "bob") is InDirectory.SHOWN, "the same policy"
        alice.witnesses = policy_of(others)
        alice.restart()
        alice.go_online()
        assert shown(alice, "bob") is InDirectory.NOT_WITNESSED
        assert alice.look_up("bob").directory is InDirectory.SHOWN
        alice.witnesses = WitnessPolicy([NOBODY.public], 1)
        alice.restart()
        assert shown(alice, "bob") is InDirectory.NOT_WITNESSED
        alice.witnesses = WitnessPolicy()
        alice.restart()
        assert shown(alice, "bob") is InDirectory.SHOWN


# -- signatures that do not count --


def not_the_head(node: SimNode, key: SigningKey) -> bytes:
    head = newest_head(node)
    return cosign(key, LogHead(head.node, head.size, bytes(32)), 1)


def an_older_head(node: SimNode, key: SigningKey) -> bytes:
    head = newest_head(node)
    return cosign(key, LogHead(head.node, head.size - 1, head.root), 1)


def anothers_log(node: SimNode, key: SigningKey) -> bytes:
    head = newest_head(node)
    return cosign(key, LogHead(NOBODY.public, head.size, head.root), 1)


def another_witness(node: SimNode, _key: SigningKey) -> bytes:
    return cosign(NOBODY, newest_head(node), 1)


def altered(node: SimNode, key: SigningKey) -> bytes:
    good = cosign(key, newest_head(node), 1)
    return good[:-1] + bytes((good[-1] ^ 1,))


def another_time(node: SimNode, key: SigningKey) -> bytes:
    good = cosign(key, newest_head(node), 1)
    return good[:11] + b"\2" + good[12:]


def not_whole(node: SimNode, key: SigningKey) -> bytes:
    return cosign(key, newest_head(node), 1)[:-1]


FALSE = [not_the_head, an_older_head, anothers_log, another_witness, altered, another_time, not_whole]


@pytest.mark.parametrize("false", FALSE)
def test_a_signature_that_is_not_the_witnesss_to_this_head_does_not_count(
    monkeypatch: pytest.MonkeyPatch, false: Callable[[SimNode, SigningKey], bytes]
) -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob", "carol")
        alice = client_of(world, "alice")
        bad = false(world.node, other.key)
        lying(monkeypatch, lambda _request, answer: msgspec.structs.replace(answer, cosignatures=bad))
        assert alice.look_up("bob").directory is InDirectory.NOT_WITNESSED
        lying_with = cosign(other.key, newest_head(world.node), 1) + bad
        monkeypatch.undo()
        lying(monkeypatch, lambda _request, answer: msgspec.structs.replace(answer, cosignatures=lying_with))
        assert alice.look_up("carol").directory is InDirectory.SHOWN, "the same with the right one beside it"
        assert not alice.of_kind(NodeCaught)


def test_one_witness_who_signs_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with World() as world:
        one, _two = with_witnesses(world, "alice", "bob", witnesses=2)
        twice = b"".join(cosign(one.key, newest_head(world.node), at) for at in (1, 2))
        lying(monkeypatch, lambda _request, answer: msgspec.structs.replace(answer, cosignatures=twice))
        assert client_of(world, "alice").look_up("bob").directory is InDirectory.NOT_WITNESSED


def test_a_key_in_a_log_that_only_the_victim_is_shown_never_gets_the_word() -> None:
    with ForgedWorld() as world:
        with_witnesses(world, "alice", "bob", witnesses=2)
        bob = client_of(world, "bob")
        record, event = world.forger.forged_record("alice")
        world.forger.fork("bob").forge("alice", [event])
        world.forger.records["alice"] = record
        add_epoch(world)
        world.settle(3 * EPOCH_S)
        contact = bob.look_up("alice")
        assert (contact.identity_key, contact.directory) == (record.identity_key, InDirectory.NOT_WITNESSED)
        for number in range(1, 4):
            much_later(world, CHECK_MAX_S << number)
            bob.look_up("alice")
            assert shown(bob, "alice") is InDirectory.NOT_WITNESSED
        world.forger.records.clear()
        carol = world.client("carol", witnesses=bob.witnesses)
        world.settle(3 * EPOCH_S)
        assert carol.look_up("alice").directory is InDirectory.SHOWN, "the log of all others is signed"
