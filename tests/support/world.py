"""A whole world under simulation: one node, clients, the emulated mixnet, in-memory stores, a virtual clock.

Everything comes from `seed` (and from `tape`, while it lasts): a failing test prints both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from usernym.actors import messages as msg
from usernym.actors.client_context import ClientContext, Me
from usernym.actors.events import DeliveryChanged, DeliveryState, Event, MessageArrived
from usernym.actors.simulation import Simulation
from usernym.identity import create_identity
from usernym.mixnet.emulator import Emulator
from usernym.mixnet.emulator_state import Faults
from usernym.mixnet.inprocess import InProcessMixnet
from usernym.protocol.cards import NodeCard
from usernym.protocol.signing import SigningKey
from usernym.storage.client import ClientStore, Contact
from usernym.storage.node import IN_MEMORY, NodeStore
from usernym.wiring import Graph, client_graph, node_graph

T = TypeVar("T")


class World:
    """One node and its clients."""

    def __init__(self, seed: int = 0, tape: Sequence[int] = (), faults: Faults | None = None) -> None:
        self.sim = Simulation(seed, tape)
        self.core = Emulator(random.Random(seed), faults)
        self.mixnet = InProcessMixnet(self.core, self.sim)
        self.failures: list[tuple[str, BaseException]] = []
        self.clients: dict[str, SimClient] = {}
        self.node = SimNode(self)

    def client(self, name: str, *, register: bool = True, online: bool = True, **settings: Any) -> SimClient:
        """A new user."""
        client = SimClient(self, name, **settings)
        self.clients[name] = client
        if register:
            client.register()
        if online:
            client.go_online()
        return client

    def on_failed(self, actor: str, error: BaseException) -> None:
        self.failures.append((actor, error))

    def settle(self, seconds: float = 5.0) -> None:
        """Let everything under way come to its end."""
        self.sim.run_for(seconds)

    def check(self) -> None:
        """No actor may have had a bug."""
        assert not self.failures, self.failures
        for counts in [self.node.counters(), *(client.counters() for client in self.clients.values())]:
            assert not any("bugs" in counter for counter in counts.values()), counts


class _Process:
    """What a process has: a graph on a transport, which can be killed."""

    world: World
    graph: Graph

    def inquire(self) -> dict[str, Future[dict[str, int]]]:
        return self.graph.inquire()

    def counters(self) -> dict[str, dict[str, int]]:
        answers = self.inquire()
        self.world.sim.run_until(lambda: all(answer.done() for answer in answers.values()))
        return {name: answer.result() for name, answer in answers.items()}

    def kill(self) -> None:
        """As `kill -9` on the process, which holds its mixnet client: actors and transport end without a word."""
        self.world.sim.drop(self.graph.actors)
        transport: Any = self.graph.transport
        self.world.mixnet.kill(transport.client)
        transport.close()


class SimNode(_Process):
    """The node."""

    def __init__(self, world: World, path: Path = IN_MEMORY) -> None:
        self.world = world
        self.store = NodeStore.open(path, synchronous="OFF")
        self.cards: list[NodeCard] = []
        self.key = SigningKey.from_seed(self.store.identity_seed(world.sim.random_bytes(32)))
        self.address: bytes | None = None
        self.start()

    def start(self) -> None:
        transport = self.world.mixnet.transport(self.address)
        self.address, self.client_number = transport.address, transport.client
        self.graph = node_graph(
            self.world.sim,
            transport,
            self.store,
            self.key,
            on_card=self.cards.append,
            on_failed=self.world.on_failed,
            work_bits=1,
        )
        before = len(self.cards)
        self.world.sim.run_until(lambda: len(self.cards) > before)

    def restart(self) -> None:
        """`kill -9`, and a new process on the same store (what was committed is there, the rest is not)."""
        self.kill()
        self.start()

    @property
    def card(self) -> NodeCard:
        return self.cards[-1]


class SimClient(_Process):
    """A user's process."""

    def __init__(
        self, world: World, name: str, *, store: ClientStore | None = None, accept_strangers: bool = True
    ) -> None:
        self.world = world
        self.name = name
        self.events: list[Event] = []
        self.accept_strangers = accept_strangers
        self.store = store or ClientStore.open_plain()
        if not self.store.has_identity():
            self.words = create_identity(self.store, name, world.node.card, world.sim.random_bytes, world.sim.unix_s())
        self.address: bytes | None = None
        self.start()

    def start(self) -> None:
        identity = self.store.identity()
        self.me = Me(identity.name, SigningKey.from_seed(identity.seed), self.world.node.card.node)
        transport = self.world.mixnet.transport(self.address)
        self.address, self.client_number = transport.address, transport.client
        context = ClientContext(
            self.world.sim, self.world.on_failed, self.events.append, self.store, self.me, self.accept_strangers
        )
        self.graph = client_graph(context, transport, self.world.node.card)

    def restart(self) -> None:
        """`kill -9`, and a new process on the same store."""
        self.kill()
        self.start()

    def begin(self, actor: str, command: Callable[[Future[T]], Any]) -> Future[T]:
        answer: Future[T] = Future()
        self.graph.refs[actor].tell(command(answer))
        return answer

    def do(self, actor: str, command: Callable[[Future[T]], Any], within_s: float = 120.0) -> T:
        answer = self.begin(actor, command)
        self.world.sim.run_until(answer.done, within_s)
        return answer.result()

    def register(self) -> None:
        self.do("registration", msg.Register)

    def go_online(self) -> None:
        self.do("registration", msg.GoOnline)

    def look_up(self, name: str) -> Contact:
        self.do("lookup", lambda answer: msg.LookUp(name, answer))
        return self.contact(name)

    def contact(self, name: str) -> Contact:
        contact = self.store.contact(name)
        assert contact is not None
        return contact

    def send(self, name: str, text: str) -> bytes:
        message_id: bytes = self.do("forwarding", lambda answer: msg.SendText(name, text, answer))
        return message_id

    def send_and_wait(self, name: str, text: str, state: DeliveryState = DeliveryState.DELIVERED) -> bytes:
        message_id = self.send(name, text)
        self.wait_for_state(message_id, state)
        return message_id

    def wait_for_state(self, message_id: bytes, state: DeliveryState, within_s: float = 300.0) -> None:
        # A receipt may overtake the node's own answer: then `accepted` is no news any more.
        enough = {state, DeliveryState.DELIVERED}
        self.world.sim.run_until(lambda: not enough.isdisjoint(self.states(message_id)), within_s)

    def states(self, message_id: bytes) -> list[DeliveryState]:
        changes = [event for event in self.events if isinstance(event, DeliveryChanged)]
        return [change.state for change in changes if change.message_id == message_id]

    def offer(self, name: str) -> None:
        self.do("handshake", lambda answer: msg.OfferHandshake(name, answer))

    def accept(self, name: str) -> None:
        self.do("handshake", lambda answer: msg.AcceptHandshake(name, answer))

    def revoke(self, name: str) -> None:
        self.do("handshake", lambda answer: msg.RevokeHandshake(name, answer))

    def texts(self, sender: str | None = None) -> list[str]:
        arrived = [event for event in self.events if isinstance(event, MessageArrived)]
        return [event.text for event in arrived if sender in (None, event.sender)]

    def of_kind(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]
