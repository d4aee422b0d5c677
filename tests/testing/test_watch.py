"""The rules for frames: each is broken by a client that breaks it, and by no other."""

from __future__ import annotations

import random
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import pytest

from usernym.actors import messages as msg
from usernym.actors.context import ClientContext
from usernym.actors.events import NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup import chain_fetch
from usernym.actors.lookup.node import LookupNode
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.codec import encode_unsigned
from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.errors import Code
from usernym.protocol.limits import EPOCH_S
from usernym.protocol.records import decode_record
from usernym.protocol.sealing import Envelope, seal
from usernym.storage.client.types import Trust
from usernym.storage.node.mail import NoticeKind
from usernym.testing import faults as f
from usernym.testing import watch
from usernym.testing.hostile import LyingTransport
from usernym.testing.loop import Quiet
from usernym.testing.oracle import Oracle, Promise
from usernym.testing.plan import Plan
from usernym.testing.run import play
from usernym.testing.troubles import Liars
from usernym.testing.watch import Watch
from usernym.testing.world import SimClient, World


def sealed_text(alice: SimClient, to: SimClient) -> m.Direct:
    """A text of Alice's, sealed to the identity that someone has now."""
    record, message_id = decode_record(to.store.profile.identity().record), bytes(16)
    payload = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "x"), first_contact=False)
    envelope = Envelope(
        alice.user.node, "alice", to.name, alice.user.key.public, record.identity_key, record.hpke_number, message_id
    )  # fmt: skip
    sealed = seal(record.hpke_key, payload, envelope)
    return m.Direct("alice", message_id, record.hpke_number, sealed, envelope.sign(alice.user.key, sealed))


def send(alice: SimClient, address: bytes, frame: bytes) -> None:
    """Alice's client sends this, whatever she has decided."""
    alice.world.mixnet.send(alice.client_number, address, frame, 0)


def test_a_seal_to_a_changed_identity_and_a_former_address() -> None:
    with World(1, disks=True) as world:
        oracle = Oracle()
        watched = Watch(world, oracle)
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hello")
        watched.note_homes()
        before = bob.address
        assert before is not None
        frame = encode_unsigned(sealed_text(alice, bob))
        send(alice, before, frame)
        assert oracle.wrong == []
        assert bob.move(replace=True)
        bob.go_online()
        alice.look_up("bob")
        watched.note_homes()
        assert alice.contact("bob").trust is Trust.CHANGED
        now = bob.address
        assert now is not None
        send(alice, now, frame)  # sealed to the identity that she knew
        assert oracle.wrong == []
        frame = encode_unsigned(sealed_text(alice, bob))
        send(alice, now, frame)
        assert oracle.wrong == ["alice sealed to bob's new identity without a look at it"]
        alice.look_at_identity("bob")
        oracle.wrong.clear()
        send(alice, before, frame)
        assert oracle.wrong == ["alice sent to an address of bob's former identity"]


@pytest.mark.parametrize(
    ("constant", "value", "says"),
    [
        ("SURBS_GIVEN_MAX", 3, "of alice's SURBs"),
        ("LOGINS_MAX", 0, "alice made 1 logins within a minute"),
        ("LOOKUPS_MAX", 0, "alice made 1 lookups of bob within a minute"),
        ("WAITING_BYTES_MAX", -1, "bytes wait at the node for one client's SURBs"),
    ],
)
def test_numbers_that_are_exceeded(constant: str, value: int, says: str) -> None:
    for low, expected in ((False, False), (True, True)):
        with World(2) as world, patch.object(watch, constant, value if low else getattr(watch, constant)):
            oracle = Oracle()
            Watch(world, oracle)
            alice, _ = world.client("alice"), world.client("bob")
            alice.send("bob", "hello")
            world.settle(5)
            assert any(says in wrong for wrong in oracle.wrong) is expected
            assert len(oracle.wrong) == len(set(oracle.wrong))


def test_a_head_of_another_history_and_an_older_one_again() -> None:
    with World(3, workers=3) as world:
        for name in ("alice", "bob"):
            world.client(name)
            world.settle(2 * EPOCH_S)
        heads = world.workers[1].mark.given_out
        first, second = heads
        foreign = LogHead(world.node.key.public, 2, bytes(32)).signed(world.node.key)
        for given_out, is_sound in (([first, second], True), ([first, foreign], False), ([second, first], False)):
            heads[:] = given_out
            oracle = Oracle()
            Watch(world, oracle).check_heads()
            assert (oracle.wrong == []) is is_sound


