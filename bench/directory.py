"""The directory's log with many names: an epoch of 100 changes, and an audit of the whole log."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from usernym.directory_audit import audit_log
from usernym.directory_export import export_log
from usernym.protocol.records import first_record, first_succession
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore

NAMES = 100_000
AT_ONCE = 20_000
CHANGES, TRIES = 100, 5
NOW = 1_800_000_000


def directory_table(names: int = NAMES) -> str:
    """Seconds and bytes of what the log costs with so many names; the fastest try counts."""
    with tempfile.TemporaryDirectory() as folder:
        home, chance = Path(folder), random.Random(1)
        store, mark = NodeStore.open(home / "node.db"), FileMark(home)
        key = SigningKey.from_seed(store.profile.identity_seed(chance.randbytes(32)))
        signer = EpochSigner.of(key)
        for start in range(0, names, AT_ONCE):
            # Labels are as good as random; making them of names would take half a millisecond each.
            events = {chance.randbytes(32): [chance.randbytes(32)] for _ in range(min(AT_ONCE, names - start))}
            with store.transaction():
                store.log.append(signer, events, NOW)
        record = first_record(key, SigningKey.from_seed(bytes(32)).public, key.public, "a_name", bytes(32), NOW)
        link = pack(first_succession(record))
        epochs = []
        for number in range(TRIES):
            with store.transaction():
                for each in range(CHANGES):
                    row = (f"name_{number}_{each}", link)
                    store.database.run("INSERT INTO directory_change (name, event, link) VALUES (?, 1, ?)", row)
            started = time.perf_counter()
            store.log.make_epoch(signer, mark, store.workers, NOW)
            epochs.append(time.perf_counter() - started)
        size = store.database.size()
        store.close()
        started = time.perf_counter()
        store = NodeStore.open(home / "node.db")
        first_head = store.log.give_out(mark)
        opened = time.perf_counter() - started
        assert first_head is not None
        export_log(store, mark, home / "log")
        store.close()
        started = time.perf_counter()
        audit_log(home / "log", first_head)
        audited = time.perf_counter() - started
    return (
        f"the directory's log with {names:,} names: an epoch of {CHANGES} changes {min(epochs):.3f} s;"
        f" the store {size / 2**20:,.0f} MiB; from opening it to the newest head {opened:.3f} s;"
        f" an audit of the whole export {audited:.1f} s"
    )


if __name__ == "__main__":
    sys.stdout.write(f"{directory_table(int(sys.argv[1]) if len(sys.argv) > 1 else NAMES)}\n")
