"""Whether a node's store is sound: SQLite's own check, and what must hold between its rows whatever happened.

It only reads, and reads one consistent state of the store, also while the node runs. Its report names rows by their
numbers, never by their content.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usernym.directory_check import directory_problems
from usernym.protocol.cards import decode_card
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import ID_BYTES, MAILBOX_S, SEED_BYTES
from usernym.protocol.names import check, skeleton
from usernym.protocol.records import KeyRecord, decode_record, decode_succession, verify_chain, verify_record_in_chain
from usernym.protocol.signing import SigningKey
from usernym.storage.integrity import ReadOnlyStore, file_problems
from usernym.storage.node.mail import NoticeKind, mail_of, notice_tells
from usernym.storage.node.notices import Notice
from usernym.storage.node.schema import NODE_SCHEMA

PROBLEMS_MAX: Final = 100
"""Problems that are listed; beyond that only their number."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong: sentences, at most `PROBLEMS_MAX`; `found` is how many there are."""

    accounts: int
    messages: int
    notices: int
    found: int
    problems: list[str]
    rows_checked: bool = True
    """False for a store of an older schema: only its file was looked at."""


def check_store(path: Path, key: bytes | None = None) -> Checked:
    """Check the node's store at `path`; `key` opens an encrypted copy.

    Raises `StorageError`s for a file that can't be read at all.
    """
    with ReadOnlyStore(path, key) as store:
        problems = file_problems(store, NODE_SCHEMA)
        current = store.number("PRAGMA user_version") == NODE_SCHEMA.version
        if not problems and current:
            problems += _rows_problems(store)
        if problems:
            return Checked(0, 0, 0, len(problems), problems[:PROBLEMS_MAX])
        if not current:
            return Checked(0, 0, 0, 0, [], rows_checked=False)
        return Checked(
            store.number("SELECT count(*) FROM account WHERE deleted_until IS NULL"),
            store.number("SELECT count(*) FROM mail"),
            store.number("SELECT count(*) FROM notice"),
            0,
            [],
        )


def _rows_problems(store: ReadOnlyStore) -> Iterator[str]:
    node = None
    for (seed,) in store.rows("SELECT seed FROM node_identity"):
        if len(seed) != SEED_BYTES:
            yield "the node's key has not 32 bytes"
            return
        node = SigningKey.from_seed(seed).public
    yield from _card_problems(store, node)
    if node is None:
        if store.number("SELECT count(*) FROM account"):
            yield "there are accounts, but the node's key is gone"
        return
    yield from _account_problems(store, node)
    yield from _mail_problems(store)
    yield from _mailbox_problems(store)
    yield from _notice_problems(store)
    yield from directory_problems(store, node)
    counted = store.number("SELECT rows FROM remembered_count")
    if counted != store.number("SELECT count(*) FROM remembered"):
        yield f"the count of remembered requests ({counted}) is not how many there are"


def _card_problems(store: ReadOnlyStore, node: bytes | None) -> Iterator[str]:
    for sequence, blob in store.rows("SELECT sequence, blob FROM node_card"):
        try:
            card = decode_card(blob)
        except RemoteProtocolError:
            yield "the node's card is damaged"
            continue
        if card.node != node:
            yield "the node's card is not signed by the node's key"
        if card.sequence != sequence:
            yield f"the node's card has the sequence {card.sequence}, and is stored under {sequence}"


_ACCOUNTS: Final = """
    SELECT row_number() OVER (ORDER BY name), name, skeleton, skeleton_version, identity_key, record, record_number,
        hpke_number
    FROM account
"""
_KEYS: Final = "SELECT number FROM hpke_number WHERE name = ? AND superseded_at IS NULL"
_LINKS: Final = "SELECT generation, blob FROM link WHERE name = ? ORDER BY generation"


def _account_problems(store: ReadOnlyStore, node: bytes) -> Iterator[str]:
    for row, name, shape, version, identity, blob, number, key_number in store.rows(_ACCOUNTS):
        where = f"account, row {row}"
        try:
            check(name)
            record = decode_record(blob)
        except RemoteProtocolError as error:
            yield f"{where}: its name or its record is damaged ({error.code.name.lower()})"
            continue
        if version == 1 and shape != skeleton(name):
            yield f"{where}: what it looks like is not stored as it is computed"
        if (record.identity_key, record.number, record.hpke_number) != (identity, number, key_number):
            yield f"{where}: its columns differ from its record"
        if [each for (each,) in store.rows(_KEYS, (name,))] != [key_number]:
            yield f"{where}: its current message key is not the one key that is not superseded"
        yield from _chain_problems(store, node, name, record, where)


def _chain_problems(store: ReadOnlyStore, node: bytes, name: str, record: KeyRecord, where: str) -> Iterator[str]:
    links = list(store.rows(_LINKS, (name,)))
    if [generation for generation, _ in links] != list(range(len(links))):
        yield f"{where}: its chain of identities has gaps"
        return
    try:
        chain = tuple(decode_succession(blob) for _, blob in links)
        verify_chain(node, name, chain)
        verify_record_in_chain(node, name, chain, record)
    except RemoteProtocolError as error:
        yield f"{where}: its record, or its chain of identities, does not hold ({error.code.name.lower()})"


def _mail_problems(store: ReadOnlyStore) -> Iterator[str]:
    sql = "SELECT number, sender, recipient, message_id, blob, size, accepted_at, expires_at FROM mail"
    for row, sender, recipient, message_id, blob, size, accepted_at, expires_at in store.rows(sql):
        where = f"message, row {row}"
        try:
            check(sender)
            check(recipient)
            mail_of(blob)
        except RemoteProtocolError as error:
            yield f"{where}: it is damaged ({error.code.name.lower()})"
        if size != len(blob) or len(message_id) != ID_BYTES:
            yield f"{where}: its size is not as it is stored"
        if expires_at - accepted_at != MAILBOX_S:
            yield f"{where}: it does not end {MAILBOX_S // 86_400} days after it was accepted"


_COUNTED: Final = """
    SELECT id, mailbox.messages, mailbox.size, count(mail.size), CAST(coalesce(sum(mail.size), 0) AS BIGINT)
    FROM mailbox LEFT JOIN mail ON mail.recipient = mailbox.name GROUP BY id, mailbox.messages, mailbox.size
"""


def _mailbox_problems(store: ReadOnlyStore) -> Iterator[str]:
    for row, messages, size, waiting, bytes_waiting in store.rows(_COUNTED):
        if (messages, size) != (waiting, bytes_waiting):
            yield f"mailbox, row {row}: its counts ({messages}, {size}) are not what waits ({waiting}, {bytes_waiting})"
    uncounted = store.number("SELECT count(*) FROM mail WHERE recipient NOT IN (SELECT name FROM mailbox)")
    if uncounted:
        yield f"{uncounted} messages wait that no mailbox counts"


def _notice_problems(store: ReadOnlyStore) -> Iterator[str]:
    for row in store.rows("SELECT id, account, kind, blob, created_at, expires_at FROM notice"):
        notice = Notice(*row)
        try:
            check(notice.account)
            NoticeKind(notice.kind)
            notice_tells([notice], bytes(ID_BYTES))
        except (RemoteProtocolError, ValueError):
            yield f"notice, row {notice.id}: it is damaged"
