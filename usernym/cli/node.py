"""The operator's commands: `usernym node run`, `card`, `status`, `drain`, `backup`, `restore`, `move` and `check`."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

import usernym
from usernym.cli.command import Deadline, Entry, Invocation, NodeCommand, option, switch
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import node_handler
from usernym.cli.replies import reply_of
from usernym.cli.session import WAITING, ask_node
from usernym.cli.signals import Stopping
from usernym.cli.terminal import print_err, print_err_marked, print_json, print_line, print_marked, sign_of_life, table
from usernym.log import fields
from usernym.logger import logger
from usernym.settings import (
    NODE_MIXNET_NAME,
    NODE_STORE_NAME,
    PASSPHRASE_VARIABLE,
    WORK_BITS_RANGE,
    WORKERS_RANGE,
    NodeSettings,
    absolute_path,
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
THIS_BACKUP: Final = "this backup"


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


# -- the store, beside the running node or without it -----------------------------------------------------------------


def _passphrase_of(folder: Path) -> str | None:
    """What opens the backup; None if it is not encrypted."""
    from usernym.cli.passphrases import passphrase_for
    from usernym.storage.backup import protection_of
    from usernym.storage.keyfile import Protection

    protection = protection_of(folder)
    if protection is Protection.NONE:
        return None
    return passphrase_for(protection, False, THIS_BACKUP, PASSPHRASE_VARIABLE)


class NodeBackupReply(msgspec.Struct, frozen=True):
    """A backup that was written."""

    backup: str
    """Its folder."""
    encrypted: bool
    holds: list[str]
    """Entries of the node's home that are in it."""
    not_held: list[str]
    """Mixnet clients of the node that have their identity elsewhere, and with it an address of the node."""


_HELD: Final = {
    "node.db": "the node's key and card, directory, mailboxes",
    "usernym.toml": "settings",
    NODE_MIXNET_NAME: "the mixnet that it last ran with",
}


def _check_file(typed: Invocation[NodeSettings]) -> None:
    """Raise if the home's store is no file."""
    if typed.settings.store or remembered(typed.home, NODE_STORE_NAME):
        text = "the node's store is in PostgreSQL, whose own programs do that (see docs/operations.md)"
        raise CommandFailed(Exit.USAGE, "settings", text)


def backup(typed: Invocation[NodeSettings]) -> None:
    """`usernym node backup FOLDER`."""
    _check_file(typed)
    from usernym import node_backup
    from usernym.cli.passphrases import passphrase_for
    from usernym.node import STORE_NAME
    from usernym.storage.keyfile import Protection

    folder: Path = absolute_path(typed.given.folder)
    passphrase = passphrase_for(Protection.ABSENT, typed.given.no_passphrase, THIS_BACKUP, PASSPHRASE_VARIABLE)
    held = node_backup.back_up(typed.home, folder, passphrase)
    mixnets = (typed.settings.mixnet or remembered(typed.home, NODE_MIXNET_NAME), *typed.settings.former_mixnets)
    elsewhere = [mixnet for mixnet in mixnets if mixnet is not None and mixnet.startswith("ws://")]
    typed.show(NodeBackupReply(str(folder), passphrase is not None, [STORE_NAME, *held], elsewhere), _print_backup)


def _print_backup(reply: NodeBackupReply, _given: Namespace) -> None:
    how = "encrypted under its passphrase" if reply.encrypted else "NOT encrypted: it is all that a node is"
    print_line(f"backed up in {reply.backup} ({how}):")
    _print_held(reply.holds)
    for mixnet in reply.not_held:
        print_err_marked(f"NOT in it: the nym-client at {mixnet} and its identity, which is the node's address there;"
                         " back up that client's own folder")  # fmt: skip


def _print_held(names: list[str]) -> None:
    print_line(table([(name, _HELD.get(name, "a Nym client's identity: an address of the node")) for name in names]))


class MovedTable(msgspec.Struct, frozen=True):
    """A table of the store, the same in both places."""

    table: str
    rows: int
    sha256: str
    """Of its rows."""


class NodeMovedReply(msgspec.Struct, frozen=True):
    """The node's store is somewhere else now."""

    store: str
    """The database, or the file."""
    tables: list[MovedTable]


TO_HOME: Final = "home"


def move(typed: Invocation[NodeSettings]) -> None:
    """`usernym node move --to URL`, and back with `--to home`."""
    from usernym import node_move
    from usernym.node import STORE_NAME
    from usernym.storage.engine import name_of

    to: str | None = typed.given.to
    if to is None:
        raise CommandFailed(Exit.USAGE, "settings", "say where to: --to postgresql://user@host/database, or --to home")
    with sign_of_life(WAITING, quiet=typed.json):
        if to != TO_HOME:
            copied = node_move.move_to_database(typed.home, to)
        else:
            url = typed.settings.store or remembered(typed.home, NODE_STORE_NAME)
            if url is None:
                raise CommandFailed(Exit.USAGE, "settings", f"the node's store is in {typed.home} already")
            copied = node_move.move_to_file(typed.home, url)
            to = str(typed.home / STORE_NAME)
    tables = [MovedTable(each.table, each.rows, each.digest) for each in copied]
    typed.show(NodeMovedReply(name_of(to), tables), _print_moved)


