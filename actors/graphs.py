"""The composition root: the node and the client are two wirings of the same kinds of actors. Only this file names them.

In both, I/O is the last to start, since it opens the transport, and the last to stop, since the others still speak.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Self

from usernym.actors import messages as msg
from usernym.actors.base import Actor, Inquire, Ref
from usernym.actors.context import ClientContext
from usernym.actors.forwarding.client import ForwardingClient
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.handshake.client import HandshakeClient
from usernym.actors.lookup.client import LookupClient
from usernym.actors.lookup.finder import FindingClient
from usernym.actors.lookup.finding_messages import FindingInbox
from usernym.actors.lookup.node import LookupNode
from usernym.actors.mixnet_io.actor import Dispatch, MixnetIO
from usernym.actors.node_clock import NodeClock
from usernym.actors.registration.client import RegistrationClient
from usernym.actors.registration.node import RegistrationNode
from usernym.actors.runtime import Runtime
from usernym.mixnet.transport import Transport
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.limits import WORK_BITS_MIN
from usernym.protocol.signing import SigningKey
from usernym.storage.node.store import NodeStore

STOP_S: Final = 10.0
"""How long a graph's actors may take to finish what they are at."""

OnFailed = Callable[[str, BaseException], None]
"""Told that an actor can't go on, and why: its graph must be stopped."""


@dataclass(slots=True)
class Graph:
    """Running actors and their transport."""

    transport: Transport
    refs: dict[str, Ref[Any]]
    actors: list[Actor[Any]] = field(default_factory=list)

    def add(self, ref: Ref[Any], actor: Actor[Any]) -> None:
        """Put an actor behind its reference; it runs from `begin` on."""
        ref.bind(actor)
        self.actors.append(actor)

    def begin(self) -> Self:
        """Start the actors, in the order in which they were added. All references point somewhere by now."""
        for actor in self.actors:
            actor.begin()
        return self

    def inquire(self) -> dict[str, Future[dict[str, int]]]:
        """Ask each actor for its counters."""
        answers = {}
        for name, ref in self.refs.items():
            answers[name] = Future[dict[str, int]]()
            ref.tell(Inquire(answers[name]))
        return answers

    def backlogs(self) -> dict[str, int]:
        """How many messages wait in each actor's inbox."""
        return {name: ref.backlog() for name, ref in self.refs.items()}

    def stop(self) -> None:
        """Stop the exchanges, then I/O, then the transport: what an exchange says at its end still leaves.

        Waits for each actor's end, within `STOP_S`.
        """
        for ref in self.refs.values():
            ref.stop()
            ref.stopped(STOP_S)
        self.transport.close()


def node_graph(
    runtime: Runtime,
    transport: Transport,
    store: NodeStore,
    key: SigningKey,
    *,
    on_card: Callable[[NodeCard], None],
    on_failed: OnFailed,
    work_bits: int = WORK_BITS_MIN,
    on_mixnet: Callable[[str | None], None] = lambda _reason: None,
) -> Graph:
    """A discovery node: registration, lookup and forwarding around mixnet I/O.

    `on_mixnet` is told why there is no mixnet client each time it is found missing, and None when it is there.
    """
    registration: Ref[msg.RegistrationNodeInbox] = Ref()
    lookup: Ref[msg.LookupNodeInbox] = Ref()
    forwarding: Ref[msg.ForwardingNodeInbox] = Ref()
    io: Ref[msg.IoNode | msg.IoClient] = Ref()
    dispatch = Dispatch(
        by_type={
            **dict.fromkeys((m.RegisterAsk, m.RegisterProof, m.LoginAsk, m.LoginProof), registration),
            **dict.fromkeys((m.Publish, m.Delete), registration),
            **dict.fromkeys((m.Lookup, m.History), lookup),
            **dict.fromkeys((m.Forward, m.Acknowledge, m.Unopenable, m.Heartbeat, m.TopUp), forwarding),
        },
        mixnet_watchers=(registration, forwarding),
        on_mixnet=on_mixnet,
    )
    graph = Graph(transport, {"registration": registration, "lookup": lookup, "forwarding": forwarding, "io": io})
    clock = NodeClock(runtime, store)
    graph.add(forwarding, ForwardingNode(runtime, on_failed, store=store, clock=clock, key=key, io=io))
    graph.add(lookup, LookupNode(runtime, on_failed, store=store, io=io))
    graph.add(
        registration,
        RegistrationNode(
            runtime,
            on_failed,
            store=store,
            clock=clock,
            key=key,
            io=io,
            forwarding=forwarding,
            on_card=on_card,
            work_bits=work_bits,
        ),
    )
    graph.add(
        io,
        MixnetIO(
            runtime, on_failed, transport=transport, signer=key, node=key.public, node_address=None, dispatch=dispatch
        ),
    )
    return graph.begin()


