"""A run: a world that follows a plan, watched by the oracle.

Whatever the plan breaks works again at its end: the disks, the mixnet, the clocks, the processes. Then everything that
was taken must come to its end within `END_S`, and the oracle says whether it did.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from usernym.actors import messages as msg
from usernym.actors.failures import FileUnfit, NodeRefused, NodeSilent
from usernym.actors.registration.login import HEARTBEAT_S
from usernym.actors.simulation import ProcessDied, SimulationStuck
from usernym.protocol.files import PLAIN_FILE, is_whole
from usernym.storage.client.types import Consent, Contact, Direction, Fallback, FileState, HandshakeState, Trust
from usernym.storage.errors import StorageError
from usernym.testing import faults as f
from usernym.testing.attacker import ATTACKERS
from usernym.testing.oracle import TERM_S, Oracle, Promise
from usernym.testing.plan import PROMPT, Plan
from usernym.testing.process import Process
from usernym.testing.screen import ReadingScreen
from usernym.testing.tap import Heard
from usernym.testing.thief import Thief
from usernym.testing.troubles import DAY_S, Liars, Troubles
from usernym.testing.watch import Watch
from usernym.testing.world import SimClient, World

END_S: Final = 4 * 3600.0
"""What is under way when everything works again must have arrived by then: many times the longest pause of any try."""
CALM: Final = (f.Write, f.Pause, f.Turns, f.LookUpUser, f.Decide, f.Befriend, f.Attack, f.Stalk)
"""Steps that leave the mixnet and all processes whole."""
FRIEND_S: Final = 3 * HEARTBEAT_S
"""Whatever hostile users do, a text is delivered within so long, and its writer knows it: at most 16 others' messages
are on their way before it, one heartbeat makes room, one more covers a lost answer (docs/protocol.md, "Receiving")."""
PROMPT_S: Final = 20.0
"""So soon where only hints are lost: a poll each way, and no heartbeat."""
CARDS_S: Final = 900.0  # a dead worker leaves the card within two minutes, a new one comes in within ten
LOOK_S: Final = 60.0
"""How long a user waits for a lookup before they look at what is there; at the end, how often they do."""
BEFRIENDED_S: Final = 10.0
"""After so long what was written to a hostile user, or by one, has arrived if all is well."""
STALKED_MAX: Final = 220
"""Texts with which a hostile user tries to fill its share of a mailbox: more than any share."""
STALKED_MINUTES: Final = 5
FILE_MARK_BYTES: Final = 16
"""Shorter files differ by their number."""
QUIET_S: Final = 30.0
"""After that nothing may come any more; what would be shown twice comes within the first heartbeats."""

FITTING: Final = frozenset({
    (HandshakeState.NONE, HandshakeState.NONE),
    (HandshakeState.OFFERED, HandshakeState.OFFER_RECEIVED),
    (HandshakeState.ACTIVE, HandshakeState.ACTIVE),
    (HandshakeState.ENDED_BY_ME, HandshakeState.NONE),
    (HandshakeState.ENDED_BY_ME, HandshakeState.ENDED_BY_PEER),
    (HandshakeState.ENDED_BY_ME, HandshakeState.ENDED_BY_ME),
})  # fmt: skip
"""Where two people may stand with each other when all has arrived, in either order."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run. `wrong` is empty if all is well."""

    plan: Plan
    wrong: tuple[str, ...]
    written: int
    shown: int
    delivered: int
    deaths: int
    steps: int
    virtual_s: float
    detail: str = ""


