"""Many clients, many messages, many lives: memory, threads and sockets stay where they were."""

import gc
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from nym_python_sdk import BlockingMixnetClient
from nym_python_sdk.testing import LocalNetwork

MIB = 1024 * 1024


def resident() -> int:
    """Bytes of memory that this process has."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_clients_and_a_hundred_thousand_messages_in_steady_memory() -> None:
    clients, rounds, burst = 50, 20, 100
    with LocalNetwork(delay_scale=0.0) as network:
        config = network.client_config()
        people = [BlockingMixnetClient(config).connect() for _ in range(clients)]
        seen: list[Counter[bytes]] = [Counter() for _ in people]
        lost = [0] * clients
        sizes = []
        for turn in range(rounds):

            def send(number: int, turn: int = turn) -> None:
                for at in range(burst):
                    target = people[(number + 1 + at % (clients - 1)) % clients]
                    people[number].send_plain(target.address, b"%d %d %d" % (turn, number, at))

            senders = [threading.Thread(target=send, args=(number,)) for number in range(clients)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            for number, person in enumerate(people):
                # By symmetry each gets as many as it sends. One that the SDK lost silently is waited for without success, once.
                while sum(seen[number].values()) < (turn + 1) * burst - lost[number]:
                    try:
                        seen[number][person.receive(20.0).data] += 1
                    except TimeoutError:
                        lost[number] = (turn + 1) * burst - sum(seen[number].values())
            sizes.append(resident())
        for number, person in enumerate(people):  # what was given up, and came after all
            while person.counts.waiting:
                seen[number][person.receive(1.0).data] += 1
        total = clients * rounds * burst
        came = sum(len(counter) for counter in seen)
        repeated = sum(count - 1 for counter in seen for count in counter.values())
        dropped = sum(person.counts.dropped for person in people)
        for person in people:
            person.disconnect()
    print(f"{came} of {total} messages, {dropped} dropped; resident MiB by round: {[size // MIB for size in sizes]}")
    assert (repeated, dropped) == (0, 0)
    # The SDK loses a new message whose random number it has seen: about one in two thousand million a message kept.
    assert total - came <= 3
    # It remembers every number it ever received, some tens of bytes each; a leaked message would be kilobytes.
    assert sizes[-1] - sizes[4] < 24 * MIB


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stored", [False, True])
def test_a_thousand_lives_leave_nothing_behind(tmp_path: Path, stored: bool) -> None:
    with LocalNetwork(delay_scale=0.0) as network:
        config = network.client_config()
        measured = []
        for life in range(1_000):
            with BlockingMixnetClient(config, storage=tmp_path / "client" if stored else None) as client:
                client.send_plain(client.address, b"x")
                assert client.receive(30.0).data == b"x"
            if life in (199, 999):
                time.sleep(1.0)  # the pool for blocking calls ends its idle threads; the network closes its sockets
                measured.append((open_files(), threads(), resident()))
    (files, tasks, memory), (files_after, tasks_after, memory_after) = measured
    print(f"open files {files} → {files_after}, threads {tasks} → {tasks_after}")
    print(f"MiB {memory / MIB:.1f} → {memory_after / MIB:.1f}")
    assert files_after <= files + 4
    assert tasks_after <= tasks + 4
    # The network itself keeps an account for each new identity, some kilobytes.
    assert memory_after - memory < 16 * MIB
