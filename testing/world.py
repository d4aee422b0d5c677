"""A whole world on one thread: nodes, their users, an emulated mixnet, real stores, a virtual clock.

Everything comes from `seed` (and from `tape`, while it lasts): the same seed and the same calls give the same run. The
processes are the product's own graphs (`usernym.actors.graphs`) on its own stores; only time, chance, the mixnet and
the disk are simulated.

    with World(seed=7) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        assert bob.texts() == ["hi"]
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from usernym.actors import messages as msg
from usernym.actors.base import Tellable
from usernym.actors.events import DeliveryChanged, Event, MessageArrived
from usernym.actors.mixnet_io.surb_account import ON_DEMAND_BELOW
from usernym.actors.simulation import Simulation
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessTransport
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.former_addresses import JoinedTransport
from usernym.storage.client.types import Contact, DeliveryState, IdentityState, Message, Trust
from usernym.testing.database import DatabaseServer, worker_names
from usernym.testing.process import App, ClientProcess, NodeProcess, Process
from usernym.testing.tap import TappedMixnet

T = TypeVar("T")
C = TypeVar("C")

UNREAD_MAX: Final = 10_000
CLIENTS_MAX: Final = 128
"""More mixnet clients than any world has."""

RAM_DISK: Final = Path("/dev/shm")  # noqa: S108 - where Linux keeps a file system in memory
"""Where simulated disks are kept if the system has it: SQLite's own code on files that cost no real disk."""


def at_all_addresses(transport: InProcessTransport, node: NodeProcess) -> JoinedTransport:
    """A `node_transport`: the node's process listens at all addresses that its card names."""
    world = node.world
    for former in world.listening:  # of the process before
        former.close()
    world.listening = [world.mixnet.transport(address) for address in world.other_addresses]
    return JoinedTransport(transport, world.listening)