class Run:
    """One run of a plan. `listener` is called with all that happens (see `chart`); `absent`: whether who is
    stalked is away meanwhile."""

    def __init__(self, plan: Plan, listener: Callable[[Heard], None] | None = None, *, absent: bool = False) -> None:
        self.plan = plan
        lies = any(isinstance(step, f.NodeLies | f.HostileNode) for step in plan.steps)
        weeks = any(isinstance(step, f.LongAway) and step.days * DAY_S > TERM_S for step in plan.steps)
        calm = all(isinstance(step, CALM) for step in plan.steps)
        within_s = FRIEND_S if calm else PROMPT_S if all(isinstance(step, PROMPT) for step in plan.steps) else None
        promise = Promise(not lies, honest_node=not lies, may_expire=weeks, within_s=within_s)
        self.oracle = Oracle(promise, hostile=frozenset(ATTACKERS))
        self._absent = absent
        self.answers: list[str] = []
        """What the node said to a hostile user who finds out who is there."""
        self._asked: list[tuple[str, str, Future[bytes]]] = []
        self._commanded: list[tuple[str, Future[None]]] = []
        self._files_sent = 0
        self._files_asked: list[tuple[str, bytes, Future[bytes]]] = []
        self._file_content = random.Random(f"content {plan.seed}")  # noqa: S311 - repeatable on purpose
        self._consented: set[tuple[str, str]] = set()
        """Who meant to show whom their address."""
        self._unmarked: dict[str, list[tuple[str, bytes]]] = {name: [] for name in plan.names}
        liars = Liars(plan.seed)
        self.world = World(
            plan.seed, plan.tape, disks=True, encrypted=plan.encrypted, workers=plan.workers,
            nym_clients={step.who for step in plan.steps if isinstance(step, f.Crash) and step.mixnet_lives},
            node_transport=liars if lies else lambda transport, _node: transport,
        )  # fmt: skip
        self.watch = Watch(self.world, self.oracle)
        if listener is not None:
            self.world.mixnet.listeners.append(listener)
        for name in plan.names:
            self.world.client(name, app=lambda client: ReadingScreen(self, client))
        self._troubles = Troubles(
            self.world,
            liars=liars,
            on_death=self._on_death,
            on_failed=lambda actor, error: self.oracle.wrong.append(f"{actor} could not continue: {error!r}"),
            overheard=self.oracle.overheard,
        )

    # -- playing --

    def play(self) -> Outcome:
        detail = ""
        try:
            self._troubles.prepare(self.plan.steps)
            for step in self.plan.steps:
                self.world.mixnet.note("", str(step))
                self._apply(step)
                self.watch.note_homes()
            self._end()
        except SimulationStuck as error:
            self.oracle.wrong.append(f"the world came to a stand: {error}")
        except (Exception, ProcessDied) as error:  # noqa: BLE001 - whatever goes wrong is what is looked for
            self.oracle.wrong.append(f"the run failed: {type(error).__name__}: {error}")
            detail = traceback.format_exc()
        finally:
            deaths = sum(process.deaths for process in self.world.processes())
            self._troubles.leave()
            self.world.close()
        texts = self.oracle.texts.values()
        return Outcome(
            self.plan,
            tuple(self.oracle.wrong),
            sum(not text.given_up for text in texts),
            sum(text.shown for text in texts),
            sum(text.told == "delivered" for text in texts),
            deaths,
            self.world.sim.steps,
            self.world.sim.now(),
            detail,
        )

    def _apply(self, step: f.Step) -> None:
        match step:
            case f.Write(who, to, size):
                self._write(self.world.clients[who], to, size)
            case f.WriteFile(who, to, size):
                self._send_file(self.world.clients[who], to, size)
            case f.LookAt(who, to):
                self._look_at(self.world.clients[who], to)
            case f.Decide(who, to, decision):
                self._decide(self.world.clients[who], to, decision)
            case f.Befriend(who, to):
                self._befriend(self.world.clients[who], to)
            case f.MachineLost(who, replace):
                self._restore(self.world.clients[who], replace=replace)
            case f.Theft():
                self._steal(step)
            case f.Stalk():
                self._stalk(step)
            case f.Handshake() | f.LookUpUser():
                self._command(step)
            case f.DirectOnly(who, to, on):
                self._choose_fallback(self.world.clients[who], to, Fallback.DIRECT_ONLY if on else Fallback.NODE)
            case _:
                self._troubles.apply(step)

    # -- people --

    def _write(self, client: SimClient, to: str, size: int) -> None:
        if not client.running:
            return
        text = f"{len(self.oracle.texts)} from {client.name} to {to} ".ljust(size, "x")
        self.oracle.wrote(client.name, to, text, self.world.sim.now())
        answer = client.write(to, text)
        self._asked.append((client.name, text, answer))
        answer.add_done_callback(lambda done: self._on_answer(text, done))

    def _on_answer(self, text: str, answer: Future[bytes]) -> None:
        if answer.exception() is None:
            self.oracle.took(text, answer.result())
        elif isinstance(answer.exception(), NodeSilent | NodeRefused | StorageError):
            self.oracle.gave_up(text)
        else:
            self.oracle.wrong.append(f"a text was not taken: {answer.exception()!r}")

    def _send_file(self, client: SimClient, to: str, size: int) -> None:
        if not client.running:
            return
        content = self._file_content.randbytes(size) if size > FILE_MARK_BYTES else bytes([self._files_sent])
        self._files_sent += 1
        self.oracle.files.sent(client.name, to, content)
        answer: Future[bytes] = client.begin(
            client.graph.forwarding, lambda answer: msg.SendFile(to, "x.bin", PLAIN_FILE, content, answer)
        )
        self._files_asked.append((client.name, content, answer))
        answer.add_done_callback(lambda done: self._on_file_answer(content, done))

    def _on_file_answer(self, content: bytes, answer: Future[bytes]) -> None:
        if answer.exception() is None:
            self.oracle.files.took(content, answer.result())
        elif isinstance(answer.exception(), FileUnfit | StorageError):
            self.oracle.files.gave_up(content)
        else:
            self.oracle.wrong.append(f"a file was not taken: {answer.exception()!r}")

    def _command(self, step: f.Handshake | f.LookUpUser) -> None:
        client = self.world.clients[step.who]
        if not client.running:
            return
        answer: Future[None]
        if isinstance(step, f.Handshake) and step.step != "revoke":
            self._consented.add((step.who, step.to))
        match step:
            case f.LookUpUser():
                answer = client.begin(client.graph.lookup, lambda to: msg.FindContact(step.to, to))
            case f.Handshake(step="offer"):
                answer = client.begin(client.graph.handshake, lambda to: msg.OfferHandshake(step.to, to))
            case f.Handshake(step="accept"):
                answer = client.begin(client.graph.handshake, lambda to: msg.AcceptHandshake(step.to, to))
            case _:
                answer = client.begin(client.graph.handshake, lambda to: msg.RevokeHandshake(step.to, to))
        self._commanded.append((step.who, answer))

    @staticmethod
    def _choose_fallback(client: SimClient, to: str, fallback: Fallback) -> None:
        """As `Client.set_direct_only` does. A disk may fail or end the process at it."""
        if not client.running:
            return
        try:
            client.store.contacts.set_fallback(to, fallback)
        except StorageError:
            return
        except ProcessDied as death:
            death.bury()

    def _look_at(self, client: SimClient, to: str) -> None:
        """Look up, then look at what is there: the user continues without comparing safety numbers."""
        if not client.running:
            return
        answer: Future[None] = client.begin(client.graph.lookup, lambda found: msg.FindContact(to, found))
        with suppress(SimulationStuck):
            self.world.sim.run_until(lambda: answer.done() or not client.running, LOOK_S)
        self._accept_changes(client, to)

    def _accept_changes(self, client: SimClient, *names: str) -> None:
        """The user looks at these contacts' identities, if they have changed; at all without names."""
        if not client.running:
            return
        with client.without_faults():
            changed = [each.name for each in client.store.contacts.all() if each.trust is Trust.CHANGED]
            for name in changed:
                if name in names or not names:
                    self.watch.looks_at(client.name, name, client.contact(name).identity_key)
                    client.look_at_identity(name)

    def _decide(self, client: SimClient, to: str, decision: str) -> None:
        """As `Client.accept`, `decline` and `block` do."""
        if not client.running:
            return
        consent = {"accept": Consent.ACCEPTED, "decline": Consent.DECLINED, "block": Consent.BLOCKED}[decision]
        with client.without_faults():
            client.store.contacts.set_consent(to, consent)
        client.graph.forwarding.tell(msg.RequestsDecided())

    def _befriend(self, client: SimClient, to: str) -> None:
        if client.running:
            client.write(to, f"hello {to}")
            self.world.sim.run_for(BEFRIENDED_S)

    def _restore(self, client: SimClient, *, replace: bool) -> None:
        self.watch.note_homes()
        if client.record_is_on_its_way() or not client.move(replace=replace):
            return
        self._unmarked[client.name] = []
        self.oracle.lost_home(client.name)
        self.watch.lost_home(client.name)

    def _steal(self, step: f.Theft) -> None:
        """A thief's succession, and then a handshake with the thief; until the owner is back."""
        victim, friend, sim = self.world.clients[step.who], self.world.clients[step.to], self.world.sim
        if not victim.running or not friend.running or victim.record_is_on_its_way():
            return
        thief = Thief(self.world, victim)
        publish = thief.succession()
        if publish is None:
            return
        self.watch.note_thief(step.who, thief.transport.address, thief.key.public)
        self._troubles.switch_off(victim)
        self.oracle.lost_home(step.who)
        thief.ask(publish, 3)  # the node may take it much later, where the mixnet is slow
        thief.offer(step.to)
        self._consented.add((step.who, step.to))
        sim.run_for(BEFRIENDED_S)
        if step.looks == "before":
            self._look_at(friend, step.who)
        self._command(f.Handshake(step.to, step.who, "accept"))
        self._write(friend, step.who, 20)
        sim.run_for(BEFRIENDED_S)
        self._troubles.begin_elsewhere(victim)
        self._unmarked[step.who] = []
        self.watch.lost_home(step.who)
        sim.run_for(LOOK_S)
        self._write(victim, step.to, 20)
        sim.run_for(BEFRIENDED_S)
        if step.looks == "after" and friend.running:
            self.watch.looks_at(friend.name, step.who, thief.key.public)
            with friend.without_faults():
                friend.look_at_identity(step.who, thief.key.public)

    def _stalk(self, step: f.Stalk) -> None:
        """Write until the node refuses, then once a minute; take note of every answer."""
        stalker, victim, sim = self._troubles.attacker(step.who), self.world.clients[step.to], self.world.sim
        if self.answers or not stalker.log_in() or (record := stalker.look_up(step.to)) is None:
            return  # after the first one the two worlds that are compared differ in moments, too
        stalker.attack("texts", step.to, 1)
        sim.run_for(BEFRIENDED_S)
        with victim.without_faults():
            if victim.store.contacts.get(step.who) is None:
                return  # no text arrived: there is no one to decide about
        self._decide(victim, step.who, step.decision)
        sim.run_for(BEFRIENDED_S)
        if self._absent:
            self._troubles.switch_off(victim)
        for number in range(STALKED_MAX):
            if number % 20 == 0:
                stalker.top_up()
                sim.run_for(1.0)
            self.answers.append(stalker.probe(step.to, record))
            if self.answers[-1] not in ("", "Accepted"):
                break
        for _ in range(STALKED_MINUTES):
            sim.run_for(60.0)
            stalker.log_in()
            self.answers.append(stalker.probe(step.to, record))
        if self._absent:
            self._troubles.switch_on(victim)

    def _on_death(self, process: Process) -> None:
        for who, text, answer in self._asked:
            if who == process.name and not answer.done():
                self.oracle.gave_up(text)
        self._asked = [asked for asked in self._asked if asked[0] != process.name]
        for who, content, answered in self._files_asked:
            if who == process.name and not answered.done():
                self.oracle.files.gave_up(content)
        self._files_asked = [asked for asked in self._files_asked if asked[0] != process.name]
        self._commanded = [command for command in self._commanded if command[0] != process.name]

    # -- screens --

    def mark_shown(self, client: SimClient) -> None:
        """Note in the store what was shown before the process died: showing and noting are one step."""
        shown, self._unmarked[client.name] = self._unmarked[client.name], []
        rows = [client.store.messages.get(sender, message_id, Direction.IN) for sender, message_id in shown]
        client.store.messages.mark_shown([row.id for row in rows if row is not None])

    def show(self, client: SimClient, sender: str, text: str, message_id: bytes, counter: int) -> None:
        self._unmarked[client.name].append((sender, message_id))
        self.oracle.shown(client.name, sender, text, message_id, counter)

    def show_file(self, client: SimClient, sender: str, message_id: bytes) -> None:
        """Show a file that is complete; showing and noting are one step."""
        with client.without_faults():
            offer = client.store.messages.get(sender, message_id, Direction.IN)
            file = client.store.files.get(sender, message_id, Direction.IN)
            if offer is None or file is None or offer.shown or file.state is not FileState.COMPLETE:
                return
            client.store.messages.mark_shown([offer.id])
            content = client.store.files.content(file)
        if not is_whole(content, file.size, file.digest):
            self.oracle.broke(f"{client.name} was shown a file that is not what {sender} offered")
        elif sender not in self.oracle.hostile:
            self.oracle.files.shown(client.name, sender, content)

    # -- the end: everything works again --

    def _end(self) -> None:
        world = self.world
        self._troubles.heal()
        for client in world.clients.values():
            if client.running:
                for contact in client.store.contacts.all():
                    self._choose_fallback(client, contact.name, Fallback.NODE)
                client.connect()
        if not self.oracle.promise.all_arrive:
            world.sim.run_for(4 * QUIET_S)
        else:
            world.sim.run_until(self._all_is_answered, 600)
            self._look_through_conversations()
            self._troubles.pass_a_month(needed=self.oracle.promise.may_expire)
            self._wait_until_all_is_known()
            if world.restart_full_nym_clients():
                self._wait_until_all_is_known()
        world.sim.run_for(QUIET_S)
        with suppress(SimulationStuck):
            world.sim.run_until(self.watch.cards_fit, CARDS_S)
        world.sim.run_until(self._troubles.all_run, 600)
        self._look_through_conversations()
        self.oracle.end(self._gaps())
        self._check_handshakes()
        self.watch.check_cards()
        self.watch.check_directory()
        for process in world.processes():
            if process.bugs_so_far() and process.name not in self._troubles.bad_disks:
                self.oracle.wrong.append(f"{process.name} had {process.bugs_so_far()} bugs")
            if process.deaths and (found := process.store.problems()):
                self.oracle.wrong.append(f"{process.name}'s store is damaged: {found[0]}")

    def _wait_until_all_is_known(self) -> None:
        deadline = (look_at := self.world.sim.now()) + END_S
        while self.oracle.waiting() and self.world.sim.now() < deadline:
            self.world.sim.step()
            if self.oracle.moved and self.world.sim.now() >= look_at:
                look_at += LOOK_S
                for client in self.world.clients.values():
                    self._accept_changes(client)
        while self._handshakes_under_way() and self.world.sim.now() < deadline:
            self.world.sim.run_for(1.0)

    def _all_is_answered(self) -> bool:
        asked = all(answer.done() for _, _, answer in (*self._asked, *self._files_asked))
        return asked and all(answer.done() for _, answer in self._commanded) and self._troubles.all_run()

    def _handshakes_under_way(self) -> bool:
        return not self._troubles.all_run() or any(
            client.store.messages.outbox_of(contact.name)
            for client in self.world.clients.values()
            for contact in self._people(client)
        )

    def _look_through_conversations(self) -> None:
        for client in self.world.clients.values():
            assert isinstance(client.app, ReadingScreen), "people of runs look at screens"
            client.app.read_conversations()

    def _check_handshakes(self) -> None:
        """No address is known without its owner's consent; and when all has arrived, two people's states fit."""
        all_came = self.oracle.promise.all_arrive and not self.oracle.promise.may_expire
        for one, other in itertools.combinations(self.world.clients.values(), 2):
            pair = _handshake_of(one, other), _handshake_of(other, one)
            moved = not self.oracle.moved.isdisjoint({one.name, other.name})
            if all_came and not moved and pair not in FITTING and pair[::-1] not in FITTING:
                states = f"{pair[0].value}, {pair[1].value}"
                self.oracle.wrong.append(f"the handshake of {one.name} and {other.name} does not fit: {states}")
        for client in self.world.clients.values():
            for contact in self._people(client):
                if contact.peer_address is not None and (contact.name, client.name) not in self._consented:
                    self.oracle.wrong.append(f"{client.name} knows {contact.name}'s address without consent")

    def _people(self, client: SimClient) -> list[Contact]:
        """A user's contacts, without hostile users."""
        return [contact for contact in client.store.contacts.all() if contact.name not in ATTACKERS]

    def _gaps(self) -> list[tuple[str, str, int]]:
        return [
            (client.name, contact.name, highest - client.store.messages.received_below(contact.name, highest + 1))
            for client in self.world.clients.values()
            for contact in self._people(client)
            if (highest := contact.highest_in_counter)
        ]


def _handshake_of(client: SimClient, other: SimClient) -> HandshakeState:
    contact = client.store.contacts.get(other.name)
    return HandshakeState.NONE if contact is None else contact.handshake


def play(plan: Plan, listener: Callable[[Heard], None] | None = None) -> Outcome:
    """Make a run of the plan; and where someone is stalked and nothing else goes wrong, another one in a world that
    differs in one thing: whether they are there."""
    run = Run(plan, listener)
    outcome = run.play()
    if outcome.wrong or not all(isinstance(step, CALM) for step in plan.steps) or not run.answers:
        return outcome
    other = Run(plan, absent=True)
    other.play()
    for number, (here, away) in enumerate(zip(run.answers, other.answers, strict=False)):
        if here and away and here != away:
            what = f"a stalker sees who is there: answer {number} is {here}, and {away} when they are away"
            return dataclasses.replace(outcome, wrong=(*outcome.wrong, what))
    return outcome
