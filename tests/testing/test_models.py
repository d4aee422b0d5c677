"""The models in docs/models beside the code: a mutation that breaks a model's invariant breaks the product likewise.

`make models` checks the models themselves (tests/models). Here each counterexample that TLC finds for a mutation is
replayed in a world: with the mutation planted in the code the harm is done, without it not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from usernym import identity
from usernym.actors.lookup import client as lookup_client
from usernym.actors.registration.spent_proofs import SpentProofs
from usernym.mixnet.emulator.state import Faults, LinkDelay
from usernym.protocol import messages as m
from usernym.protocol import records
from usernym.protocol.challenges import LoginNonces
from usernym.protocol.codec import decode
from usernym.protocol.words import next_identity_seed
from usernym.testing.outsider import Outsider
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, World

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "docs" / "models"


def invariants() -> list[str]:
    """Every invariant and property that the models are checked for."""
    found: list[str] = []
    for config in sorted(MODELS.glob("*.cfg")):
        for section in re.findall(r"(?:INVARIANTS?|PROPERT(?:Y|IES))((?:\s+\w+)+)", config.read_text()):
            found += [word for word in section.split() if not word.isupper()]
    return found


def test_every_invariant_is_named_in_the_code_that_keeps_it() -> None:
    code = "".join(
        path.read_text() for folder in ("actors", "protocol", "usernym") for path in (ROOT / folder).rglob("*.py")
    )
    assert len(invariants()) >= 4
    assert [name for name in invariants() if name not in code] == []


# -- the mutations --


@contextmanager
def any_tag_proves() -> Iterator[None]:
    """`CheckTag` is FALSE: a proof of login opens a route to whatever tag it comes from."""

    def number(self: LoginNonces, nonce: bytes, _tag: bytes) -> int:
        return int.from_bytes(self._mask(nonce[:8], nonce[8:]), "big")

    with patch.object(LoginNonces, "number", number):
        yield


@contextmanager
def logins_unordered() -> Iterator[None]:
    """`CheckOrder` is FALSE: the answer to an older challenge opens a route too."""
    with patch.object(SpentProofs, "login_by", lambda *_: None):
        yield


@contextmanager
def count_ignored() -> Iterator[None]:
    """`CountMatters` is FALSE: a contact follows any recovery of the pinned recovery key."""

    def accepts(pinned: records.KeyRecord, chain: tuple[records.Succession, ...]) -> bool:
        return any(link.authority is records.Authority.RECOVERY for link in chain) or old(pinned, chain)

    old = records.accepts_change
    with patch.object(lookup_client, "accepts_change", accepts):
        yield


@contextmanager
def seeds_counted() -> Iterator[None]:
    """`FreshSeeds` is FALSE: a replacement's key is that of the number behind the links that the node shows."""

    def replace(maker: identity.IdentityMaker, words: str, found: Any) -> None:
        with patch.object(
            identity, "next_identity_seed", lambda root, _: next_identity_seed(root, bytes([len(found.chain)]) * 32)
        ):
            unpatched(maker, words, found)

    unpatched = identity.IdentityMaker.replace
    with patch.object(identity.IdentityMaker, "replace", replace):
        yield


# -- the counterexamples, each as a scenario: whether the harm was done --


def slow_login(world: World, bob: SimClient) -> bytes:
    """Bob logs in again. The node makes a challenge; the proof is on its way for 30 s from now on; its frame."""
    sent: dict[type[m.Message], bytes] = {}

    def listen(heard: Heard) -> None:
        if (heard.who, heard.what) == (bob.name, "sent"):
            sent[type(decode(heard.data).message)] = heard.data

    world.mixnet.listeners.append(listen)
    bob.restart()
    bob.connect()
    world.sim.run_until(lambda: m.LoginAsk in sent)
    world.mixnet.faults = Faults(links=(LinkDelay(bob.client_number, world.node.client_number, 30.0),))
    world.sim.run_until(lambda: m.LoginProof in sent)
    world.mixnet.faults = Faults()
    return sent[m.LoginProof]


def the_route_is_anothers() -> bool:
    """RouteIsTheUsers: someone else hears the user's proof, is quicker with it, and gets the user's mail."""
    with World(4, disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        arrived: list[m.Message] = []
        thief = Outsider(world, "mallory")
        with patch.object(thief, "hear", arrived.append):
            thief.throw(world.node.card.addresses[0], slow_login(world, bob), 10)
            world.settle(2)
            alice.send("bob", "for bob")
            world.settle(10)
        return any(isinstance(message, m.Deliver) for message in arrived)


def the_route_goes_back() -> bool:
    """RoutesDoNotGoBack: a proof that a dead client left in the mixnet arrives after the next life's login."""
    with World(5, disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        slow_login(world, bob)
        bob.restart()
        bob.go_online()
        world.settle(31)
        alice.send("bob", "are you there?")
        world.settle(10)
        return bob.texts() == []


def copy_of(world: World) -> Any:
    """The node's disk as it is now."""
    assert world.node.disk is not None
    return world.node.disk.image()


def put_copy_back(world: World, copy: Any) -> None:
    """Let the node continue with an older copy of its disk."""
    assert world.node.disk is not None
    world.node.disk.die(copy)
    world.node.bury()
    world.node.start_and_wait()


def begin_again(bob: SimClient) -> bytes:
    """Take a new identity on another machine, and go online; its key."""
    assert bob.move(replace=True)
    bob.go_online()
    bob.world.settle(5)
    return bob.user.key.public


def a_contact_goes_back() -> bool:
    """RecoveriesNeverFall: a node shows a contact an older recovery, whose identity was replaced since."""
    with World(6, disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hello")
        begin_again(bob)
        copy = copy_of(world)
        newest = begin_again(bob)
        alice.look_up("bob")
        assert alice.contact("bob").identity_key == newest
        bob.kill()
        put_copy_back(world, copy)
        world.settle(120)
        with suppress(Exception):  # what the client says of it is not the question
            alice.look_up("bob")
        world.settle(30)
        return alice.contact("bob").identity_key != newest


def a_key_comes_again() -> bool:
    """ReplacementsAreNew: a node shows the owner a chain without the last replacement, and the owner replaces again."""
    with World(7, disks=True) as world:
        bob = world.client("bob")
        copy = copy_of(world)
        stolen = begin_again(bob)
        bob.kill()
        put_copy_back(world, copy)
        return begin_again(bob) == stolen


@pytest.mark.parametrize(
    ("mutation", "harm"),
    [
        (any_tag_proves, the_route_is_anothers),
        (logins_unordered, the_route_goes_back),
        (count_ignored, a_contact_goes_back),
        (seeds_counted, a_key_comes_again),
    ],
)
def test_a_models_counterexample_harms_the_mutated_code_only(
    mutation: Callable[[], Any], harm: Callable[[], bool]
) -> None:
    for planted, expected in ((nullcontext, False), (mutation, True)):
        with planted():
            assert harm() is expected
