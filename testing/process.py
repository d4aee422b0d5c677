"""The processes of a simulated world: a node's or a client's graph on its store, which can die and start again."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from usernym.actors.context import ClientContext, User
from usernym.actors.events import Event
from usernym.actors.graphs import ClientGraph, Graph, NodeGraph, client_graph, node_graph
from usernym.actors.messages import FoundRecord
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.simulation import ProcessDied, Simulation
from usernym.identity import IdentityMaker, WordsUnfit
from usernym.mixnet.emulator.state import SURB_REQUEST_MAX
from usernym.protocol.cards import NodeCard
from usernym.protocol.directory.witnesses import NO_WITNESSES, WitnessPolicy
from usernym.protocol.records import decode_record, decode_succession
from usernym.protocol.signing import SigningKey
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore
from usernym.storage.database import IN_MEMORY, open_database
from usernym.storage.errors import StorageError
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore
from usernym.storage.node.workers import SoleWorker
from usernym.testing.database import DatabaseServer, ServerLink, WorkerDatabase
from usernym.testing.disk import Disk

if TYPE_CHECKING:
    from usernym.mixnet.emulator.in_process import InProcessTransport
    from usernym.testing.world import World

STORAGE_KEY: Final = bytes(range(32))
"""Encrypts simulated users' stores; a raw key, so that no passphrase has to be stretched."""
WORK_BITS: Final = 1
"""Proof of work costs real time, and tests nothing here."""


class App(Protocol):
    """A program that embeds a client, under simulation. One is made for each life of its process."""

    def started(self) -> None:
        """The process has started: the store is open, the user is registered, and the client may not be online yet."""

    def happened(self, event: Event) -> None:
        """The client tells something. Called inside an actor's message: begin things here, wait for nothing."""


WAKES_S: Final = 0.01
"""How long a process takes at most, when it wakes, until it has looked at what is due."""


class ProcessRuntime:
    """The simulation as one process has it: with a wall clock of its own."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.awake_at = float("-inf")
        self.clock_error_s = 0
        self.actors: list[Any] = []

    def now(self) -> float:
        """Virtual seconds since the start: a clock that never goes back."""
        return self._sim.now()

    def unix_s(self) -> int:
        return self._sim.unix_s() + self.clock_error_s

    def random_bytes(self, count: int) -> bytes:
        return self._sim.random_bytes(count)

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` after `delay_s` virtual seconds, or when the process is awake again: before or after what came
        meanwhile, as its threads happen to run."""

        def act() -> None:
            if (asleep_s := self.awake_at - self._sim.now()) > 0:
                self._sim.call_later(asleep_s + self._sim.random.uniform(0.0, WAKES_S), act)
            else:
                action()

        self._sim.call_later(delay_s, act)

    def sleep(self, seconds: float) -> None:
        """Do nothing for so long."""
        self.awake_at = max(self.awake_at, self._sim.now() + seconds)
        self._sim.hold(self.actors, seconds)

    def inbox(self) -> Any:
        """A queue that the scheduler looks into."""
        return self._sim.inbox()

    def run(self, actor: Any) -> None:
        self.actors.append(actor)
        self._sim.run(actor)


