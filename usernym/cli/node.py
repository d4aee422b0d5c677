"""The operator's commands on a node that runs: `usernym node run`, `card`, `status` and `drain`."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import usernym
from usernym.cli.command import Deadline, Entry, Invocation, NodeCommand, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import node_handler
from usernym.cli.replies import reply_of
from usernym.cli.session import ask_node
from usernym.cli.signals import Stopping
from usernym.cli.terminal import print_err, print_err_marked, print_json, print_line, table
from usernym.log import fields
from usernym.logger import logger
from usernym.settings import (
    NODE_MIXNET_NAME,
    NODE_STORE_NAME,
    WORK_BITS_RANGE,
    WORKERS_RANGE,
    NodeSettings,
)

if TYPE_CHECKING:
    from usernym import Node

REMEMBERED_BYTES_MAX: Final = 1024
ROOM_AGAIN_S: Final = 10.0
"""How often a node tries to start whose disk is full."""
LOOK_S: Final = 0.2
"""How often it looks meanwhile whether it is to stop."""
DRAIN_MARGIN_S: Final = 2.0
"""So long before its caller stops waiting, a worker that is drained ends, with the users that are left."""


# -- run --------------------------------------------------------------------------------------------------------------


class NodeUpJson(msgspec.Struct, frozen=True, tag_field="event", tag="up"):
    """The node has its mixnet client, and answers."""

    card: str


class MixnetUpJson(msgspec.Struct, frozen=True, tag_field="event", tag="mixnet_up"):
    """The mixnet client is there (again)."""


class MixnetDownJson(msgspec.Struct, frozen=True, tag_field="event", tag="mixnet_down"):
    """There is no mixnet client; the node keeps trying."""

    text: str
    """Why."""


class WorkerStartedJson(msgspec.Struct, frozen=True, tag_field="event", tag="worker_started"):
    """With `--workers`: one of the node's processes has been started."""

    worker: int
    """From 1 on."""
    process: int
    """Its id."""


class WorkerEndedJson(msgspec.Struct, frozen=True, tag_field="event", tag="worker_ended"):
    """With `--workers`: one of the node's processes has ended, though the node was not stopped."""

    worker: int
    exit: int
    """Its exit code; below zero, the signal that ended it."""
    again_in_s: float | None
    """When it is started again; null if it is not."""


def run(typed: Invocation[NodeSettings]) -> None:
    """`usernym node run`. With JSON logs its events are JSON too: a service's journal has both streams."""
    settings = typed.settings
    if settings.log_format == "json":
        typed = replace(typed, json=True)
    mixnet = settings.mixnet or remembered(typed.home, NODE_MIXNET_NAME)
    if mixnet is None:
        raise CommandFailed(Exit.USAGE, "settings", "name the node's mixnet client: --mixnet ws://127.0.0.1:1977")
    store = settings.store or remembered(typed.home, NODE_STORE_NAME)
    if settings.workers > 1:
        from usernym.cli.workers import run_workers

        run_workers(typed, mixnet, store)
        return
    with Stopping() as stopping:
        _run_until(stopping, typed, mixnet, store)
    logger.info("the node has stopped")


def _run_until(stopping: Stopping, typed: Invocation[NodeSettings], mixnet: str, store: str | None) -> None:
    from usernym.control_server import ControlServer

    settings = typed.settings
    node = _opened(stopping, typed, mixnet, store)
    if node is None:
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(node)
        stopping.on_stop(node.stop)
        _remember(typed.home, NODE_MIXNET_NAME, mixnet)
        if store is not None:
            _remember(typed.home, NODE_STORE_NAME, store)
        if settings.metrics_port:
            from usernym.metrics import MetricsServer

            stack.enter_context(MetricsServer(node.status, settings.metrics_port))
        stack.enter_context(ControlServer(typed.home, node_handler(node)))
        if not typed.json:
            print_err(f"the node starts; its mixnet client is {mixnet}")
        logger.info("the node has started", extra=fields(version=usernym.__version__, process=os.getpid()))
        threading.Thread(target=_announce, args=(typed, node), name="usernym-announce", daemon=True).start()
        node.wait()
        logger.info("the node stops", extra=fields(signal=stopping.signalled or "none"))


def _opened(stopping: Stopping, typed: Invocation[NodeSettings], mixnet: str, store: str | None) -> Node | None:
    """The node, as soon as the disk has room for its start, and the server is there; None if it was stopped before."""
    from usernym.storage.errors import StoreFull, StoreUnreachable

    while True:
        try:
            return usernym.Node.open(
                typed.home,
                mixnet=mixnet,
                store=store,
                former_mixnets=typed.settings.former_mixnets,
                work_bits=typed.settings.work_bits,
                on_mixnet=partial(_show_mixnet, typed),
            )
        except (StoreFull, StoreUnreachable) as passing:
            # As while it runs: it continues when that has passed. Ended, it would have to be started by hand.
            what = "the disk is full" if isinstance(passing, StoreFull) else "the database does not answer"
            logger.error("the node can't start yet: %s", what)
            print_err_marked(f"{passing}; the node starts when that has passed")
        end = time.monotonic() + ROOM_AGAIN_S
        while time.monotonic() < end:
            if stopping.signalled is not None:
                return None
            time.sleep(LOOK_S)


def _show_mixnet(typed: Invocation[NodeSettings], problem: str | None) -> None:
    """Say why there is no mixnet client. The log does not: the reason may name an address."""
    with contextlib.suppress(Exception):  # the output is closed
        if typed.json:
            print_json(MixnetUpJson() if problem is None else MixnetDownJson(problem))
        elif problem is not None:
            print_err_marked(f"no mixnet client: {problem}; the node keeps trying")
        else:
            print_err("the mixnet client is there")


