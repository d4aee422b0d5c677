"""The wirings: a node, a client and a finder are three graphs of the same kinds of actors. Start reading here.

Each graph is a dataclass whose fields are references to its actors, in the order in which they stop. Only this file
names actor classes. In every graph mixnet I/O is the last to start, since it opens the transport, and the last to stop,
since the others still send.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from typing import Any, Final

from usernym.actors import messages as msg
from usernym.actors.base import Actor, ActorHandle, OnFailed, Ref
from usernym.actors.context import ClientContext
from usernym.actors.directory.node import DirectoryNode
from usernym.actors.directory.witness import WitnessNode
from usernym.actors.forwarding.client import ForwardingClient
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.handshake.client import HandshakeClient
from usernym.actors.lookup.client import LookupClient
from usernym.actors.lookup.finder import NameFinder
from usernym.actors.lookup.node import LookupNode
from usernym.actors.mixnet_io.client import ClientIO
from usernym.actors.mixnet_io.dispatch import Dispatch
from usernym.actors.mixnet_io.node import NodeIO, RequestQueue
from usernym.actors.node_context import NodeContext
from usernym.actors.registration.client import RegistrationClient
from usernym.actors.registration.node import RegistrationNode
from usernym.actors.runtime import Runtime
from usernym.mixnet.transport import Transport
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.limits import WORK_BITS_MIN
from usernym.protocol.signing import SigningKey

STOP_S: Final = 10.0
"""How long each actor of a graph may take to finish what it is doing."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Running actors and their transport. A subclass has one field for each actor: the reference to it."""

    transport: Transport

    def refs(self) -> dict[str, ActorHandle]:
        return {actor.name: getattr(self, actor.name) for actor in fields(self) if actor.name != "transport"}

    def start(self, *actors: Actor[Any]) -> None:
        """Start these actors, in this order; all of them, or none stays. Every reference must be bound by now."""
        begun: list[Actor[Any]] = []
        try:
            for actor in actors:
                actor.begin()
                begun.append(actor)
        except BaseException:  # the system may have no thread left: those of the others would keep the process alive
            for actor in actors:
                actor.own_ref.stop()
            for actor in begun:
                actor.own_ref.stopped(STOP_S)
            raise

    def inquire(self) -> dict[str, Future[dict[str, int]]]:
        return {name: ref.inquire() for name, ref in self.refs().items()}

    def backlogs(self) -> dict[str, int]:
        return {name: ref.backlog() for name, ref in self.refs().items()}

    def stop(self) -> None:
        """Stop the exchanges, then I/O, then the transport: what an exchange sends at its end still leaves.

        Waits for each actor's end, up to `STOP_S` seconds each.
        """
        for ref in self.refs().values():
            ref.stop()
            ref.stopped(STOP_S)
        self.transport.close()


@dataclass(frozen=True, slots=True)
class NodeGraph(Graph):
    """A discovery node's actors."""

    registration: Ref[msg.RegistrationNodeInbox] = field(default_factory=Ref)
    directory: Ref[msg.DirectoryNodeInbox] = field(default_factory=Ref)
    witness: Ref[msg.WitnessNodeInbox] = field(default_factory=Ref)
    lookup: Ref[msg.LookupNodeInbox] = field(default_factory=Ref)
    forwarding: Ref[msg.ForwardingNodeInbox] = field(default_factory=Ref)
    io: Ref[msg.NodeIOInbox] = field(default_factory=Ref)


@dataclass(frozen=True, slots=True)
class ClientGraph(Graph):
    """A client's actors."""

    registration: Ref[msg.RegistrationClientInbox] = field(default_factory=Ref)
    lookup: Ref[msg.LookupClientInbox] = field(default_factory=Ref)
    forwarding: Ref[msg.ForwardingClientInbox] = field(default_factory=Ref)
    handshake: Ref[msg.HandshakeInbox] = field(default_factory=Ref)
    finder: Ref[msg.NameFinderInbox] = field(default_factory=Ref)
    io: Ref[msg.ClientIOInbox] = field(default_factory=Ref)


@dataclass(frozen=True, slots=True)
class FinderGraph(Graph):
    """The actors of a program that has no identity yet."""

    finder: Ref[msg.NameFinderInbox] = field(default_factory=Ref)
    io: Ref[msg.ClientIOInbox] = field(default_factory=Ref)


