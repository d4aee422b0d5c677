"""`usernym audit`: whether the log of a node's directory holds, and what changed in it."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.command import Entry, Invocation, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.terminal import print_line, sign_of_life
from usernym.settings import (
    BYTE_ORDER_MARK,
    CARD_PREFIX,
    CommonSettings,
    absolute_path,
    card_argument,
    user_path,
)

if TYPE_CHECKING:
    from usernym.protocol.cards import NodeCard
    from usernym.protocol.directory.checkpoints import LogHead
    from usernym.protocol.directory.faults import LogForked

FOLDER_DIGITS: Final = 16
"""Of a node's identity, in the name of the folder with its log."""


class AuditedEpochJson(msgspec.Struct, frozen=True):
    """What an epoch changed."""

    epoch: int
    made_at: int
    """The node's time, in Unix seconds."""
    new_names: int
    changed_names: int
    """Names with a new identity, and names that were deleted or taken back."""


class AuditReply(msgspec.Struct, frozen=True):
    """A log that holds; any other is a failure. For `log_forked` it has both signed heads, `first` and `second`."""

    node: str
    """The node's identity, 64 digits."""
    epochs: int
    names: int
    """Names that were ever registered."""
    root: str
    """The log's root, 64 digits."""
    checked_before: int
    """Epochs at the last audit; 0 if there was none."""
    changes: list[AuditedEpochJson]
    """Of the epochs since then."""
    witnesses: list[str]
    """Nodes that have signed the log's newest head, by their identities."""
    signed_days: int
    """Days of which the node has signed a head with ML-DSA-44, too."""
    folder: str
    """The folder that has the log."""
    seen: str
    """The file that has the head, for the next audit."""


def audit(typed: Invocation[CommonSettings]) -> None:
    """`usernym audit FOLDER`, or `usernym audit CARD`."""
    from usernym.directory_audit import audit_log
    from usernym.protocol.directory.days import DAY_KEY, DAYS
    from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
    from usernym.storage.files import write_private

    witnesses = _witnesses(typed)
    folder = _folder(typed, witnesses)
    seen = absolute_path(typed.given.seen) if typed.given.seen is not None else folder.with_name(f"{folder.name}.seen")
    seen_key = seen.with_name(f"{seen.name}-key")
    known, known_key = _read(seen), _read(seen_key)
    try:
        found = audit_log(folder, known)
    except LogForked as fork:
        raise _forked(fork, seen if fork.first == known else folder / DAYS, folder / "checkpoint") from None
    except DirectoryInvalid as invalid:
        raise _invalid(str(invalid)) from None
    _check_node(typed, found.head.node)
    signers = _check_witnesses(witnesses, found.checkpoint, found.head)
    if found.day_key is not None and found.day_key != known_key:
        if known_key is not None:
            text = f"the key in {folder / DAY_KEY} is another one than at an earlier audit, in {seen_key}"
            raise CommandFailed(Exit.REFUSED, "log_invalid", text)
        write_private(seen_key, found.day_key, replace=True)
    if found.checkpoint != known:
        write_private(seen, found.checkpoint, replace=True)
    changes = [AuditedEpochJson(each.number, each.made_at, each.new_names, each.changed_names) for each in found.epochs]
    reply = AuditReply(
        found.head.node.hex(),
        found.head.size,
        found.names,
        found.head.root.hex(),
        found.known_before,
        changes,
        sorted(each.hex() for each in signers),
        found.signed_days,
        str(folder),
        str(seen),
    )
    typed.show(reply, _print_audit)


def _folder(typed: Invocation[CommonSettings], witnesses: frozenset[bytes]) -> Path:
    """The folder with the log: the one that was given, or a copy of the log of the node whose card was given, brought
    up to what the node has now."""
    from usernym.protocol.cards import parse_card

    given: str = typed.given.log
    if not given.removeprefix(BYTE_ORDER_MARK).startswith(CARD_PREFIX) and not user_path(given).is_file():
        if typed.given.into is not None or typed.given.mixnet is not None:
            text = "--mixnet and --into are for a log that is read from a node: name its card, or a file that has it"
            raise CommandFailed(Exit.USAGE, "settings", text)
        return absolute_path(given)
    card = parse_card(card_argument(given))
    if typed.given.mixnet is None:
        text = "reading a node's log needs --mixnet: see `usernym audit --help`"
        raise CommandFailed(Exit.USAGE, "settings", text)
    _check_node(typed, card.node)
    folder = absolute_path(typed.given.into or card.node.hex()[:FOLDER_DIGITS])
    _copy(typed, card, folder, witnesses)
    return folder


