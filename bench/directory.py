"""The directory's log with many names: an epoch of 100 changes, and an audit of the whole log."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from usernym.directory_audit import audit_log
from usernym.directory_export import export_log
from usernym.protocol import messages as m
from usernym.protocol.answers import verify_proved
from usernym.protocol.codec import encode_signed
from usernym.protocol.directory.events import DirectoryEvent
from usernym.protocol.directory.proofs import ChainEnd, OtherLeaf
from usernym.protocol.directory.shown import LogAsked, own_place, take_shown
from usernym.protocol.packets import reply_packets
from usernym.protocol.records import KeyRecord, first_record, first_succession, record_hash
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore

NAMES = 100_000
AT_ONCE = 20_000
CHANGES, TRIES = 100, 5
LOOKUPS = 1_000
DAY_EPOCHS = 1_440
NOW = 1_800_000_000


def directory_table(names: int = NAMES, lookups: int = LOOKUPS) -> str:
    """Seconds and bytes of what the log costs with so many names; the fastest try counts. So many random names are
    looked up, half of which are there."""
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
        made, verified = proof_costs(store, signer, mark, record)
        packets = answer_packets(store, signer, mark, record, lookups)
        shown, seen = login_costs(store, signer, mark, record)
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
        f" an audit of the whole export {audited:.1f} s; a proof is made in {1e3 * made:.2f} ms, verified in"
        f" {1e3 * verified:.2f} ms; of {packets.total():,} answers about random names, half of which are there,"
        f" {packets[1]:,} have one packet, {packets[2]:,} two, and {packets.total() - packets[1] - packets[2]:,} more;"
        f" what a login shows is made in"
        f" {1e3 * shown:.2f} ms, checked in {1e3 * seen:.2f} ms"
    )


def proof_costs(store: NodeStore, signer: EpochSigner, mark: FileMark, record: KeyRecord) -> tuple[float, float]:
    """Seconds to make and to verify an answer with its proof, on average."""
    node, answers = signer.key.public, []
    asked = [f"name_{number}_{each}" for number in range(TRIES) for each in range(CHANGES)]
    started = time.perf_counter()
    for name in asked:
        place = store.proofs.place_of(signer, mark, name)
        assert place is not None
        assert place.former is not None
        chain = ChainEnd(place.leaf.events, place.former, DirectoryEvent.REGISTERED)
        answers.append(m.Proved(bytes(8), name, record, None, chain, place.proof))
    made = time.perf_counter() - started
    started = time.perf_counter()
    for answer in answers:
        verify_proved(node, answer.name, answer)
    return made / len(asked), (time.perf_counter() - started) / len(asked)


def answer_packets(
    store: NodeStore, signer: EpochSigner, mark: FileMark, record: KeyRecord, lookups: int
) -> Counter[int]:
    """How many answers have so many packets."""
    chance, link, counts = random.Random(2), pack(first_succession(record)), Counter[int]()
    for start in range(0, lookups // 2, AT_ONCE):
        with store.transaction():
            for each in range(start, min(start + AT_ONCE, lookups // 2)):
                row = (f"there_{each}", link)
                store.database.run("INSERT INTO directory_change (name, event, link) VALUES (?, 1, ?)", row)
    while store.log.make_epoch(signer, mark, store.workers, NOW):
        pass
    for _ in range(lookups):
        name = f"{chance.choice(('there', 'gone'))}_{chance.randrange(max(1, lookups // 2))}"
        place = store.proofs.place_of(signer, mark, name)
        assert place is not None
        answer: m.Answer
        if place.former is None:
            other = OtherLeaf(place.leaf.label, place.leaf.events, place.leaf.head)
            answer = m.Absent(bytes(8), name, other, None, place.proof, place.cosignatures)
        else:
            chain = ChainEnd(place.leaf.events, place.former, DirectoryEvent.REGISTERED)
            answer = m.Proved(bytes(8), name, record, None, chain, place.proof, place.cosignatures)
        counts[reply_packets(len(encode_signed(answer, signer.key, signer.key.public)))] += 1
    return counts


def login_costs(store: NodeStore, signer: EpochSigner, mark: FileMark, record: KeyRecord) -> tuple[float, float]:
    """Seconds to make and to check what a login shows of a log that has grown by a day's epochs, on average."""
    node, asked = signer.key.public, LogAsked(0, 0, 1)
    name = "name_0_0"
    identity = record_hash(node, name, record.stub())
    first = store.proofs.shown(signer, mark, name, asked)
    assert first is not None
    assert first.leaf is not None
    seen = take_shown(node, None, asked, first)
    place = own_place(node, name, identity, seen, first.leaf, None)
    for number in range(DAY_EPOCHS):
        with store.transaction():
            store.log.append(signer, {number.to_bytes(32, "little"): [bytes(32)]}, NOW)
    asked = LogAsked(seen.log.size, 0, 0)
    started = time.perf_counter()
    shown = [store.proofs.shown(signer, mark, name, asked) for _ in range(CHANGES)]
    made = time.perf_counter() - started
    started = time.perf_counter()
    for each in shown:
        assert each is not None
        assert each.leaf is not None
        own_place(node, name, identity, take_shown(node, seen.log, asked, each), each.leaf, place)
    return made / CHANGES, (time.perf_counter() - started) / CHANGES


if __name__ == "__main__":
    sys.stdout.write(f"{directory_table(*map(int, sys.argv[1:]))}\n")
