"""Rules for what may leave a process at all, whatever the others do, checked at each frame; the last one at the end.

1. Never more than `SURBS_GIVEN_MAX` of a client's SURBs can be used by the node, over all its processes at one address.
2. A client's process makes at most `LOGINS_MAX` logins a minute, and `LOOKUPS_MAX` lookups of one name.
3. No more than `WAITING_BYTES_MAX` wait in the memory of the node's mixnet client for the SURBs of one sender tag.
4. Nothing is sealed to a changed identity that its user has not looked at: a look at another one is none at this.
5. Nothing goes directly to an address that was agreed with another identity than the one that is pinned: neither to a
   user's former one, nor to that of a thief whose identity was the user's for some time.
6. An honest node passes on no seal of a size that no payload has.
7. When all works, each worker of a node has the card that names all of them, and no other address.
8. What follows from a route is written by the worker that holds it (`DatabaseServer`).
9. The heads that a node's processes give out are all of the one log that its store has; each process's only grow.
10. What a client knows of the log is a part of it, and each identity that a client calls *in the public directory* is
    one that the log has under that name.
11. A client that was shown that the node broke a promise to it has evidence of that, or compares it again.

The oracle compares what users see; these are harms that no user sees.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.directory.checkpoints import read_checkpoint
from usernym.protocol.directory.epochs import decode_changes
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.evidence import Fault, decode_evidence
from usernym.protocol.limits import MINUTE_S, SURBS_GIVEN_MAX
from usernym.protocol.packets import PACKET_PAYLOAD_BYTES
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.promises import Word, judged, said_in
from usernym.protocol.records import decode_record, record_hash
from usernym.protocol.sealing import Envelope
from usernym.storage.client.evidence import EVIDENCE_MAX
from usernym.storage.client.promises import KeptPromise
from usernym.storage.client.types import Contact, Trust
from usernym.storage.node.epochs import EpochSigner
from usernym.testing.oracle import Oracle
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, World

LOGINS_MAX: Final = 3
"""Logins begun a minute, at most, of one process: each shows the node that the user is there, and costs it SURBs."""
LOOKUPS_MAX: Final = 15
"""Lookups of one name begun a minute, at most, of one process: what arrives must not make it ask without end."""
UNDER_WAY_S: Final = 1.0
"""A frame leaves up to so long after its login began."""
WAITING_BYTES_MAX: Final = 2 * SURBS_GIVEN_MAX * PACKET_PAYLOAD_BYTES
"""Twice what a node hands over for a route before it knows that some of it arrived: the rest is answers, and what
waited when the route was replaced."""


class Watch:
    """Listens to a world's mixnet, and tells the oracle what was broken, once for each user and rule."""

    def __init__(self, world: World, oracle: Oracle) -> None:
        self._world = world
        self._oracle = oracle
        self._homes: dict[bytes, tuple[str, bytes]] = {}
        """Nym address to the user, and the identity, that it was."""
        self._looked_at: dict[tuple[str, str], set[bytes]] = {}
        """The identities of a contact that a user has looked at, since they were notified of a change."""
        self._begun: dict[tuple[str, int, str], deque[tuple[float, bytes]]] = {}
        """Of a process, by what it asked for: when, and the request's id."""
        self._broken: dict[tuple[str, str], bytes] = {}
        """A user, and a contact of theirs about whom a promise was shown to be broken."""
        self._said: set[tuple[str, str]] = set()
        world.mixnet.listeners.append(self._on_heard)
        if world.server is not None:
            world.server.on_broken = oracle.broke

    def note_homes(self) -> None:
        """Take note which addresses are whose."""
        for client in self._world.clients.values():
            if client.running and client.address is not None:
                self._homes[client.address] = client.name, client.user.key.public

    def note_thief(self, name: str, address: bytes, identity: bytes) -> None:
        """A thief is this user now, at this address."""
        self._homes[address] = name, identity

    def identity_changed(self, user: str, contact: str) -> None:
        """A user was notified that a contact has another identity."""
        self._looked_at.setdefault((user, contact), set())
        self._oracle.identity_changed(user, contact)

    def looks_at(self, user: str, contact: str, identity: bytes) -> None:
        """A user looks at an identity of a contact's, and continues without comparing. Without a change before that
        there is nothing to look at."""
        if (user, contact) in self._looked_at:
            self._looked_at[user, contact].add(identity)

    def lost_home(self, user: str) -> None:
        """A user begins on another machine: whom they look up there is who they look at."""
        self._looked_at = {pair: seen for pair, seen in self._looked_at.items() if pair[0] != user}

    def _on_heard(self, heard: Heard) -> None:
        nodes = {worker.name for worker in self._world.workers}
        if heard.what == "arrived" and heard.who in nodes:
            self._count_surbs()
        if heard.what == "sent" and heard.who in nodes and heard.is_reply and self._oracle.promise.honest_node:
            self._count_bytes()
            self._check_size(heard.data)
        client = self._world.clients.get(heard.who)
        if heard.what == "arrived" and client is not None:
            self._note_promises(client, heard.data)
        if heard.what != "sent" or heard.is_reply or client is None:
            return
        try:
            message = decode(heard.data).message
        except RemoteProtocolError:
            return
        match message:
            case m.LoginAsk(request_id=request_id):
                self._count(client, "logins", request_id, LOGINS_MAX)
            case m.Lookup(request_id=request_id, name=name):
                self._count(client, f"lookups of {name}", request_id, LOOKUPS_MAX)
            case m.Forward(recipient=name):
                self._check_seal(client, name, message)
            case m.Direct():
                self._check_direct(client, heard.to, message)

    def _break(self, user: str, rule: str, what: str) -> None:
        if (user, rule) not in self._said:
            self._said.add((user, rule))
            self._oracle.broke(what)

    # -- the rules --

    def _count_surbs(self) -> None:
        for client in self._world.clients.values():
            # What a nym-client gives by itself, or gave before it was started again, is not known to the client.
            told, number = not client.has_nym_client, client.client_number
            held = sum(
                self._world.core.surbs_of(worker.client_number, number, on_request=told, earlier=told)
                for worker in self._world.workers
            )
            if held > SURBS_GIVEN_MAX:
                self._break(client.name, "surbs", f"the node holds {held} of {client.name}'s SURBs")

    def _count_bytes(self) -> None:
        waiting = max(self._world.core.most_waiting(worker.client_number) for worker in self._world.workers)
        if waiting > WAITING_BYTES_MAX:
            self._break("node", "bytes", f"{waiting} bytes wait at the node for one client's SURBs")

    def _check_size(self, data: bytes) -> None:
        said = decode(data).message
        if isinstance(said, m.Deliver) and len(said.sealed) not in SEALED_SIZES:
            self._break("node", "sizes", f"the node passes {len(said.sealed)} sealed bytes on")

    def _count(self, client: SimClient, asked: str, request_id: bytes, most: int) -> None:
        now = self._world.sim.now()
        begun = self._begun.setdefault((client.name, client.deaths, asked), deque())
        if all(request_id != seen for _, seen in begun):
            begun.append((now, request_id))
        while begun[0][0] <= now - MINUTE_S + UNDER_WAY_S:
            begun.popleft()
        if len(begun) > most:
            self._break(client.name, asked, f"{client.name} made {len(begun)} {asked} within a minute")

    def _check_seal(self, client: SimClient, name: str, said: m.Forward | m.Direct) -> None:
        contact = self._contact(client, name)
        looked_at = self._looked_at.get((client.name, name))
        if contact is None:
            return
        if contact.trust is not Trust.CHANGED and (looked_at is None or contact.identity_key in looked_at):
            return
        envelope = Envelope(
            client.user.node, client.name, name, client.user.key.public, contact.identity_key, said.key_number,
            said.message_id,
        )  # fmt: skip
        try:
            envelope.verify(said.sealed, said.inner_signature)
        except RemoteProtocolError:
            return  # sealed to the identity before
        self._break(client.name, "seals", f"{client.name} sealed to {name}'s new identity without a look at it")

    def _check_direct(self, client: SimClient, address: bytes, said: m.Direct) -> None:
        self.note_homes()
        if address not in self._homes:
            return  # a hostile user's
        name, identity = self._homes[address]
        contact = self._contact(client, name)
        if contact is not None and contact.identity_key != identity:
            self._break(client.name, "addresses", f"{client.name} sent to an address of {name}'s former identity")
        self._check_seal(client, name, said)

    def cards_fit(self) -> bool:
        """Whether each worker has a card that names those that there are."""
        workers = self._world.workers
        there = {worker.address for worker in workers}
        return len(workers) == 1 or all(worker.running and {*worker.card.addresses} == there for worker in workers)

    def check_cards(self) -> None:
        """The rule about cards."""
        if not self.cards_fit():
            self._break("node", "cards", "the node's card does not name its workers")

    def check_directory(self) -> None:
        """The rules about the directory's log."""
        self.check_heads()
        self.check_proofs()
        self.check_promises()

    def check_heads(self) -> None:
        """The rule about the heads of the directory's log."""
        for node in self._world.nodes.values():
            with node.without_faults():
                log = {each.number + 1: each.checkpoint for each in node.store.log.epochs(node.store.log.size())}
            heads = [(read_checkpoint(note).size, note) for note in node.mark.given_out]
            sizes = [size for size, _ in heads]
            if sizes != sorted(set(sizes)) or any(log.get(size) != note for size, note in heads):
                self._break(node.name, "heads", f"{node.name} gave out heads of two histories, or older ones again")

    def check_proofs(self) -> None:
        """The rule about what clients call *in the public directory*."""
        logs: dict[bytes, dict[bytes, set[bytes]]] = {}
        heads: dict[bytes, dict[int, bytes]] = {}
        for node in self._world.nodes.values():
            changed, roots = logs.setdefault(node.key.public, {}), heads.setdefault(node.key.public, {})
            with node.without_faults():
                for each in node.store.log.epochs(node.store.log.size()):
                    roots[each.number + 1] = read_checkpoint(each.checkpoint).root
                    for change in decode_changes(each.changes):
                        changed.setdefault(change.label, set()).update(change.added)
        for client in self._world.clients.values():
            with client.without_faults():
                contacts, known = client.store.contacts.all(), client.store.seen_log.known()
            if known is not None and heads[client.user.node].get(known.size) != known.head.root:
                self._break(client.name, "known log", f"{client.name} knows a log that the node does not have")
            vrf = EpochSigner.of(client.node.key).vrf
            for contact in contacts:
                events = logs[client.user.node].get(label_of(vrf, client.user.node, contact.name), set())
                if contact.log_size is not None and events.isdisjoint(_events_of(client.user.node, contact)):
                    what = f"{client.name} calls a key of {contact.name} in the public directory, and it is not there"
                    self._break(client.name, "proofs", what)

    def _note_promises(self, client: SimClient, data: bytes) -> None:
        """Take note of what an answer with proof shows of the promise that the client has."""
        try:
            frame = decode(data)
            if isinstance(frame.message, m.Proved | m.Absent) and client.running:
                frame.verify(client.user.node, client.user.node)
                kept = self._promise(client, frame.message.name)
                if kept is not None and judged(client.user.node, said_in(kept.frame), frame.message) is Word.BROKEN:
                    self._broken[client.name, frame.message.name] = kept.frame
        except RemoteProtocolError:
            return  # altered on its way, or no proof

    def check_promises(self) -> None:
        """The rule about broken promises."""
        for (user, name), said in sorted(self._broken.items()):
            client = self._world.clients[user]
            if user in self._oracle.moved or self._contact(client, name) is None:
                continue
            kept = self._promise(client, name)
            if kept is not None and kept.frame == said:
                continue  # it is compared again
            with client.without_faults():
                found = [decode_evidence(each.packed).fault for each in client.store.evidence.all()]
            if not {Fault.PROMISE_BROKEN, Fault.CHAIN_REWRITTEN} & {*found} and len(found) < EVIDENCE_MAX:
                what = f"{user} was shown that the node did not keep its word about {name}, and has no evidence"
                self._break(user, "promises", what)

    @staticmethod
    def _promise(client: SimClient, name: str) -> KeptPromise | None:
        with client.without_faults():
            return client.store.promises.of(name)

    @staticmethod
    def _contact(client: SimClient, name: str) -> Contact | None:
        with client.without_faults():
            return client.store.contacts.get(name)


def _events_of(node: bytes, contact: Contact) -> set[bytes]:
    """What the log may have about a contact's identity: the record made it, or names the one that did."""
    record = decode_record(contact.record)
    identities = record_hash(node, contact.name, record.stub()), record.previous
    return {commitment(event, identity) for event in DirectoryEvent for identity in identities}