@pytest.mark.parametrize("holds", [True, False])
def test_what_follows_from_a_route_is_written_by_the_worker_that_has_it(holds: bool) -> None:
    with World(3, workers=3) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "before")
        bob.kill()
        alice.send("bob", "waits")
        world.settle(5)
        assert world.server is not None
        number = world.server.worker_of("bob")
        store = next(each.store for each in world.workers if (each.store.workers.number == number) is holds)
        oracle = Oracle()
        Watch(world, oracle)
        (waiting,) = store.mailbox.waiting("bob", 9)

        def acknowledge() -> None:
            store.mailbox.acknowledge("bob", [("alice", waiting.message_id)])
            store.notices.add("alice", NoticeKind.DELIVERED, b"", 0, 1)

        store.commit(lambda: store.mailbox.note_unacknowledged("bob", [(waiting.number, 1)]))
        store.commit(acknowledge)
        written = ("ended the turn of a text to", "took an acknowledgement of")
        wrong = [f"a worker {what} bob, whose route another one had" for what in written]
        assert oracle.wrong == ([] if holds else wrong)


FALSE_PROOFS = 5
"""The ways in which a lying node answers falsely instead of with a proof."""


@pytest.mark.parametrize("unchecked", [False, True], ids=["as it is", "a client that takes a proof as it comes"])
def test_no_false_proof_is_taken_and_a_client_that_took_one_would_be_found(unchecked: bool) -> None:
    honest = LookupNode._proved

    def unverified(node: bytes, _name: str, answer: m.Proved) -> LogHead:
        return LogHead(node, answer.proof.size, bytes(32))

    found, codes = [], list[Code | None]()
    for which in range(FALSE_PROOFS):
        with World(4, disks=True) as world, ExitStack() as stack:
            oracle = Oracle()
            watched = Watch(world, oracle)
            alice, _ = world.client("alice"), world.client("bob")
            world.settle(2 * EPOCH_S)
            liar = LyingTransport(world.mixnet.transport(), world.node, random.Random(which))

            def lie(self: LookupNode, request: Any, account: Any, which: int = which, liar: Any = liar) -> Any:
                answer = honest(self, request, account)
                lies = liar._false_proofs(answer)
                assert len(lies) == FALSE_PROOFS
                return lies[which]

            stack.enter_context(patch.object(LookupNode, "_proved", lie))
            if unchecked:
                stack.enter_context(patch.object(chain_fetch, "verify_proved", unverified))
            asked: Future[None] = alice.begin(alice.graph.lookup, lambda answer: msg.FindContact("bob", answer))
            world.sim.run_until(asked.done, 60)
            refused = asked.exception()
            codes.append(refused.code if isinstance(refused, NodeRefused) else None)
            watched.check_proofs()
            found += oracle.wrong
    wrong = None if unchecked else Code.PROOF_INVALID
    assert codes == [wrong, wrong, wrong, Code.PROOF_INVALID, Code.NO_SUCH_USER], "an absence is checked by itself"
    assert found == (["alice calls a key of bob in the public directory, and it is not there"] if unchecked else [])


def test_a_key_that_is_in_the_log_is_called_so() -> None:
    with World(5, disks=True) as world:
        oracle = Oracle()
        watched = Watch(world, oracle)
        alice, _ = world.client("alice"), world.client("bob")
        world.settle(2 * EPOCH_S)
        assert alice.look_up("bob").log_size is not None
        watched.check_proofs()
        assert oracle.wrong == []


@pytest.mark.seconds
@pytest.mark.parametrize("keeps", [True, False], ids=["as it is", "a client that keeps no evidence"])
def test_a_node_that_breaks_a_promise_is_found_and_a_client_that_did_not_notice_too(keeps: bool) -> None:
    liars = Liars(5)
    with World(5, disks=True, node_transport=liars) as world, ExitStack() as stack:
        oracle = Oracle(Promise(honest_node=False))
        watched = Watch(world, oracle)
        if not keeps:
            stack.enter_context(patch.object(ClientContext, "keep_evidence", lambda *_: None))
        alice, _ = world.client("alice"), world.client("bob")
        world.settle(2 * EPOCH_S)
        liars.begin("breaks_promises")
        assert alice.look_up("bob").log_size is None
        liars.behave()
        for name in ("carol", "dave", "erin"):
            world.settle(EPOCH_S + 1)
            world.client(name)
        world.settle(2 * EPOCH_S)
        assert alice.look_up("bob").log_size is not None
        assert bool(alice.of_kind(NodeCaught)) is keeps
        watched.check_directory()
        none = "alice was shown that the node did not keep its word about bob, and has no evidence"
        assert oracle.wrong == ([] if keeps else [none])


@pytest.mark.seconds
def test_what_is_asked_of_a_node_that_is_honest_again_finds_its_broken_promises() -> None:
    """In a run like any other: the client's own lookups come within its end, and successions make epochs."""
    steps = (
        f.Pause(130), f.HostileNode("breaks_promises", 30.0), f.LookUpUser("alice", "bob"), f.Pause(200),
        f.MachineLost("carol", replace=True), f.Pause(200), f.MachineLost("carol", replace=True), f.Pause(200),
        f.MachineLost("carol", replace=True), f.Pause(7200),
    )  # fmt: skip
    warned: list[str] = []
    with Quiet(), patch.object(Oracle, "warned", lambda _self, user, what: warned.append(f"{user}: {what}")):
        outcome = play(Plan(7, 3, steps))
    assert outcome.wrong == ()
    assert [each for each in warned if "public directory by a time" in each], warned
