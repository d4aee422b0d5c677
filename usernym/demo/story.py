"""`usernym demo`: the whole story on one machine, as processes, with its claims checked on the way.

A mixnet, a node, Alice and Bob run as they would in separate terminals; what is shown of the packets comes from the
emulator's counters. A step that does not happen, or a claim that does not hold, ends the demo with a failure.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from usernym.cli.demo import LineJson, PacketCountJson, PacketsJson, StepJson
from usernym.cli.failures import Exit
from usernym.cli.mixnet import NO_ANONYMITY
from usernym.cli.signals import Interruptions
from usernym.cli.terminal import print_json, print_line
from usernym.demo import proof
from usernym.demo.processes import Printed, Processes, Running, demo_failed, demo_folder, settled
from usernym.mixnet.emulator.control import ask

WHO: Final = ("node", "alice", "bob", "mallory")
"""In the order of the emulated mixnet's clients."""
Counts = dict[str, tuple[int, int]]
"""Sphinx packets up and down, by whose mixnet client."""


class Transcript:
    """What the demo prints: for a person, or one JSON object a line."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._number = 0

    def step(self, title: str) -> None:
        """A new step begins."""
        self._number += 1
        if self._json:
            print_json(StepJson(self._number, title))
        else:
            print_line(f"\n{self._number}. {title}")

    def line(self, text: str) -> None:
        """Something that happened, or that can be seen."""
        if self._json:
            print_json(LineJson(self._number, text))
        else:
            print_line(f"   {text}")

    def packets(self, before: Counts, after: Counts) -> None:
        """What travelled: Sphinx packets of each mixnet client."""
        moved = {who: (after[who][0] - before[who][0], after[who][1] - before[who][1]) for who in WHO}
        if self._json:
            packets = {who: PacketCountJson(up, down) for who, (up, down) in moved.items()}
            print_json(PacketsJson(self._number, packets))
            return
        shown = [f"{who} {up} up, {down} down" for who, (up, down) in moved.items() if up or down]
        print_line(f"   Sphinx packets: {'; '.join(shown) or 'none'}")


@dataclass(slots=True)
class DemoStage:
    """What the story is played with."""

    processes: Processes
    transcript: Transcript
    control_port: int
    mixnets: dict[str, str]
    addresses: dict[str, str]
    listeners: dict[str, Running] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    safety_number: str = ""

    def counts(self) -> Counts:
        """The emulator's packet counters."""
        found: Counts = {}
        for who, client in zip(WHO, ask(self.control_port, {"do": "counters"})["clients"], strict=True):
            packets = client["packets"]
            up = sum(count for name, count in packets.items() if name.startswith("sent_"))
            down = sum(count for name, count in packets.items() if name.startswith("received_"))
            found[who] = (up, down)
        return found

    def node_counters(self) -> dict[str, dict[str, int]]:
        """The node's own counters."""
        counters: dict[str, dict[str, int]] = self.processes.run("node", "status", home="node").printed["counters"]
        return counters

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step, with the packets it took."""
        before = self.counts()  # nothing has moved since the step before
        self.transcript.step(title)
        yield
        self.transcript.packets(before, settled(self.counts))

    def send(self, sender: str, recipient: str, words: str, route: str) -> None:
        """One sends, the other is shown it, and it took the right route."""
        # A unique text, so that finding it anywhere means something.
        text = f"{words} [{secrets.token_hex(8)}]"
        self.texts.append(text)
        sent = self.processes.run("send", recipient, text, "--wait", "delivered", home=sender).printed
        if sent["route"] != route:
            raise demo_failed(f"the message took the route {sent['route']!r} instead of {route!r}")
        came = self.listeners[recipient].wait_for("the message", lambda printed: printed.get("text") == text)
        if (came["from"], came["route"], came["missing"]) != (sender, route, 0):
            raise demo_failed("the message did not arrive as it was sent")
        self.transcript.line(f'{sender} → {recipient}: "{text}"  (delivered, {_WAYS[route]})')

    def wait_for_handshake(self, who: str, state: str) -> None:
        """Their `listen` tells of the handshake's new state."""
        self.listeners[who].wait_for(
            f"that the handshake is {state!r}",
            lambda printed: printed.get("event") == "handshake" and printed.get("state") == state,
        )


