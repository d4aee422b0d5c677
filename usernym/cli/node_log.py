"""The log of a node's directory: `usernym node log export` and `recover`, and `usernym node witness`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym import control
from usernym.cli.command import Deadline, Entry, Invocation, NodeCommand, option, switch
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.node import remembered
from usernym.cli.replies import reply_of
from usernym.cli.session import ask_holder
from usernym.cli.terminal import print_line
from usernym.settings import NODE_STORE_NAME, NodeSettings, absolute_path, card_argument

if TYPE_CHECKING:
    from usernym import Node
    from usernym.node_witnesses import WitnessStatus


class LogExportedReply(msgspec.Struct, frozen=True):
    """The log as a folder of files."""

    folder: str
    epochs: int
    files_written: int
    """Files that the folder did not have before; the others stay as they are."""


class LogExportCommand(NodeCommand[LogExportedReply], frozen=True, tag="node log export"):
    """Write the log into this folder."""

    folder: str

    def perform(self, node: Node, _deadline: Deadline, /) -> LogExportedReply:
        exported = node.export_log(self.folder)
        return LogExportedReply(self.folder, exported.epochs, exported.files_written)


def export(typed: Invocation[NodeSettings]) -> None:
    """`usernym node log export FOLDER`, whether the node runs or not."""
    folder: Path = absolute_path(typed.given.folder)
    try:
        reply = ask_holder(typed.home, LogExportCommand(str(folder)), Deadline(typed.settings.timeout))
    except control.NoHolder:
        reply = _exported_here(typed, folder)
    typed.show(reply, _print_exported)


def _exported_here(typed: Invocation[NodeSettings], folder: Path) -> LogExportedReply:
    from usernym.directory_export import export_log
    from usernym.node import opened_store
    from usernym.storage.locks import Home
    from usernym.storage.node.head_mark import FileMark

    url = _store_of(typed)
    with Home(typed.home, "node log export"), opened_store(typed.home, url) as store:
        exported = export_log(store, FileMark(typed.home), folder)
    return LogExportedReply(str(folder), exported.epochs, exported.files_written)


def _store_of(typed: Invocation[NodeSettings]) -> str | None:
    """Where the store of the home's node is: the URL, or None for its file. Raises if the home has no node."""
    from usernym.node import STORE_NAME

    url = typed.settings.store or remembered(typed.home, NODE_STORE_NAME)
    if url is None and not (typed.home / STORE_NAME).exists():
        raise CommandFailed(Exit.STORAGE, "storage", f"there is no node in {typed.home}: --home names another folder")
    return url


def _print_exported(reply: LogExportedReply, _given: Namespace) -> None:
    print_line(f"the log has {reply.epochs} epochs; {reply.files_written} files are new in {reply.folder}")


class LogRecoveredReply(msgspec.Struct, frozen=True):
    """The log has all that the node has signed."""

    epochs_before: int
    epochs: int


def recover(typed: Invocation[NodeSettings]) -> None:
    """`usernym node log recover FOLDER`."""
    from usernym.directory_recovery import recover_from
    from usernym.protocol.directory.faults import DirectoryInvalid

    folder: Path = absolute_path(typed.given.folder)
    try:
        before, size = recover_from(folder, typed.home, _store_of(typed))
    except DirectoryInvalid as invalid:
        raise CommandFailed(Exit.REFUSED, "log_invalid", str(invalid)) from None
    typed.show(LogRecoveredReply(before, size), _print_recovered)


def _print_recovered(reply: LogRecoveredReply, _given: Namespace) -> None:
    print_line(f"the log had {reply.epochs_before} epochs, and has {reply.epochs} now: the node can sign again")


class WitnessJson(msgspec.Struct, frozen=True):
    """A node with which this one exchanges signatures."""

    node: str
    """Its identity, 64 digits."""
    signed_by_it: int
    """How many epochs the newest head of this node has that it has signed; 0 for none."""
    signed_for_it: int
    """How many epochs the newest head of its log has that this node has signed; 0 for none."""
    checked: int | None
    """How many epochs of its log this node has read and checked; null if it signs without that."""
    evidence: str | None
    """Proof that it has shown two histories, if it has; `usernym evidence check` reads it."""


class NodeWitnessesReply(msgspec.Struct, frozen=True):
    """All nodes with which this one exchanges signatures to the heads of their logs."""

    witnesses: list[WitnessJson]


class WitnessCommand(NodeCommand[NodeWitnessesReply], frozen=True, tag="node witness"):
    """Exchange signatures with the node of this card, or end that, or only show."""

    card: str
    remove: bool
    check: bool

    def perform(self, node: Node, _deadline: Deadline, /) -> NodeWitnessesReply:
        return _witnesses(node.exchange_signatures(self.card, remove=self.remove, check=self.check))


def _witnesses(found: list[WitnessStatus]) -> NodeWitnessesReply:
    return NodeWitnessesReply([reply_of(WitnessJson, each) for each in found])


def witness(typed: Invocation[NodeSettings]) -> None:
    """`usernym node witness [CARD]`, whether the node runs or not."""
    given: str | None = typed.given.card
    if given is None and typed.given.remove:
        raise CommandFailed(Exit.USAGE, "settings", "name the card of the node that is to be removed")
    card = "" if given is None else card_argument(given)
    command = WitnessCommand(card, typed.given.remove, typed.given.check)
    try:
        reply = ask_holder(typed.home, command, Deadline(typed.settings.timeout))
    except control.NoHolder:
        reply = _witness_here(typed, card)
    typed.show(reply, _print_witnesses)


def _witness_here(typed: Invocation[NodeSettings], card: str) -> NodeWitnessesReply:
    from usernym.node import opened_store
    from usernym.node_witnesses import exchange
    from usernym.storage.locks import Home

    url = _store_of(typed)
    with Home(typed.home, "node witness"), opened_store(typed.home, url) as store:
        return _witnesses(exchange(store, card, remove=typed.given.remove, check=typed.given.check))


def _print_witnesses(reply: NodeWitnessesReply, _given: Namespace) -> None:
    if not reply.witnesses:
        print_line("this node exchanges signatures with no other node: `usernym node witness CARD` names one")
    for each in reply.witnesses:
        ours = f"signed this node's log up to epoch {each.signed_by_it}" if each.signed_by_it else "signed nothing yet"
        theirs = f"epoch {each.signed_for_it} of its log" if each.signed_for_it else "nothing of its log"
        checked = "" if each.checked is None else f", and has checked {each.checked} epochs"
        print_line(f"{each.node}: {ours}; this node signed {theirs}{checked}")
        if each.evidence is not None:
            print_line(f"IT HAS SHOWN TWO HISTORIES, and this proves it (usernym evidence check): {each.evidence}")


ENTRIES: Final = (
    Entry("node log export", "write the directory's log as files that any web server serves", export,
          (option("folder", type=Path, metavar="FOLDER", help="a folder for it: what is missing there is written"),),
          "node", (LogExportedReply,)),
    Entry("node log recover", "let a node whose store is older than its log continue the log, from an export", recover,
          (option("folder", type=Path, metavar="FOLDER", help="the newest export of the log"),),
          "node", (LogRecoveredReply,)),
    Entry("node witness", "sign the log of another node, which does the same for this one; or show how that is",
          witness, (option("card", metavar="CARD", nargs="?", help="the other node's card: its text, or a file"),
                    switch("--check", "read and check all that changes in its log before it is signed"),
                    switch("--remove", "exchange no signatures with it any more")), "node", (NodeWitnessesReply,)),
)  # fmt: skip
