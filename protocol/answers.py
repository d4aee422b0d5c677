"""Answers to lookups with proof, verified as a whole. docs/directory.md, "Lookups with proof"."""

from __future__ import annotations

from usernym.protocol import messages as m
from usernym.protocol.directory.checkpoints import HeadTold, LogHead
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.proofs import MapProof, identity_of, verify_absent, verify_present
from usernym.protocol.errors import Code, RemoteProtocolError


def verify_shown(node: bytes, answer: m.Proved | m.Absent) -> LogHead:
    """The head of the log that the answer proves, about whatever name it is. Raises `RemoteProtocolError`."""
    if isinstance(answer, m.Proved):
        return verify_proved(node, answer.name, answer)
    return verify_absence(node, answer.name, answer)


def verify_proved(node: bytes, name: str, answer: m.Proved) -> LogHead:
    """The head of the log that has the record's identity under this name; the record's signature is not checked here.

    Raises `RemoteProtocolError(PROOF_INVALID)` for another name, or a proof that does not hold.
    """
    check_name(name, answer)
    try:
        identity = identity_of(node, name, answer.record, answer.origin)
        return verify_present(node, name, identity, answer.chain, answer.proof)
    except DirectoryInvalid as error:
        raise RemoteProtocolError(Code.PROOF_INVALID, str(error)) from None


def verify_absence(node: bytes, name: str, answer: m.Absent) -> LogHead:
    """The head of the log in which no one has this name. Raises `RemoteProtocolError(PROOF_INVALID)`."""
    check_name(name, answer)
    end = answer.other or answer.deletion
    if end is None or (answer.other and answer.deletion):
        raise RemoteProtocolError(Code.PROOF_INVALID, "an absence is shown in one way")
    try:
        return verify_absent(node, name, end, answer.proof)
    except DirectoryInvalid as error:
        raise RemoteProtocolError(Code.PROOF_INVALID, str(error)) from None


def signed_head(head: LogHead, proof: MapProof) -> HeadTold:
    """The head that a proof was verified with, and its signature."""
    return HeadTold(head.size, head.root, proof.head_signature)


def check_name(name: str, answer: m.Proved | m.Absent | m.Promised) -> None:
    """Raise `RemoteProtocolError(PROOF_INVALID)` for an answer about another name."""
    if answer.name != name:
        raise RemoteProtocolError(Code.PROOF_INVALID, "an answer about another name")
