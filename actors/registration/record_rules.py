"""Which record may come next for a name, by its account and its chain of identities.

A part of registration at the node; docs/protocol.md, "Registration and login" and "Publishing".
"""

from __future__ import annotations

from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.records import (
    NO_PREVIOUS,
    Authority,
    KeyRecord,
    Succession,
    decode_record,
    decode_succession,
    extend_chain,
    is_update,
    record_hash,
    verify_record,
    verify_record_in_chain,
)
from usernym.protocol.wire import pack
from usernym.storage.node.directory import Account, Directory


def free_again(account: Account, now: int) -> bool:
    """Whether a deleted name has been held back long enough."""
    return account.deleted_until is not None and account.deleted_until <= now


class RecordRules:
    """The rules of one node (`node` is its key) over its directory."""

    def __init__(self, node: bytes, directory: Directory) -> None:
        self._node = node
        self._directory = directory

    def check_registered(self, name: str, record: KeyRecord, account: Account | None) -> None:
        """Raise unless the record may start the name's chain, or follow in it where its owner takes the name back.

        `account`: the name's, if there is one, deleted or not.
        """
        verify_record(self._node, name, record)
        if account is None or account.identity_key != record.identity_key:
            if record.number != 1 or record.recoveries or record.previous != NO_PREVIOUS:
                raise RemoteProtocolError(Code.RECORD_INVALID, "not the first record of a name")
        elif record.number > account.record_number:
            self._check_update(name, decode_record(account.record), record, self._chain(name))

    def check_published(self, current: KeyRecord, publish: m.Publish) -> tuple[int, bytes] | None:
        """The chain's new link with its place, or None if the identity stays. Raises if the record may not follow."""
        name, record, succession = publish.name, publish.record, publish.succession
        verify_record(self._node, name, record)
        chain = self._chain(name)
        by_recovery = succession is not None and succession.authority is Authority.RECOVERY
        if record.number <= current.number and not by_recovery:
            # A recovery may go back behind the numbers that a thief used up.
            raise RemoteProtocolError(Code.RECORD_STALE, "not a newer record")
        if succession is None:
            self._check_update(name, current, record, chain)
            return None
        extended = extend_chain(self._node, name, chain, succession)
        verify_record_in_chain(self._node, name, extended, record)
        has_new_key = record.hpke_key != current.hpke_key and (by_recovery or record.hpke_number > current.hpke_number)
        if record.stub() != succession.stub or not has_new_key:
            raise RemoteProtocolError(Code.SUCCESSION_INVALID, "a succession comes with its own record and a new key")
        return len(extended) - 1, pack(succession)

    def _chain(self, name: str) -> tuple[Succession, ...]:
        return tuple(decode_succession(link.blob) for link in self._directory.links(name, 0))

    def _check_update(self, name: str, current: KeyRecord, record: KeyRecord, chain: tuple[Succession, ...]) -> None:
        """Raise unless the identity of `current` may put `record` in its place."""
        if not is_update(current, record):
            raise RemoteProtocolError(Code.SUCCESSION_INVALID, "a new identity needs a succession")
        if record.previous != record_hash(self._node, name, chain[-1].stub):
            raise RemoteProtocolError(Code.RECORD_INVALID, "does not name the record that set its identity")