def _announce(typed: Invocation[NodeSettings], node: Node) -> None:
    """Print the card once there is one."""
    with contextlib.suppress(Exception):  # the node is being closed, or the output is
        typed.show(NodeUpJson(node.card()), "the node is up; its card:\n{reply.card}")


def remembered(home: Path, name: str) -> str | None:
    """The mixnet, or the store, that the node in `home` last ran with: what holds if no setting names one."""
    from usernym.storage.files import read_private

    path = home / name
    if not path.exists():
        return None
    return read_private(path, REMEMBERED_BYTES_MAX).decode(errors="replace").strip() or None


def _remember(home: Path, name: str, value: str) -> None:
    from usernym.storage.files import write_private

    if remembered(home, name) != value:
        write_private(home / name, f"{value}\n".encode(), replace=True)


# -- asking the running node ------------------------------------------------------------------------------------------


class CardReply(msgspec.Struct, frozen=True):
    """The running node's card."""

    card: str


class CardCommand(NodeCommand[CardReply], frozen=True, tag="node card"):
    """Give the card, once there is one."""

    def perform(self, node: Node, deadline: Deadline, /) -> CardReply:
        return CardReply(node.card(deadline.left()))


class StatusReply(msgspec.Struct, frozen=True):
    """The running node's counters and depths; never a name."""

    mixnet_up: bool
    mixnet_problem: str
    """Why there is no mixnet client; empty while there is one."""
    accounts: int
    messages_waiting: int
    message_bytes_waiting: int
    notices_waiting: int
    requests_remembered: int
    routes: int
    """Users logged in, as far as the node knows."""
    work_bits: int
    """What a registration costs now: zero bits of its proof of work."""
    inboxes: dict[str, int]
    """Messages that wait in each actor's inbox."""
    counters: dict[str, dict[str, int]]
    """Each actor's counters."""
    version: str
    """Of the program that runs the node."""
    store_bytes: int
    """The store on the disk, with SQLite's write-ahead log."""
    disk_free_bytes: int
    """What the node may still write on the home's file system."""


class StatusCommand(NodeCommand[StatusReply], frozen=True, tag="node status"):
    """Give counters and depths, of all actors."""

    def perform(self, node: Node, deadline: Deadline, /) -> StatusReply:
        return reply_of(StatusReply, node.status(deadline.left()))


class DrainReply(msgspec.Struct, frozen=True):
    """The worker has sent its users to the node's others, and ends."""

    routes: int
    """Users that had not gone yet: they find another worker when they next need the node."""


class DrainCommand(NodeCommand[DrainReply], frozen=True, tag="node drain"):
    """Send the users to the other workers, then end."""

    def perform(self, node: Node, deadline: Deadline, /) -> DrainReply:
        return DrainReply(node.drain(max(0.0, deadline.left() - DRAIN_MARGIN_S)))


def _print_status(reply: StatusReply, _given: Namespace) -> None:
    problem = f": {reply.mixnet_problem}" if reply.mixnet_problem else ""
    rows = [("version", reply.version), ("mixnet", "connected" if reply.mixnet_up else f"not connected{problem}")]
    numbers = msgspec.structs.asdict(reply).items()
    rows += [(name.replace("_", " "), str(number)) for name, number in numbers if type(number) is int]
    rows += [(f"{actor}: inbox", str(depth)) for actor, depth in reply.inboxes.items()]
    for actor, counters in reply.counters.items():
        rows += [(f"{actor}: {name.replace('_', ' ')}", str(number)) for name, number in counters.items()]
    print_line(table(rows))


_LOW, _HIGH = WORK_BITS_RANGE

ENTRIES: Final = (
    Entry(
        "node run", "run a node until it is stopped", run,
        (option("--mixnet", metavar="MIXNET", help="the node's mixnet, remembered: nym for a client in this process, or"
                " a nym-client as ws://127.0.0.1:1977"),
         option("--store", metavar="URL", help="keep the node's store in PostgreSQL, remembered:"
                " postgresql://user@host/database; default: a file in the home"),
         option("--workers", metavar="N", help=f"run so many processes of the node, {WORKERS_RANGE[0]} to"
                f" {WORKERS_RANGE[1]}, each with a mixnet client of its own; more than one need --store"),
         option("--former-mixnet", dest="former_mixnets", action="append", metavar="MIXNET", help="a mixnet client at"
                " an address from before a move: clients that still use it receive the new one"),
         option("--work-bits", metavar="BITS", help=f"proof of work for a registration, {_LOW} to {_HIGH}"),
         option("--metrics-port", metavar="PORT", help="serve Prometheus metrics on this port of 127.0.0.1; default:"
                " none")),
        "node", (NodeUpJson, MixnetUpJson, MixnetDownJson, WorkerStartedJson, WorkerEndedJson),
    ),
    Entry("node card", "print the running node's card",
          lambda typed: typed.show(ask_node(typed, CardCommand()), "{reply.card}"), (), "node", (CardReply,)),
    Entry("node status", "show the running node's counters",
          lambda typed: typed.show(ask_node(typed, StatusCommand()), _print_status), (), "node", (StatusReply,)),
    Entry("node drain", "end this worker of a node that has several, after its users have gone to the others",
          lambda typed: typed.show(ask_node(typed, DrainCommand()), "the worker ends; users that had not gone yet:"
                                   " {reply.routes}"), (), "node", (DrainReply,)),
)  # fmt: skip