_WAYS: Final = {"node": "through the node", "direct": "directly"}


def play(*, as_json: bool) -> None:
    """Play the story. Raises `CommandFailed` when a step did not happen."""
    transcript = Transcript(as_json)
    with Interruptions() as interruptions, demo_folder(interruptions) as folder:
        with Processes(folder, interruptions) as processes:
            stage = _set_up(processes, transcript)
            for scene in (_register, _refuse, _log_in, _look_up, _write, _shake_hands, _talk_directly, _revoke):
                scene(stage)
            transcript.step("What the node has")
            _prove(stage, "while it runs")
        transcript.line("all processes have ended")
        _prove(stage, "after it has stopped")
    transcript.line("the story is complete, and every claim above was checked")
    transcript.line(NO_ANONYMITY)


def _set_up(processes: Processes, transcript: Transcript) -> DemoStage:
    transcript.step("A mixnet and a node")
    transcript.line(NO_ANONYMITY)
    mixnet = processes.start("mixnet", "mixnet", "--first-port", "0", "--clients", str(len(WHO)))
    ready = mixnet.wait_for("that it is ready", lambda printed: printed.get("event") == "ready")
    mixnets = {who: client["mixnet"] for who, client in zip(WHO, ready["clients"], strict=True)}
    addresses = {who: client["address"] for who, client in zip(WHO, ready["clients"], strict=True)}
    arguments = ("--home", "node", "--log-level", "debug", "node", "run", "--mixnet", mixnets["node"])
    node = processes.start("node", *arguments)
    card = processes.run("node", "card", home="node").printed["card"]
    node.wait_for("that it is up", lambda printed: printed.get("event") == "up")
    (processes.folder / "node.card").write_text(card + "\n")
    transcript.line(f"the node's card, which clients get by any way they trust: {card[:40]}…")
    return DemoStage(processes, transcript, ready["control_port"], mixnets, addresses)


def _register_as(stage: DemoStage, home: str, name: str, expect: int = Exit.OK) -> Printed:
    arguments = ("register", name, "--mixnet", stage.mixnets[home], "--node", "node.card")
    return stage.processes.run(*arguments, home=home, expect=expect).printed


def _register(stage: DemoStage) -> None:
    for name in ("alice", "bob"):
        with stage.step(f"{name.title()} registers"):
            printed = _register_as(stage, name, name)
            if len(printed["recovery_words"].split()) != 12:
                raise demo_failed("no recovery words were shown")
            stage.transcript.line(f"{name} is registered with the key {printed['identity_key'][:16]}…")
            stage.transcript.line("up: name, public keys, proof of work, reply blocks; down: a challenge, then yes")
    stage.transcript.line("the node knows names and keys, and by reply blocks how to answer, but no addresses")


def _refuse(stage: DemoStage) -> None:
    with stage.step("Mallory wants to be Alice"):
        for name, reason in (("alice", "name_taken"), ("al1ce", "name_looks_alike")):
            printed = _register_as(stage, "mallory", name, expect=Exit.REFUSED)
            if printed["error"] != reason:
                raise demo_failed(f"the name was refused as {printed['error']} instead of {reason}")
            stage.transcript.line(f'"{name}": {printed["text"].partition(";")[0]}')


def _log_in(stage: DemoStage) -> None:
    with stage.step("Alice and Bob log in, and listen"):
        for name in ("alice", "bob"):
            stage.listeners[name] = stage.processes.start(name, "--home", name, "listen")
        for name, listener in stage.listeners.items():
            listener.wait_for(
                "that it is connected", lambda printed: printed.get("event") == "connection" and printed["online"]
            )
            stage.transcript.line(f"{name} is connected: the node can reach {name} by reply blocks")