def _copy(typed: Invocation[CommonSettings], card: NodeCard, folder: Path, witnesses: frozenset[bytes]) -> None:
    from usernym.cli.session import WAITING
    from usernym.directory_copy import LogCopy, fork_of
    from usernym.finder import Finder
    from usernym.protocol.directory.faults import DirectoryInvalid, LogForked

    with (
        Finder.open(node=card, mixnet=typed.given.mixnet) as finder,
        sign_of_life(WAITING, quiet=typed.json) as say,
    ):
        copy = LogCopy(finder, typed.settings.timeout, lambda read, of: say(f"{read} of {of} epochs are read"))
        try:
            copy.bring_up(folder, witnesses)
        except LogForked as fork:
            raise _forked(fork, folder, fork_of(folder)) from None
        except DirectoryInvalid as invalid:
            raise _invalid(str(invalid)) from None


def _forked(fork: LogForked, first: Path, second: Path) -> CommandFailed:
    extra = {"first": fork.first.decode(), "second": fork.second.decode()}
    return CommandFailed(Exit.REFUSED, "log_forked", f"{fork}. {first} and {second} prove it: keep both", extra)


def _invalid(text: str) -> CommandFailed:
    return CommandFailed(Exit.REFUSED, "log_invalid", text)


def _read(seen: Path) -> bytes | None:
    """What an earlier audit has kept there; None if there is nothing."""
    from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX
    from usernym.storage.files import file_errors

    with file_errors(seen):
        if not seen.exists():
            return None
        with seen.open("rb") as file:
            return file.read(CHECKPOINT_BYTES_MAX + 1)


def _check_node(typed: Invocation[CommonSettings], node: bytes) -> None:
    """Raise unless the log is that of the node whose card was given with --node."""
    from usernym.protocol.cards import parse_card

    given: str | None = typed.given.card
    if given is not None and parse_card(card_argument(given)).node != node:
        raise _invalid("the log is another node's than the one of this card")


def _witnesses(typed: Invocation[CommonSettings]) -> frozenset[bytes]:
    """The nodes whose cards were given as those of witnesses."""
    from usernym.protocol.cards import parse_card

    cards: list[str] = typed.given.witness_cards or []
    return frozenset(parse_card(card_argument(card)).node for card in cards)


def _check_witnesses(witnesses: frozenset[bytes], checkpoint: bytes, head: LogHead) -> frozenset[bytes]:
    """Who has signed the head. Raises unless all of these nodes have."""
    from usernym.protocol.directory.witnesses import signers_of

    signers = signers_of(checkpoint, head)
    if missing := witnesses - signers:
        text = f"{len(missing)} of the witnesses that were named have not signed the newest head of the log"
        raise CommandFailed(Exit.REFUSED, "log_not_witnessed", text)
    return signers


def _print_audit(reply: AuditReply, _given: Namespace) -> None:
    for each in reply.changes:
        when = _time_text(each.made_at)
        print_line(f"epoch {each.epoch}, {when}: {each.new_names} new names, {each.changed_names} changed")
    print_line(f"the log of node {reply.node} holds, in {reply.folder}: {reply.epochs} epochs, {reply.names} names")
    for witness in reply.witnesses:
        print_line(f"node {witness} has signed it, too")
    if reply.signed_days:
        print_line(f"heads of {reply.signed_days} days are signed with ML-DSA-44, too")
    if reply.checked_before:
        print_line(f"it continues the {reply.checked_before} epochs that were checked before")


def _time_text(unix_s: int) -> str:
    """A time (UTC), if there is such a time: the number may be anything."""
    try:
        return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "an impossible time"


ENTRIES: Final = (
    Entry("audit", "check the log of a node's directory, and show what changed since the last time", audit,
          (option("log", metavar="FOLDER|CARD", help="the log's files, as `node log export` writes them; or the card of"
                  " a node (its text, or a file), whose log is read over the mixnet"),
           option("--mixnet", metavar="MIXNET", help="to read the log from the node: nym for a client in this process,"
                  " or a nym-client as ws://127.0.0.1:1978"),
           option("--into", type=Path, metavar="FOLDER", help="where the log is kept that is read from a node; the next"
                  " audit reads what is new; default: a folder here, named by the node's first 16 digits"),
           option("--node", dest="card", metavar="CARD", help="the node's card: its text, or a file; the log must be"
                  " that node's"),
           option("--witness", dest="witness_cards", action="append", metavar="CARD", help="the card of a node that"
                  " must have signed the log's newest head, too"),
           option("--seen", type=Path, metavar="FILE", help="where the newest head is kept from one audit to the next;"
                  " default: FOLDER.seen, beside the folder")),
          "none", (AuditReply,)),
)  # fmt: skip