class World:
    """One node and its users; more nodes by `add_node`. Leave its context, or `close` it, to remove its files.

    `disks`: whether stores are files, so that processes can crash at a commit and disks can fail; else they are in
    memory. `workers`: how many processes the node has; several share a database server. `encrypted`: whether users'
    stores are SQLCipher's, as in the product; it costs about a fifth more time.
    `nym_clients`: users whose mixnet client is a program of its own, which says nothing of its SURBs.
    `node_transport` puts something between a node and the mixnet: what makes a node lie. `other_addresses`: how many
    addresses the nodes' cards name beside the node's own. They are silent, unless `node_transport` is
    `at_all_addresses`.
    """

    def __init__(
        self,
        seed: int = 0,
        tape: Sequence[int] = (),
        faults: Faults | None = None,
        *,
        disks: bool = False,
        encrypted: bool = False,
        workers: int = 1,
        nym_clients: Collection[str] = (),
        node_transport: Callable[[Any, NodeProcess], Any] = lambda transport, _node: transport,
        other_addresses: int = 0,
    ) -> None:
        self.node_transport = node_transport
        self.sim = Simulation(seed, tape)
        self.chance = random.Random(seed ^ 0xFA17)  # noqa: S311 - repeatable on purpose
        self.core = Emulator(random.Random(seed), faults)  # noqa: S311 - repeatable on purpose
        self.mixnet = TappedMixnet(self.core, self.sim)
        self.failures: list[tuple[str, BaseException]] = []
        self.clients: dict[str, SimClient] = {}
        self.nodes: dict[str, SimNode] = {}
        self.encrypted = encrypted
        self.nym_clients = nym_clients
        self.folder: Path | None = None
        if disks:
            home = RAM_DISK if RAM_DISK.is_dir() else None
            self.folder = Path(tempfile.mkdtemp(prefix="usernym-simulation-", dir=home))
        self.listening: list[InProcessTransport] = []
        self.other_addresses = tuple(self.mixnet.transport().address for _ in range(other_addresses))
        self.server = DatabaseServer(self.sim) if workers > 1 else None
        self.node = self.add_node("node", self.server)
        self.workers = [self.node]
        for name in worker_names(workers)[1:]:
            self.workers.append(self.add_node(name, self.server))
        self.sim.run_until(lambda: len(self.node.card.addresses) >= workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, and remove their files."""
        for process in self.processes():
            process.kill()
        if self.server is not None:
            self.server.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def restart_full_nym_clients(self) -> bool:
        """As a client's log says: start those nym-clients again of whose SURBs so many were lost that the account of
        the user's client is full. Whether there are any."""
        full = [each for each in self.clients.values() if each.has_nym_client and each.surbs_kept() >= ON_DEMAND_BELOW]
        for client in full:
            self.mixnet.kill(client.client_number)
        return bool(full)

    def add_node(self, name: str, server: DatabaseServer | None = None) -> SimNode:
        """One more node, with a directory of its own; or, with a `server`, one more worker of the node on it."""
        node = self.nodes[name] = SimNode(self, name, server)
        return node

    def client(self, name: str, *, register: bool = True, online: bool = True, **settings: Any) -> SimClient:
        """A new user; `settings` are those of `ClientProcess`."""
        client = SimClient(self, name, **settings)
        self.clients[name] = client
        if register:
            client.register()
        if online:
            client.go_online()
        if register:
            client.begin_app()
        return client

    def process(self, name: str) -> Process:
        """The process of a user or a node. Raises `KeyError` if there is none of this name."""
        return self.nodes[name] if name in self.nodes else self.clients[name]

    def processes(self) -> list[Process]:
        """All of them."""
        return [*self.nodes.values(), *self.clients.values()]

    def on_failed(self, actor: str, error: BaseException) -> None:
        """An actor could not continue."""
        self.failures.append((actor, error))

    def settle(self, seconds: float = 5.0) -> None:
        """Let everything under way come to its end."""
        self.sim.run_for(seconds)

    def silence(self, *addresses: bytes) -> None:
        """From now on these addresses, and no others, are silent: what is sent to them or from them is lost."""
        numbers = [number for address in addresses if (number := self.core.client_at(address)) is not None]
        rest = tuple(number for number in range(CLIENTS_MAX) if number not in numbers)
        partition = (*((number,) for number in numbers), rest) if numbers else ()
        self.mixnet.faults = replace(self.mixnet.faults, partition=partition)

    def check(self) -> None:
        """No actor may have had a bug."""
        assert not self.failures, self.failures
        for process in self.processes():
            if process.running:
                counters = process.counters()
                bugs = {"bugs", "bugs_dropped"}
                assert not any(bugs & set(counter) for counter in counters.values()), (process.name, counters)


class SimNode(NodeProcess):
    """A node."""

    def __init__(self, world: World, name: str = "node", server: DatabaseServer | None = None) -> None:
        super().__init__(world, name, server)
        self.start_and_wait()

    def start_and_wait(self) -> None:
        """Start it, and wait until it is there."""
        before = len(self.cards)
        self.start()
        self.world.sim.run_until(lambda: len(self.cards) > before or not self.running)

    def restart(self) -> None:
        """`kill -9`, and a new process on the same store (what was committed is there, the rest is not)."""
        self.kill()
        self.start_and_wait()


class SimClient(ClientProcess):
    """A user, with what a person does at a keyboard."""

    world: World

    def __init__(self, world: World, name: str, *, app: Callable[[SimClient], App] | None = None, **settings: Any):
        super().__init__(world, name, node=settings.pop("node", None) or world.node, **settings)
        self._make_app = app
        self.start()

    def start(self) -> None:
        """Start the process, and the app in it."""
        self.app = None if self._make_app is None else self._make_app(self)
        super().start()
        if self.running and self._is_registered():
            self.begin_app()

    def _is_registered(self) -> bool:
        """What the store says, whatever its disk does: the simulation asks, not the client."""
        with self.without_faults():
            return self.store.profile.identity().state is IdentityState.REGISTERED

    def begin_app(self) -> None:
        """Let the app begin; done at each start of a registered user, and when one has been registered."""
        if self.app is not None:
            self.app.started()

    def restart(self) -> None:
        """`kill -9`, and a new process on the same store."""
        self.kill()
        self.start()

    def surbs_kept(self) -> int:
        """How many SURBs its account on the disk has."""
        kept = self.store.given_surbs.load()
        return 0 if kept is None else kept.ahead + sum(lot.count for lot in kept.lots)

    # -- commands; those that wait let the world continue meanwhile --

    def begin(self, actor: Tellable[C], command: Callable[[Future[T]], C]) -> Future[T]:
        """Give an actor a command; the future gets its answer, unless the process dies before."""
        answer: Future[T] = Future()
        actor.tell(command(answer))
        return answer

    def do(self, actor: Tellable[C], command: Callable[[Future[T]], C], within_s: float = 120.0) -> T:
        """Give a command, and wait for its answer."""
        answer = self.begin(actor, command)
        self.world.sim.run_until(answer.done, within_s)
        return answer.result()

    def register(self) -> None:
        """Register the name."""
        self.do(self.graph.registration, msg.Register)

    def go_online(self) -> None:
        """Log in, and stay so."""
        self.do(self.graph.registration, msg.GoOnline)

    def connect(self) -> None:
        """Begin to log in; does not wait."""
        future: Future[None] = self.begin(self.graph.registration, msg.GoOnline)
        del future

    def look_up(self, name: str) -> Contact:
        """Look a user up."""
        self.do(self.graph.lookup, lambda answer: msg.FindContact(name, answer))
        return self.contact(name)

    def contact(self, name: str) -> Contact:
        """A contact as the store has it."""
        contact = self.store.contacts.get(name)
        assert contact is not None
        return contact

    def look_at_identity(self, name: str, identity_key: bytes | None = None) -> None:
        """Look at a changed identity and continue without comparing, as `Client.set_verified(name, False)` does. The
        decision is about `identity_key`; without it, about the one that is there."""
        self.store.contacts.look_at(name, identity_key or self.contact(name).identity_key, Trust.CONFIRMED)
        self.graph.forwarding.tell(msg.IdentityLookedAt(name))

    def write(self, name: str, text: str) -> Future[bytes]:
        """Begin to send a text; the future gets its message id, when it is on disk. Does not wait."""
        return self.begin(self.graph.forwarding, lambda answer: msg.SendText(name, text, answer))

    def send(self, name: str, text: str) -> bytes:
        """Send a text, and wait until it is on disk; its message id."""
        message_id: bytes = self.do(self.graph.forwarding, lambda answer: msg.SendText(name, text, answer))
        return message_id

    def send_and_wait(self, name: str, text: str, state: DeliveryState = DeliveryState.DELIVERED) -> bytes:
        """Send a text, and wait until that much is known of it."""
        message_id = self.send(name, text)
        self.wait_for_state(message_id, state)
        return message_id

    def wait_for_state(self, message_id: bytes, state: DeliveryState, within_s: float = 300.0) -> None:
        """Wait until that much is known of a message."""
        # A receipt may overtake the node's own answer: then `accepted` is ignored.
        enough = {state, DeliveryState.DELIVERED}
        self.world.sim.run_until(lambda: not enough.isdisjoint(self.states(message_id)), within_s)

    def offer(self, name: str) -> None:
        """Offer a handshake."""
        self.do(self.graph.handshake, lambda answer: msg.OfferHandshake(name, answer))

    def accept(self, name: str) -> None:
        """Accept one."""
        self.do(self.graph.handshake, lambda answer: msg.AcceptHandshake(name, answer))

    def revoke(self, name: str) -> None:
        """End one."""
        self.do(self.graph.handshake, lambda answer: msg.RevokeHandshake(name, answer))

    # -- what an app reads and writes in the store --

    def unread(self) -> list[Message]:
        """Texts that came and have not been marked as read, the oldest first."""
        return list(self.store.messages.unshown(UNREAD_MAX, {int(msg.PayloadKind.TEXT)}))

    def mark_read(self, messages: Iterable[Message]) -> None:
        """These have been dealt with: they are not unread after a restart either."""
        self.store.messages.mark_shown([message.id for message in messages])

    # -- what the user saw --

    def states(self, message_id: bytes) -> list[DeliveryState]:
        """The states of a message, in order."""
        changes = [event for event in self.events if isinstance(event, DeliveryChanged)]
        return [change.state for change in changes if change.message_id == message_id]

    def texts(self, sender: str | None = None) -> list[str]:
        """The texts that came, of one sender or all."""
        arrived = [event for event in self.events if isinstance(event, MessageArrived)]
        return [event.text for event in arrived if sender in (None, event.sender)]

    def of_kind(self, kind: type[T]) -> list[T]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def on_event(self, event: Event) -> None:
        """The graph tells its user something."""
        super().on_event(event)
        if self.app is not None:
            self.app.happened(event)