class Process:
    """What a process has: a graph, a transport, a store, a disk."""

    graph: Graph
    store: Any

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.runtime = ProcessRuntime(world.sim)
        self.running = False
        self.deaths = 0
        self.bugs = 0
        """Messages that raised what they should not, in all lives; a bad disk's errors count too."""
        self.on_death: Callable[[], None] = lambda: None
        self.on_failed: Callable[[str, BaseException], None] = world.on_failed
        self.disk = self._make_disk()
        self.mixnet_lives = False
        """Whether the mixnet client outlives the process when this life ends, as a nym-client does."""
        self.has_nym_client = name in world.nym_clients
        """Whether its mixnet client is a program of its own, which says nothing of its SURBs."""
        self._opened = False
        self._transport: InProcessTransport | None = None
        self._mixnet_client: tuple[bytes | None, int] = (None, -1)
        """Address and number of the last life's."""

    @property
    def address(self) -> bytes | None:
        """Its mixnet client's, which it keeps from life to life until it is renewed."""
        return self._mixnet_client[0] if self._transport is None else self._transport.address

    @address.setter
    def address(self, address: bytes | None) -> None:
        """Where the next life begins; None: at a new address."""
        self._mixnet_client = (address, -1)

    @property
    def client_number(self) -> int:
        """Its mixnet client's."""
        return self._mixnet_client[1] if self._transport is None else self._transport.client

    def _make_disk(self) -> Disk | None:
        folder = self.world.folder
        return None if folder is None else Disk(folder / self.name, self._chance(), bury=self.bury, stall=self.wait)

    def _chance(self) -> random.Random:
        return random.Random(f"{self.world.sim.seed} {self.name}")  # noqa: S311 - repeatable on purpose

    def wait(self, seconds: float) -> None:
        """Wait for the disk for so long: what comes meanwhile, and what is due, is handled afterwards in this order."""
        self.world.sim.hold(self.runtime.actors, seconds)

    def without_faults(self) -> AbstractContextManager[None]:
        """Let its disk do nothing wrong within the block: it is the simulation that reads or writes the store."""
        return nullcontext() if self.disk is None else self.disk.paused()

    # -- life and death --

    def start(self) -> None:
        """Start the process, if it does not run. It may die of its disk at once, and ends if its store can't be
        opened."""
        if self.running:
            return
        self.running = True
        try:
            if self.disk is not None:
                self.disk.put_back()
            if self.disk is not None or not self._opened:
                self._open_store()
                self._opened = True
            transport = self._transport = self._make_transport()
            self.world.mixnet.names[transport.client] = self.name
            self._start_graph(transport)
        except ProcessDied as death:
            death.bury()
        except StorageError:
            self.bury()

    def _make_transport(self) -> InProcessTransport:
        mixnet = self.world.mixnet
        if self.has_nym_client:
            return mixnet.transport(self.address, surbs_on_request=SURB_REQUEST_MAX, own_process=True)
        return mixnet.transport(self.address)

    def kill(self) -> None:
        """As `kill -9`, with the mixnet client that it holds unless `mixnet_lives`: everything ends without notice."""
        if self.running:
            if self.disk is not None:
                self.disk.die()
            self.bury()

    def bury(self) -> None:
        """The process is dead: take it out of the world. Its files stay."""
        if not self.running:
            return
        self.running = False
        self.deaths += 1
        self.world.mixnet.note(self.name, "dies")
        self.bugs += self._bugs_now()
        self.world.sim.drop(self.runtime.actors)
        self.runtime.actors.clear()
        self.runtime.awake_at = float("-inf")
        transport, self._transport = self._transport, None
        if transport is not None:
            self._mixnet_client = (transport.address, transport.client)
            if self.mixnet_lives:
                transport.abandon()
            else:
                self.world.mixnet.kill(transport.client)
                transport.close()
            self.mixnet_lives = False
        if self.disk is not None and self._opened:
            self.store.close()
        self.on_death()

    def report_failure(self, actor: str, error: BaseException) -> None:
        """An actor can't continue: the product's processes end then."""
        self.on_failed(actor, error)

    def _bugs_now(self) -> int:
        return sum(actor.counts["bugs"] + actor.counts["bugs_dropped"] for actor in self.runtime.actors)

    def bugs_so_far(self) -> int:
        """`bugs`, with those of the life that continues."""
        return self.bugs + self._bugs_now()

    def _open_store(self) -> None:
        raise NotImplementedError

    def _start_graph(self, transport: InProcessTransport) -> None:
        raise NotImplementedError

    # -- looking at it --

    def inquire(self) -> dict[str, Future[dict[str, int]]]:
        return self.graph.inquire()

    def counters(self) -> dict[str, dict[str, int]]:
        answers = self.inquire()
        self.world.sim.run_until(lambda: all(answer.done() for answer in answers.values()))
        return {name: answer.result() for name, answer in answers.items()}


class KeptMark:
    """A mark of a node's, which outlives the node's process. It has all that was written before, too."""

    def __init__(self) -> None:
        self.given_out: list[bytes] = []

    def read(self) -> bytes | None:
        return self.given_out[-1] if self.given_out else None

    def write(self, newest: bytes) -> None:
        self.given_out.append(newest)


