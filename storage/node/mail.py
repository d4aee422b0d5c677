"""How forwarding keeps what it carries: a message's parts in one mailbox row, a message's fate in one notice row."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Protocol

from usernym.protocol import messages as m
from usernym.protocol.wire import Id, Key, Name, Number, Signature, Token, Wire, decoder_of, pack, unpack


class Mail(Wire, frozen=True):
    """The parts of a `Forward` that its `Deliver` repeats, besides sender and message id; and the sender's identity key
    when the message was accepted, by which a statement about it can be verified."""

    key_number: Number
    sealed: m.Sealed
    inner_signature: Signature
    first_key: Key | None
    sender_key: Key


class NoticeKind(IntEnum):
    """What happened to a message."""

    DELIVERED = 1
    NOT_OPENED = 3


class _Proof(Wire, frozen=True):
    message_id: Id
    token: Token


class _Statement(Wire, frozen=True):
    recipient: Name
    message_id: Id
    statement: Signature


_mail: Final = decoder_of(Mail)
_proof: Final = decoder_of(_Proof)
_statement: Final = decoder_of(_Statement)


def mail_blob(forward: m.Forward, sender_key: bytes) -> bytes:
    """What the mailbox stores of a message that this identity key signed."""
    return pack(Mail(forward.key_number, forward.sealed, forward.inner_signature, forward.first_key, sender_key))


def mail_of(blob: bytes) -> Mail:
    """The stored parts again."""
    mail: Mail = unpack(_mail, blob)
    return mail


class StoredMail(Protocol):
    """A message as a store has it."""

    @property
    def sender(self) -> str:
        """Who handed it in."""

    @property
    def message_id(self) -> bytes:
        """Its id, 16 bytes."""

    @property
    def blob(self) -> bytes:
        """A `mail_blob`."""


def deliver_tell(row: StoredMail, login_id: bytes) -> m.Deliver:
    """The tell that carries a stored message; its counter is still 0."""
    mail = mail_of(row.blob)
    return m.Deliver(
        login_id, 0, row.sender, row.message_id, mail.key_number, mail.sealed, mail.inner_signature, mail.first_key
    )


def delivered_blob(message_id: bytes, token: bytes) -> bytes:
    """A `NoticeKind.DELIVERED`."""
    return pack(_Proof(message_id, token))


def not_opened_blob(recipient: str, message_id: bytes, statement: bytes) -> bytes:
    """A `NoticeKind.NOT_OPENED`."""
    return pack(_Statement(recipient, message_id, statement))


class StoredNotice(Protocol):
    """A notice as a store has it."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def kind(self) -> int:
        """A `NoticeKind`."""

    @property
    def blob(self) -> bytes:
        """One of the blobs above."""


def notice_tells(notices: Iterable[StoredNotice], login_id: bytes) -> list[tuple[list[int], m.Tell]]:
    """The fewest tells that carry these notices, each with the numbers it carries; their counters are still 0."""
    receipts: list[m.Receipt] = []
    tells: list[tuple[list[int], m.Tell]] = []
    for notice in notices:
        match NoticeKind(notice.kind):
            case NoticeKind.DELIVERED:
                proof: _Proof = unpack(_proof, notice.blob)
                receipts.append(m.Receipt(notice.id, proof.message_id, proof.token))
            case NoticeKind.NOT_OPENED:
                said: _Statement = unpack(_statement, notice.blob)
                tell = m.NotOpened(login_id, 0, notice.id, said.recipient, said.message_id, said.statement)
                tells.append(([notice.id], tell))
    if receipts:
        tells.insert(0, ([receipt.notice for receipt in receipts], m.Delivered(login_id, 0, tuple(receipts))))
    return tells
