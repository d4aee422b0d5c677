"""The log of a node's directory: `usernym node log export` and `recover`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym import control
from usernym.cli.command import Deadline, Entry, Invocation, NodeCommand, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.node import remembered
from usernym.cli.session import ask_holder
from usernym.cli.terminal import print_line
from usernym.settings import NODE_STORE_NAME, NodeSettings, absolute_path

if TYPE_CHECKING:
    from usernym import Node


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


ENTRIES: Final = (
    Entry("node log export", "write the directory's log as files that any web server serves", export,
          (option("folder", type=Path, metavar="FOLDER", help="a folder for it: what is missing there is written"),),
          "node", (LogExportedReply,)),
    Entry("node log recover", "let a node whose store is older than its log continue the log, from an export", recover,
          (option("folder", type=Path, metavar="FOLDER", help="the newest export of the log"),),
          "node", (LogRecoveredReply,)),
)  # fmt: skip
