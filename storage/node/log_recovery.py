"""A log is completed with the epochs that an older store does not have; docs/directory.md, "An older store"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from usernym.protocol.directory.epochs import decode_changes, decode_entry
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.records import decode_succession, record_hash
from usernym.storage.errors import LogRolledBack
from usernym.storage.node.epochs import EpochSigner, note_event
from usernym.storage.node.store import NodeStore

_LAST_LINKS: Final = """
    SELECT account.name, account.deleted_until IS NULL, link.blob FROM account, link
    WHERE link.name = account.name
        AND generation = (SELECT max(generation) FROM link AS later WHERE later.name = account.name)
"""
_ALIVE: Final = (DirectoryEvent.REGISTERED, DirectoryEvent.SUCCEEDED, DirectoryEvent.RETURNED)


def recover_log(
    store: NodeStore, signer: EpochSigner, entries: Sequence[bytes], changes: Callable[[int], bytes]
) -> int:
    """Complete the log with these entries and what they changed, all of which was audited; how many it had before.

    What the older store says otherwise of a name than the log's newest epochs becomes an event of the next epoch: the
    log has what the node answers. Raises `LogRolledBack` if the entries do not continue the store's.
    """

    def recover() -> int:
        known: dict[bytes, list[bytes]] = {}
        before = store.log.size()
        if before > len(entries) or any(each.entry != entries[each.number] for each in store.log.epochs(before)):
            raise LogRolledBack("this export does not continue the log of this node's store: take a newer one")
        for number in range(before, len(entries)):
            events = {change.label: change.added for change in decode_changes(changes(number))}
            if store.log.append(signer, events, decode_entry(entries[number]).made_at) != entries[number]:
                raise LogRolledBack(f"epoch {number} of this export is not one that this node has made")
            for label, added in events.items():
                known.setdefault(label, []).extend(added)
        if known:
            _settle(store, signer, known)
        store.log.let_sign()
        return before

    return store.commit(recover)


def _settle(store: NodeStore, signer: EpochSigner, known: dict[bytes, list[bytes]]) -> None:
    """Let what waits for an epoch be what the log does not say yet. Takes half a millisecond for each account."""
    node, database = signer.key.public, store.database
    database.run("DELETE FROM directory_change WHERE name NOT IN (SELECT name FROM account)")
    for name, is_alive, link in database.rows(_LAST_LINKS):
        events = known.get(label_of(signer.vrf, node, name))
        if events is None:
            continue
        # What waited has happened in the log, or before what has; the state counts that the store is in now.
        database.run("DELETE FROM directory_change WHERE name = ?", (name,))
        identity = record_hash(node, name, decode_succession(link).stub)
        kinds = _ALIVE if is_alive else (DirectoryEvent.DELETED,)
        if events[-1] not in [commitment(kind, identity) for kind in kinds]:
            note_event(database, name, kinds[0])