def client_graph(context: ClientContext, transport: Transport, card: NodeCard) -> Graph:
    """A client: registration, lookup, forwarding and handshake around the same mixnet I/O; finding beside them."""
    registration: Ref[msg.RegistrationClientInbox] = Ref()
    lookup: Ref[msg.LookupClientInbox] = Ref()
    forwarding: Ref[msg.ForwardingClientInbox] = Ref()
    handshake: Ref[msg.HandshakeInbox] = Ref()
    finding: Ref[FindingInbox] = Ref()
    io: Ref[msg.IoNode | msg.IoClient] = Ref()
    dispatch = Dispatch(
        by_type={
            **dict.fromkeys((m.NewCard, m.Displaced), registration),
            **dict.fromkeys((m.Deliver, m.Delivered, m.Expired, m.NotOpened, m.Direct), forwarding),
        },
        mixnet_watchers=(registration, handshake),
        heard=registration,
        on_event=context.on_event,
    )
    refs: dict[str, Ref[Any]] = {
        "registration": registration,
        "lookup": lookup,
        "forwarding": forwarding,
        "handshake": handshake,
        "finding": finding,
        "io": io,
    }
    graph = Graph(transport, refs)
    graph.add(handshake, HandshakeClient(context, forwarding=forwarding))
    graph.add(
        forwarding,
        ForwardingClient(
            context, io=io, lookup=lookup, registration=registration, handshake=handshake, self_ref=forwarding
        ),
    )
    graph.add(lookup, LookupClient(context, io=io, self_ref=lookup))
    graph.add(finding, FindingClient(context.runtime, context.on_failed, node=context.me.node, io=io, self_ref=finding))
    graph.add(registration, RegistrationClient(context, card=card, io=io, forwarding=forwarding, self_ref=registration))
    graph.add(
        io,
        MixnetIO(
            context.runtime,
            context.on_failed,
            transport=transport,
            signer=context.me.key,
            node=context.me.node,
            node_address=card.address,
            dispatch=dispatch,
        ),
    )
    return graph.begin()


def finding_graph(
    runtime: Runtime,
    transport: Transport,
    card: NodeCard,
    signer: SigningKey,
    *,
    on_failed: OnFailed,
    on_mixnet: Callable[[str | None], None] = lambda _reason: None,
) -> Graph:
    """What asks a node about names for somebody who has no identity yet. `signer` signs nothing here.

    `on_mixnet` is as for `node_graph`.
    """
    finding: Ref[FindingInbox] = Ref()
    io: Ref[msg.IoNode | msg.IoClient] = Ref()
    graph = Graph(transport, {"finding": finding, "io": io})
    graph.add(finding, FindingClient(runtime, on_failed, node=card.node, io=io, self_ref=finding))
    graph.add(
        io,
        MixnetIO(
            runtime,
            on_failed,
            transport=transport,
            signer=signer,
            node=card.node,
            node_address=card.address,
            dispatch=Dispatch(by_type={}, mixnet_watchers=(), on_mixnet=on_mixnet),
        ),
    )
    return graph.begin()