class NodeProcess(Process):
    """A discovery node, or one of the workers that share the database of a `server`."""

    store: NodeStore
    graph: NodeGraph

    def __init__(self, world: World, name: str, server: DatabaseServer | None = None) -> None:
        self._server = server
        super().__init__(world, name)
        self.cards: list[NodeCard] = []
        self.mark = KeptMark()
        self.witness_mark = KeptMark()

    @property
    def card(self) -> NodeCard:
        return self.cards[-1]

    def _make_disk(self) -> Disk | None:
        if self._server is None:
            return super()._make_disk()
        return ServerLink(
            self._server, self._chance(), bury=self.bury, stall=self.wait, hear=partial(self.runtime.call_later, 0.0)
        )

    def _open_store(self) -> None:
        if isinstance(self.disk, ServerLink):
            database = WorkerDatabase(self.disk)
            self.store = NodeStore(database, database.workers)
            self._opened = True
        elif self.disk is None:
            self.store = NodeStore.open(IN_MEMORY, synchronous="OFF")
        else:
            self.store = NodeStore(open_database(self.disk.path, NODE_SCHEMA, make=self.disk.database))
            self._opened = True
        self.key = SigningKey.from_seed(self.store.profile.identity_seed(self.world.sim.random_bytes(32)))

    def holds_routes(self) -> bool:
        """Whether users are logged in here."""
        return any(actor.counts["routes"] for actor in self.runtime.actors)

    def is_alone(self) -> bool:
        """Whether no other worker takes logins."""
        with self.without_faults():
            return not self.store.workers.others()

    def leave(self) -> None:
        """End as `usernym.Node.stop` does: the others see at once that it is gone, if the database is there."""
        try:
            self.store.workers.leave()
        except StorageError:
            pass
        except ProcessDied as death:
            death.bury()

    def show(self, name: str) -> FoundRecord | None:
        """What a lookup of this name and its history would find."""
        with self.without_faults():
            account = self.store.directory.account(name)
            if account is None:
                return None
            links = self.store.directory.links(name, 0)
        return FoundRecord(decode_record(account.record), tuple(decode_succession(link.blob) for link in links))

    def _start_graph(self, transport: InProcessTransport) -> None:
        if not self.store.workers.shared:
            self.store.workers = SoleWorker(self.world.other_addresses)
        clock = NodeClock(self.runtime, self.store)
        context = NodeContext(
            self.runtime, self.report_failure, self.store, clock, self.mark, self.witness_mark, self.key
        )
        self.graph = node_graph(
            context,
            self.world.node_transport(transport, self),
            on_card=self.cards.append,
            work_bits=WORK_BITS,
        )


class ClientProcess(Process):
    """A user's client. `accept_strangers`, `witnesses`: see `ClientContext`. `store`: one that is open already, for
    tests."""

    store: ClientStore
    graph: ClientGraph

    def __init__(
        self,
        world: World,
        name: str,
        *,
        node: NodeProcess,
        store: ClientStore | None = None,
        accept_strangers: bool = True,
        witnesses: WitnessPolicy = NO_WITNESSES,
    ) -> None:
        super().__init__(world, name)
        self.node = node
        self.events: list[Event] = []
        self.accept_strangers = accept_strangers
        self.witnesses = witnesses
        self.words: str | None = None
        self._found: FoundRecord | None = None
        """What a node showed of the name, for a home that is to be made from the words."""
        self._replaces = False
        self._newest = (0, 0)
        """Of the newest record that this user has made: how often they replaced their identity, and its number."""
        if store is not None:
            self.store, self._opened = store, True

    def _open_store(self) -> None:
        if self.disk is None:
            self.store = ClientStore.open_plain()
            return
        key = STORAGE_KEY if self.world.encrypted else None
        path: Path = self.disk.path
        database = open_database(path, CLIENT_SCHEMA, key=key, make=self.disk.database)
        self.store = ClientStore(database, protected=self.world.encrypted)

    def _start_graph(self, transport: InProcessTransport) -> None:
        card = self.node.card
        if not self.store.profile.has_identity():
            self._make_identity(card)
        identity = self.store.profile.identity()
        self._note_newest()
        self.user = User(identity.name, SigningKey.from_seed(identity.seed), card.node)
        self.store.witnessed.want(self.witnesses)
        context = ClientContext(
            self.runtime,
            self.report_failure,
            self.on_event,
            self.store,
            self.user,
            self.accept_strangers,
            self.witnesses,
        )
        self.graph = client_graph(context, transport, card)

    def _make_identity(self, card: NodeCard) -> None:
        maker = IdentityMaker(self.store, self.name, card, self.world.sim.random_bytes, self.runtime.unix_s())
        if self._found is None:
            self.words = maker.create()
            return
        assert self.words is not None, "it was registered"
        if not self._replaces:
            with suppress(WordsUnfit):  # an identity that replaced another can only be replaced again
                maker.restore(self.words, self._found)
                return
        maker.replace(self.words, self._found)

    def _note_newest(self) -> None:
        with self.without_faults():
            pending = self.store.profile.pending_record()
            record = decode_record(self.store.profile.identity().record) if pending is None else pending.record
        self._newest = max(self._newest, (record.recoveries, record.number))

    def record_is_on_its_way(self) -> bool:
        """Whether the node does not show yet the record that this user made last; to restore again waits for that."""
        found = self.node.show(self.name) if self.node.running else None
        if self.running:
            self._note_newest()
        return found is not None and (found.record.recoveries, found.record.number) < self._newest

    def move(self, *, replace: bool) -> bool:
        """Begin on another machine, with an empty disk and another Nym address, by the recovery words; with `replace`
        as another identity. False, and nothing changed, where the node does not show the name."""
        disk, node = self.disk, self.node
        found = node.show(self.name) if node.running else None
        if found is None or self.words is None or disk is None:
            return False
        self.kill()
        disk.erase()
        self._found, self._replaces, self.address = found, replace, None
        self.start()
        return True

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        self.world.mixnet.note_event(self.name, event)
