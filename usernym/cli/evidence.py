"""Evidence against a node: what this home has of it, and whether someone else's holds."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.command import ClientCommand, Deadline, Entry, Invocation, one_of, option
from usernym.cli.session import Session
from usernym.cli.terminal import print_line
from usernym.settings import ClientSettings, absolute_path

if TYPE_CHECKING:
    from usernym import Client

LINES_MAX: Final = 100
"""Pieces of evidence in one file to check: a home keeps 16."""


class FaultReply(msgspec.Struct, frozen=True):
    """Something that a node signed, and an honest node never signs."""

    node: str
    """The node's identity, 64 digits."""
    what: str
    """What it did, in words."""
    found_at: int | None
    """When this home found it; null for a file."""


class EvidenceReply(msgspec.Struct, frozen=True):
    """All the evidence, each piece verified."""

    faults: list[FaultReply]
    file: str | None
    """Where it was written to, or read from."""


class EvidenceCommand(ClientCommand[EvidenceReply], frozen=True, tag="evidence"):
    """Tell what evidence there is, and write it to a new file if one is named."""

    file: str | None

    def perform(self, client: Client, _deadline: Deadline, /) -> EvidenceReply:
        from usernym.storage.files import write_private

        found = client.evidence()
        if self.file is not None:
            lines = "".join(f"{each.text}\n" for each in found)
            write_private(Path(self.file), lines.encode(), replace=False)
        return EvidenceReply([FaultReply(each.node, each.what, each.found_at) for each in found], self.file)


def evidence(typed: Invocation[ClientSettings]) -> None:
    """`usernym evidence`."""
    if typed.given.check is not None:
        reply = _checked(typed.given.check)
    else:
        chosen = typed.given.export
        file = None if chosen is None else str(absolute_path(chosen))
        with Session(typed) as session:
            reply = session.call(EvidenceCommand(file))
    typed.show(reply, _print_evidence)


def _print_evidence(reply: EvidenceReply, given: Namespace) -> None:
    for fault in reply.faults:
        print_line(f"node {fault.node}: {fault.what}")
    if not reply.faults:
        print_line("there is no evidence against the node here")
    elif given.export is not None:
        print_line(f"written to {reply.file}; it may hold the names of people who wrote to you")


def _checked(path: Path) -> EvidenceReply:
    """What the lines of a file prove. Raises `RemoteProtocolError` if one of them proves nothing."""
    from usernym.protocol.evidence import EVIDENCE_TEXT_MAX, parse_evidence
    from usernym.storage.files import file_errors

    with file_errors(path), path.open("rb") as file:
        content = file.read(LINES_MAX * EVIDENCE_TEXT_MAX)
    found = [parse_evidence(line) for line in content.decode("ascii", errors="replace").splitlines() if line.strip()]
    return EvidenceReply([FaultReply(each.node.hex(), each.what, None) for each in found], str(path))


ENTRIES: Final = (
    Entry(
        "evidence", "what proves that the node is not honest, and whether such a proof holds", evidence,
        (one_of(option("--export", type=Path, metavar="FILE", help="write it to a new file, for others to check"),
                option("--check", type=Path, metavar="FILE", help="check the evidence in this file instead; no home is"
                       " needed")),),
        prints=(EvidenceReply,),
    ),
)  # fmt: skip