def _look_up(stage: DemoStage) -> None:
    with stage.step("Alice looks Bob up"):
        bob = stage.processes.run("lookup", "bob", home="alice").printed
        if bob["trust"] != "confirmed by the node":
            raise demo_failed(f"Bob's key is {bob['trust']}, after no more than a lookup")
        stage.safety_number = bob["safety_number"]
        stage.transcript.line(f"bob's key is {bob['identity_key'][:16]}…: {bob['trust']}, not verified yet")
        stage.transcript.line(
            "up: a name and reply blocks; down: a signed record. the node sees that alice asked for bob"
        )


def _write(stage: DemoStage) -> None:
    with stage.step("Alice writes, sealed to Bob's key"):
        stage.send("alice", "bob", "Hello Bob, it is me", "node")
        stage.transcript.line("the node sees who writes to whom, and when; not what, nor from where")
    with stage.step("Bob answers"):
        stage.send("bob", "alice", "Hello Alice, good to hear from you", "node")
    stage.transcript.step("They compare safety numbers, over the phone")
    number = stage.safety_number
    for name, other in (("alice", "bob"), ("bob", "alice")):
        # Each checks the number that the other one sees; a swapped key would end in a refusal here.
        printed = stage.processes.run("verify", other, "--number", number, home=name).printed
        number = printed["safety_number"]
        stage.transcript.line(f"{name} sees {number}: {other} is now {printed['trust']}")


def _shake_hands(stage: DemoStage) -> None:
    with stage.step("They shake hands: each reveals the Nym address to the other, sealed like any text"):
        stage.processes.run("handshake", "bob", home="alice")
        stage.wait_for_handshake("bob", "offer received")
        stage.transcript.line("alice offers; to the node it is a message like the others")
        stage.processes.run("handshake", "alice", "--accept", home="bob")
        stage.wait_for_handshake("alice", "active")
        stage.transcript.line("bob accepts; each now knows the other's address, and so the other's gateway")


def _talk_directly(stage: DemoStage) -> None:
    before = stage.node_counters()
    with stage.step("They write directly; the node is not asked"):
        stage.send("alice", "bob", "Can anyone hear us?", "direct")
        stage.send("bob", "alice", "No one but us", "direct")
    after = stage.node_counters()
    for actor in ("forwarding", "lookup"):
        if before[actor] != after[actor]:
            raise demo_failed(f"the node's {actor} counters moved while direct messages passed")
    shown = {name: after[actor].get(name, 0) for actor, name in (("forwarding", "forwards"), ("lookup", "lookups"))}
    stage.transcript.line(
        f"the node's counters stood still: {shown['forwards']} forwards and {shown['lookups']} lookups, as before"
    )


def _revoke(stage: DemoStage) -> None:
    with stage.step("Alice ends the handshake"):
        stage.processes.run("handshake", "bob", "--revoke", home="alice")
        stage.wait_for_handshake("bob", "ended by peer")
        stage.transcript.line("from now on through the node again; what was revealed stays known")
    with stage.step("Bob writes once more"):
        stage.send("bob", "alice", "Back to the node, then", "node")


def _prove(stage: DemoStage, when: str) -> None:
    """Search all that the node has."""
    folder = stage.processes.folder
    haystacks = proof.node_keeps(folder / "node", stage.processes.log_of("node"))
    searched = sum(len(haystack.content) for haystack in haystacks)
    for text in stage.texts:
        proof.must_be_absent(haystacks, "a message's text", proof.forms_of_text(text))
    for who in WHO[1:]:
        proof.must_be_absent(haystacks, f"{who}'s address", proof.forms_of_address(stage.addresses[who]))
    # The same search finds what is there: else finding nothing would mean nothing.
    proof.must_be_found(haystacks, "a registered name", b"alice")
    proof.must_be_found(
        haystacks, "the node's own address", proof.forms_of_address(stage.addresses["node"])["as 96 bytes"]
    )
    places = ", ".join(sorted({haystack.where for haystack in haystacks}))
    stage.transcript.line(f"searched {when}: {searched:,} bytes ({places})")
    stage.transcript.line(
        f"none of the {len(stage.texts)} texts and none of the clients' {len(WHO) - 1} addresses is there;"
        " names, keys and its own address are"
    )