def _print_moved(reply: NodeMovedReply, _given: Namespace) -> None:
    print_line(f"the node's store is {reply.store} now; the same in both places:")
    print_line(table([(each.table, f"{each.rows} rows, SHA-256 {each.sha256[:16]}…") for each in reply.tables]))


class RestoredReply(msgspec.Struct, frozen=True):
    """A node that was made from a backup."""

    home: str
    holds: list[str]
    """Entries of the home that came from the backup."""


def restore(typed: Invocation[NodeSettings]) -> None:
    """`usernym node restore FOLDER`."""
    from usernym import node_backup
    from usernym.node import STORE_NAME

    folder: Path = absolute_path(typed.given.folder)
    held = node_backup.restore(folder, typed.home, _passphrase_of(folder))
    typed.show(RestoredReply(str(typed.home), [STORE_NAME, *held]), _print_restored)


def _print_restored(reply: RestoredReply, _given: Namespace) -> None:
    print_line(f"restored in {reply.home}:")
    _print_held(reply.holds)
    print_err(
        'What the node did after this backup is not in it: docs/backup.md, "An older state", says what that means.'
    )
    print_err("If the node ran within the last half hour, wait half an hour after its end before you start it.")


class CheckReply(msgspec.Struct, frozen=True):
    """A store without damage; any other is a failure with `problems` (sentences) and `found` (their number)."""

    sound: Literal[True]
    rows_checked: bool
    """Whether its rows were checked; those that an older version wrote are not."""
    accounts: int
    messages: int
    notices: int
    holds: list[str]
    """Of a backup: entries of the node's home that are in it. Else empty."""


def check(typed: Invocation[NodeSettings]) -> None:
    """`usernym node check [FOLDER]`."""
    from usernym import node_backup
    from usernym.node import STORE_NAME
    from usernym.node_check import check_store
    from usernym.storage.backup import read_backup_key
    from usernym.storage.errors import StoreCorrupt

    folder: Path | None = typed.given.folder
    key, holds = None, []
    if folder is None:
        _check_file(typed)
    else:
        folder = absolute_path(folder)
        key = read_backup_key(folder, _passphrase_of(folder))
    path = (folder or typed.home) / STORE_NAME
    try:
        with sign_of_life(WAITING, quiet=typed.json):
            checked = check_store(path, key)
            if folder is not None and not checked.found:
                holds = [STORE_NAME, *node_backup.parts_held(folder, key)]
    except StoreCorrupt as error:
        raise CommandFailed(Exit.STORAGE, "store_damaged", str(error), {"problems": [str(error)], "found": 1}) from None
    if checked.found:
        if not typed.json:
            for problem in checked.problems:
                print_marked(problem)
        text = f"{path} is damaged ({checked.found} problems): keep the file as it is, and restore a backup elsewhere"
        raise CommandFailed(Exit.STORAGE, "store_damaged", text, {"problems": checked.problems, "found": checked.found})

    def say(reply: CheckReply, _given: Namespace) -> None:
        counts = f"{reply.accounts} accounts, {reply.messages} messages, {reply.notices} notices"
        old = f"the file {path} is sound; an older version wrote it, its rows were not checked"
        print_line(f"{path} is sound: {counts}" if reply.rows_checked else old)
        if reply.holds:
            _print_held(reply.holds)

    typed.show(reply_of(CheckReply, checked, sound=True, holds=holds), say)


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
    Entry("node backup", "copy all that the node is, while it runs or not, encrypted unless --no-passphrase is given",
          backup, (option("folder", type=Path, metavar="FOLDER", help="a new folder for it"),
                   switch("--no-passphrase", "choose not to encrypt it")), "node", (NodeBackupReply,)),
    Entry("node restore", "make a node from a backup, in a home that has none", restore,
          (option("folder", type=Path, metavar="FOLDER", help="the backup"),), "node", (RestoredReply,)),
    Entry("node move", "move the store of a node that does not run into PostgreSQL, or back into its home", move,
          (option("--to", metavar="URL", help="a new database, as postgresql://user@host/database; or home"),
           option("--store", metavar="URL", help="the database that it is in; default: where it was last")),
          "node", (NodeMovedReply,)),
    Entry("node check", "check the node's store, or a backup, for damage", check,
          (option("folder", type=Path, metavar="FOLDER", nargs="?", help="a backup; default: the home's store"),),
          "node", (CheckReply,)),
)  # fmt: skip