def node_graph(
    context: NodeContext,
    transport: Transport,
    *,
    on_card: Callable[[NodeCard], None],
    work_bits: int = WORK_BITS_MIN,
    on_mixnet: Callable[[str | None], None] = lambda _reason: None,
) -> NodeGraph:
    """Start a discovery node: registration, lookup and forwarding around mixnet I/O, the directory's log,
    and the witness of others.

    `on_card` gets each card that becomes the node's current one. `on_mixnet`: see `MixnetEndpoint`.
    """
    graph = NodeGraph(transport)
    requests: dict[type[m.ToNode], RequestQueue] = {
        m.RegisterAsk: graph.registration,
        m.RegisterProof: graph.registration,
        m.LoginAsk: graph.registration,
        m.LoginProof: graph.registration,
        m.Publish: graph.registration,
        m.Delete: graph.registration,
        m.Lookup: graph.lookup,
        m.History: graph.lookup,
        m.LogRead: graph.lookup,
        m.Forward: graph.forwarding,
        m.Acknowledge: graph.forwarding,
        m.Unopenable: graph.forwarding,
        m.Heartbeat: graph.forwarding,
        m.TopUp: graph.forwarding,
        m.Cosign: graph.witness,
    }
    registration = RegistrationNode(
        context, io=graph.io, forwarding=graph.forwarding, on_card=on_card, work_bits=work_bits
    )
    io = NodeIO(
        context,
        transport,
        requests=requests,
        answers={m.Cosigned: graph.directory, m.LogPart: graph.witness},
        watchers=(graph.registration, graph.forwarding),
        on_mixnet=on_mixnet,
    )
    graph.start(
        graph.forwarding.bind(ForwardingNode(context, io=graph.io)),
        graph.lookup.bind(LookupNode(context, io=graph.io)),
        graph.witness.bind(WitnessNode(context, io=graph.io)),
        graph.directory.bind(DirectoryNode(context, io=graph.io)),
        graph.registration.bind(registration),
        graph.io.bind(io),
    )
    context.store.workers.listen(lambda: graph.forwarding.tell(msg.HintsDue()))
    return graph


def client_graph(context: ClientContext, transport: Transport, card: NodeCard) -> ClientGraph:
    """Start a client: registration, lookup, forwarding, handshake and a finder around the same mixnet I/O."""
    graph = ClientGraph(transport)
    dispatch = Dispatch(
        tells={
            m.NewCard: graph.registration,
            m.Displaced: graph.registration,
            m.Deliver: graph.forwarding,
            m.Delivered: graph.forwarding,
            m.NotOpened: graph.forwarding,
        },
        direct=graph.forwarding,
        heard=graph.registration,
        watchers=(graph.registration, graph.handshake),
        evidence=graph.registration,
    )
    forwarding = ForwardingClient(
        context, io=graph.io, lookup=graph.lookup, registration=graph.registration, handshake=graph.handshake
    )
    finder = NameFinder(context.runtime, context.on_failed, node=context.user.node, io=graph.io)
    registration = RegistrationClient(context, card=card, io=graph.io, forwarding=graph.forwarding, lookup=graph.lookup)
    io = ClientIO(
        context.runtime,
        context.on_failed,
        transport,
        signer=context.user.key,
        node=context.user.node,
        addresses=card.addresses,
        fresh_tags=card.fresh_tags,
        dispatch=dispatch,
        given_surbs=context.store.given_surbs,
        is_agreed=context.store.contacts.is_agreed,
    )
    graph.start(
        graph.handshake.bind(HandshakeClient(context, forwarding=graph.forwarding)),
        graph.forwarding.bind(forwarding),
        graph.lookup.bind(LookupClient(context, io=graph.io, registration=graph.registration)),
        graph.finder.bind(finder),
        graph.registration.bind(registration),
        graph.io.bind(io),
    )
    return graph


def finder_graph(
    runtime: Runtime,
    transport: Transport,
    card: NodeCard,
    signer: SigningKey,
    *,
    on_failed: OnFailed,
    on_mixnet: Callable[[str | None], None] = lambda _reason: None,
) -> FinderGraph:
    """Start what asks a node about names for a person who has no identity yet. `signer` signs nothing here."""
    graph = FinderGraph(transport)
    io = ClientIO(
        runtime,
        on_failed,
        transport,
        signer=signer,
        node=card.node,
        addresses=card.addresses,
        fresh_tags=card.fresh_tags,
        logs_in=False,
        dispatch=Dispatch(on_mixnet=on_mixnet),
    )
    graph.start(graph.finder.bind(NameFinder(runtime, on_failed, node=card.node, io=graph.io)), graph.io.bind(io))
    return graph
