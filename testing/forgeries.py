"""Nodes that forge their directory, one in each scenario: what is forged, and whether those concerned find it.

    python -m usernym.testing.forgeries --scenarios 1000 --seed 1

A scenario has three people with a node that is honest at first; chance decides how they begin, when it begins to forge,
and who is its victim. In a part of them the people have named two witnesses: other, honest nodes that sign the heads of
the node's log. Each forgery has its limit: what must have happened until it is found. A scenario in which it is not
found, or in which anyone is accused or warned without a forgery, is printed with its seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from usernym.actors.events import DirectoryDoubted, DirectoryUnwitnessed, NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup.own_name import AGAIN_MAX_S, SOON_MAX_S
from usernym.actors.lookup.promises import LOOK_MAX_S
from usernym.actors.registration.witness_watch import UNWITNESSED_S
from usernym.protocol import messages as m
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.directory.witnesses import WitnessPolicy
from usernym.protocol.errors import Code
from usernym.protocol.evidence import Fault, evidence_text, parse_evidence
from usernym.protocol.limits import HOUR_S, MINUTE_S
from usernym.protocol.records import KeyRecord
from usernym.storage.client.types import InDirectory
from usernym.storage.node.epochs import EpochSigner
from usernym.testing.forger import LogForger
from usernym.testing.world import SimClient, World

Forgery = Literal[
    "none", "split", "false_key", "false_key_once", "restored", "put_back", "two_faces", "of_then", "rollback",
    "withheld", "false_absence", "forked_witnesses",
]  # fmt: skip
"""None at all; two logs for two people; a false key for a first contact, in a log that the victim is always shown, or
with the lookup alone; a key that is put into a chain and followed by the owner's between two logins; one that the
victim sees before the former chain is put back; one that is there before each lookup, and not when the owner logs in
or is connected; one that stood in an earlier epoch only, by a proof of that; an older
log; a name that is left out of the log; a false absence; a false key in a log of the victim's own, which the witnesses
sign as well as the log of all."""
FORGERIES: Final = get_args(Forgery)
MAP_TABLES: Final = ("directory_leaf", "directory_node")
WITNESSES: Final = 2
HEARTBEATS_S: Final = 3 * MINUTE_S
"""Enough for two heartbeats."""


@dataclass(frozen=True, slots=True)
class ForgeryOutcome:
    """What came of one scenario."""

    seed: int
    forgery: Forgery
    witnessed: bool
    """Whether there were witnesses."""
    wrong: str
    """What should have been found, or should not have been; empty: all is as it should be."""


class ForgedWorld(World):
    """A world whose node forges its directory when asked to; with so many other nodes that sign the heads of its log,
    and whose signatures its people want."""

    def __init__(self, seed: int = 0, witnesses: int = 0) -> None:
        self.forger = cast(LogForger, None)

        def between(transport: Any, node: Any) -> Any:
            if node.name != "node":  # a witness, which is honest
                return transport
            self.forger = LogForger(transport, node)
            return self.forger

        super().__init__(seed, node_transport=between)
        self.witnesses = [self.add_node(f"witness_{number}") for number in range(witnesses)]
        for other in self.witnesses:
            self.node.store.witnesses.add(other.card)
            other.store.witnesses.add(self.node.card)
        self.policy = WitnessPolicy([other.key.public for other in self.witnesses], witnesses)

    def people(self, *names: str) -> list[SimClient]:
        """Users whose names are in the log, as they have seen."""
        found = [self.client(name, witnesses=self.policy) for name in names]
        self.sim.run_until(lambda: all(each.store.seen_log.own() is not None for each in found))
        return found

    @contextmanager
    def false_key(self, name: str) -> Iterator[KeyRecord]:
        """A key of the node's own is the name's, in the log of all; then the former chain is put back, in another
        epoch."""
        put_back = self._put_false_key(name)
        yield self.forger.records[name]
        put_back()

    def show_two_faces(self, name: str) -> None:
        """From now on that key is there before each lookup of the name, the owner's, too, and the former chain
        before each login and heartbeat of the owner."""
        put_back: Callable[[], None] | None = None

        def before(message: m.Message) -> None:
            nonlocal put_back
            if isinstance(message, m.Lookup) and message.name == name:
                put_back = put_back or self._put_false_key(name)
            elif isinstance(message, m.LoginProof | m.Heartbeat) and message.name == name and put_back is not None:
                put_back()
                put_back = None

        self.forger.before = before

    def _put_false_key(self, name: str) -> Callable[[], None]:
        """Returns what puts the former chain back."""
        store, signer = self.node.store, EpochSigner.of(self.node.key)
        before = {table: store.database.rows(f"SELECT * FROM {table}") for table in MAP_TABLES}  # noqa: S608 - constants
        record, event = self.forger.forged_record(name)
        self._make_epoch(label_of(signer.vrf, self.node.key.public, name), event)
        self.forger.records[name] = record
        return lambda: self._put_back(before)

    def _make_epoch(self, label: bytes, event: bytes) -> None:
        store, signer = self.node.store, EpochSigner.of(self.node.key)
        store.commit(lambda: store.log.append(signer, {label: [event]}, self.sim.unix_s()))

    def _put_back(self, before: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        store = self.node.store
        self.forger.records.clear()
        for table, rows in before.items():
            store.database.run(f"DELETE FROM {table}")  # noqa: S608 - constants
            for row in rows:
                store.database.run(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - the same
        self._make_epoch(bytes(32), bytes(32))

    def new_epoch(self, name: str) -> None:
        """Someone registers, and all who are online are shown the log with it."""
        size = self.node.store.log.size()
        self.client(name, witnesses=self.policy)
        self.sim.run_until(lambda: self.node.store.log.size() > size)
        self.settle(HEARTBEATS_S)

    def withhold(self, name: str) -> None:
        """Let no epoch have this name."""
        self.node.store.database.run(
            f"CREATE TRIGGER withheld AFTER INSERT ON directory_change WHEN NEW.name = '{name}'"  # noqa: S608 - a trigger binds nothing
            " BEGIN DELETE FROM directory_change WHERE id = NEW.id; END"
        )


def faults(client: SimClient) -> set[Fault]:
    """What the client has evidence of. Each piece is one that anyone can check."""
    found = [event.evidence for event in client.of_kind(NodeCaught)]
    assert all(parse_evidence(evidence_text(each)) == each for each in found)
    return {Fault(each.fault) for each in found}


def doubts(client: SimClient) -> list[bool]:
    """Each doubt that the client has reported, and each end of one."""
    return [event.since is not None for event in client.of_kind(DirectoryDoubted)]


def play_forgery(seed: int) -> ForgeryOutcome:
    """Play the scenario of this seed."""
    rng = random.Random(f"forgery {seed}")  # noqa: S311 - repeatable on purpose
    forgery: Forgery = rng.choice(FORGERIES)
    witnesses = WITNESSES if forgery == "forked_witnesses" else rng.choice((0, 0, WITNESSES))
    with ForgedWorld(seed, witnesses) as world:
        names = rng.sample(("alice", "bob", "carol"), 3)
        owner, victim, third = world.people(*names)
        if rng.random() < 0.5:
            third.send_and_wait(victim.name, "hi")
            victim.send_and_wait(third.name, "hi")
        world.settle(rng.uniform(0, 10 * MINUTE_S))
        wrong = PLAYED[forgery](world, rng, owner, victim, third)
        if not wrong and forgery in ("none", "restored", "withheld", "false_absence"):
            concerned = {"restored": owner, "false_absence": victim}.get(forgery)
            others = [each for each in (owner, victim, third) if each is not concerned]
            wrong = next((f"{each.name} accuses the node" for each in others if faults(each)), "")
        if not wrong:
            told = {each.name for each in (owner, victim, third) if each.of_kind(DirectoryUnwitnessed)}
            expected = {victim.name} if forgery == "split" and witnesses else set()
            wrong = _unless(told == expected, f"missing signatures are a doubt of {told}, not of {expected}")
    return ForgeryOutcome(seed, forgery, witnesses > 0, wrong)


def _unless(found: bool, what: str) -> str:
    return "" if found else what


def _none(world: ForgedWorld, rng: random.Random, owner: SimClient, victim: SimClient, third: SimClient) -> str:
    world.new_epoch("dave")
    for each in rng.sample((owner, victim, third), 2):
        each.kill()
        world.settle(rng.uniform(0, HOUR_S))
        each.start()
        each.go_online()
    third.send_and_wait(victim.name, "x" * rng.randint(1, 120))
    victim.look_up(owner.name)
    world.settle(HEARTBEATS_S)
    if world.policy.needed:
        world.settle(UNWITNESSED_S + HOUR_S)
    if victim.contact(owner.name).directory is not InDirectory.SHOWN:
        return "a key that is in the log of all is not called so"
    return _unless(not any(doubts(each) for each in (owner, victim, third)), "a doubt without a reason")


def _split(world: ForgedWorld, rng: random.Random, owner: SimClient, victim: SimClient, third: SimClient) -> str:
    event = commitment(DirectoryEvent.SUCCEEDED, rng.randbytes(32))
    world.forger.fork(victim.name).forge(owner.name, [event])
    world.new_epoch("dave")
    text = "x" * rng.randint(1, 100)
    third.send_and_wait(victim.name, text)
    world.settle(HEARTBEATS_S)
    if len(text) > 20:  # without room for a signature each has to hear from the other
        victim.send_and_wait(third.name, text)
        world.settle(HEARTBEATS_S)
        third.send_and_wait(victim.name, text)
        world.settle(HEARTBEATS_S)
    if world.policy.needed:
        world.settle(UNWITNESSED_S + HOUR_S)
    return _unless(Fault.FORKED_LOG in faults(victim), "a victim who exchanged texts has no evidence of the fork")


def _false_key(
    world: ForgedWorld,
    _rng: random.Random,
    owner: SimClient,
    victim: SimClient,
    third: SimClient,
    *,
    once: bool = False,
    signed: bool = False,
) -> str:
    record, event = world.forger.forged_record(owner.name)
    accomplices = world.witnesses if signed else ()
    world.forger.fork(*(() if once else (victim.name,)), accomplices=accomplices).forge(owner.name, [event])
    world.forger.records[owner.name] = record
    world.new_epoch("dave")
    world.forger.victims.add(victim.name)
    contact = victim.look_up(owner.name)
    if contact.identity_key != record.identity_key:
        return "the scenario did not forge the key"
    word = InDirectory.NOT_WITNESSED if world.policy.needed and not signed else InDirectory.SHOWN
    if contact.directory is not word:
        return f"a false key in a log of its own is called {contact.directory}"
    if once:
        world.forger.victims.clear()
    else:
        third.send_and_wait(victim.name, "hi")
    world.settle(HEARTBEATS_S)
    return _unless(Fault.FORKED_LOG in faults(victim), "a victim of a false key has no evidence of the fork")


def _false_key_once(
    world: ForgedWorld, rng: random.Random, owner: SimClient, victim: SimClient, third: SimClient
) -> str:
    return _false_key(world, rng, owner, victim, third, once=True)


def _forked_witnesses(
    world: ForgedWorld, rng: random.Random, owner: SimClient, victim: SimClient, third: SimClient
) -> str:
    return _false_key(world, rng, owner, victim, third, signed=True)


def _restored(world: ForgedWorld, rng: random.Random, owner: SimClient, _victim: SimClient, _third: SimClient) -> str:
    own = owner.store.seen_log.own()
    assert own is not None, "seen before"
    owner.kill()
    node, store, signer = world.node.key.public, world.node.store, EpochSigner.of(world.node.key)
    label = label_of(signer.vrf, node, owner.name)
    fake, restored = world.forger.forged_record(owner.name)[1], commitment(DirectoryEvent.SUCCEEDED, own.identity)
    for events in rng.choice(([[fake, restored]], [[fake], [restored]])):
        store.commit(lambda events=events: store.log.append(signer, {label: events}, world.sim.unix_s()))  # type: ignore[misc] # a default binds
    owner.start()
    owner.go_online()
    world.settle()
    return _unless(faults(owner) == {Fault.NAME_CHANGED}, "an owner does not see that the name was changed meanwhile")


def _put_back(world: ForgedWorld, _rng: random.Random, owner: SimClient, victim: SimClient, _third: SimClient) -> str:
    owner.kill()
    with world.false_key(owner.name) as record:
        if victim.look_up(owner.name).identity_key != record.identity_key:
            return "the scenario did not forge the key"
    owner.start()
    owner.go_online()
    world.settle(2 * HOUR_S)
    if faults(owner):
        return "the owner sees more than there is to be seen"
    return _unless(faults(victim) == {Fault.CHAIN_REWRITTEN}, "a victim does not see that the chain was put back")


def _two_faces(world: ForgedWorld, _rng: random.Random, owner: SimClient, victim: SimClient, third: SimClient) -> str:
    world.show_two_faces(owner.name)
    if victim.look_up(owner.name).identity_key == owner.user.key.public:
        return "the scenario did not forge the key"
    look_at = owner.store.seen_log.own_look_at()
    if look_at is not None and look_at - world.sim.unix_s() > SOON_MAX_S:  # the owner looked before it began
        for each in (owner, victim, third):
            each.kill()
        world.sim.run_for(AGAIN_MAX_S)
        owner.start()
        owner.go_online()
        world.settle(LOOK_MAX_S + HEARTBEATS_S)
    else:
        world.settle(SOON_MAX_S + LOOK_MAX_S + HEARTBEATS_S)
    if faults(victim):
        return "the victim sees more than there is to be seen"
    return _unless(faults(owner) == {Fault.NAME_CHANGED}, "an owner does not see what others are shown under the name")


def _of_then(world: ForgedWorld, _rng: random.Random, owner: SimClient, victim: SimClient, _third: SimClient) -> str:
    owner.kill()
    with world.false_key(owner.name):
        world.forger.keep_proof(owner.name)
    owner.start()
    owner.go_online()
    world.settle(HEARTBEATS_S)
    try:
        victim.look_up(owner.name)
    except NodeRefused as refused:
        return _unless(refused.code is Code.PROOF_INVALID and not faults(victim), f"not as an old proof: {refused}")
    return "a victim takes a key from an epoch before the one that it knows"


def _rollback(world: ForgedWorld, _rng: random.Random, _owner: SimClient, victim: SimClient, _third: SimClient) -> str:
    log = world.forger.fork()
    world.new_epoch("dave")
    log.stays = True
    world.forger.victims.add(victim.name)
    world.settle(HEARTBEATS_S)
    return _unless(doubts(victim) == [True], "a victim does not see that the log is older than before")


def _withheld(world: ForgedWorld, _rng: random.Random, _owner: SimClient, _victim: SimClient, _third: SimClient) -> str:
    world.withhold("dave")
    dave = world.client("dave")
    world.settle(15 * MINUTE_S)
    return _unless(doubts(dave) == [True], "an owner does not see that the name is left out of the log")


def _false_absence(
    world: ForgedWorld, _rng: random.Random, owner: SimClient, victim: SimClient, _third: SimClient
) -> str:
    world.forger.hidden.add(owner.name)
    world.forger.victims.add(victim.name)
    try:
        victim.look_up(owner.name)
    except NodeRefused as refused:
        world.settle(1)
        caught = refused.code is Code.PROOF_INVALID and faults(victim) == {Fault.FALSE_PROOF}
        return _unless(caught, f"the absence is taken, or nothing shows it: {refused}")
    return "the name is found although the node hides it"


PLAYED: Final[dict[Forgery, Any]] = {
    "none": _none,
    "split": _split,
    "false_key": _false_key,
    "false_key_once": _false_key_once,
    "restored": _restored,
    "put_back": _put_back,
    "two_faces": _two_faces,
    "of_then": _of_then,
    "rollback": _rollback,
    "withheld": _withheld,
    "false_absence": _false_absence,
    "forked_witnesses": _forked_witnesses,
}
"""What plays each: in a world, with chance, for the owner, a victim and a third person; empty, or what is wrong."""


def main(arguments: Sequence[str]) -> int:
    """Play so many scenarios; 1 if something is wrong."""
    parser = argparse.ArgumentParser(description="Play scenarios in which a node forges its directory.")
    parser.add_argument("--scenarios", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    begun, played, witnessed, failed = time.monotonic(), Counter[str](), 0, 0
    for seed in range(given.seed, given.seed + given.scenarios):
        outcome = play_forgery(seed)
        played[outcome.forgery] += 1
        witnessed += outcome.witnessed
        if outcome.wrong:
            failed += 1
            sys.stdout.write(f"seed {seed}, {outcome.forgery}: {outcome.wrong}\n")
    sys.stdout.write(
        f"{given.scenarios} scenarios in {time.monotonic() - begun:.0f} s, {witnessed} with witnesses, {failed} wrong:"
        f" {dict(played)}\n"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
