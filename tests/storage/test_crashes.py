"""What is on the disk after a process was killed, or when there is no room."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from usernym.storage.client.store import ClientStore
from usernym.storage.node.store import NodeStore

Spawn = Callable[..., "Popen[str]"]

COMMIT_FOR_EVER = """
import itertools, sys
from pathlib import Path
from usernym.storage.node.store import NodeStore
store = NodeStore.open(Path(sys.argv[1]))
for group in itertools.count():
    with store.transaction():
        for part in range(5):
            store.mailbox.enqueue(sender="ann", recipient="bob", message_id=(5 * group + part).to_bytes(16, "big"),
                          blob=b"x" * 500, now=1, expires_at=9)
    print(group, flush=True)
"""

FILL = """
import resource, sys
from pathlib import Path
from usernym.storage.errors import StoreFull
from usernym.storage.node.store import NodeStore
path = Path(sys.argv[1])
store = NodeStore.open(path)

def enqueue(number, size):
    store.mailbox.enqueue(sender="ann", recipient="bob", message_id=number.to_bytes(16, "big"), blob=b"x" * size,
                  now=1, expires_at=9)

enqueue(1, 10)
no_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
largest = max(each.stat().st_size for each in path.parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 3000, no_limit[1]))
for attempt in ("alone", "in a group"):
    try:
        if attempt == "alone":
            enqueue(2, 3_000_000)
        else:
            with store.transaction():
                enqueue(3, 10)
                enqueue(4, 3_000_000)
    except StoreFull as error:
        print(attempt, "full:", "room" in str(error), store.counts().messages, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)
enqueue(5, 3_000_000)
print("afterwards", store.counts().messages, flush=True)
"""


@pytest.mark.processes
@pytest.mark.parametrize("groups", [1, 40, 150])
def test_killed_amid_commits_all_that_was_acknowledged_is_there(tmp_path: Path, spawn: Spawn, groups: int) -> None:
    path = tmp_path / "node.db"
    process = spawn(COMMIT_FOR_EVER, path)
    assert process.stdout is not None
    said = [int(line) for line in itertools.islice(process.stdout, groups)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    said += [int(line) for line in process.stdout.read().splitlines()]
    store = NodeStore.open(path)
    found = [int.from_bytes(row.message_id, "big") for row in store.mailbox.waiting("bob", 10**6)]
    assert store.problems() == []
    assert len(said) >= groups
    assert found == list(range(len(found))), "in order, without holes"
    assert len(found) % 5 == 0, "a group is there as a whole or not at all"
    assert len(found) // 5 in (len(said), len(said) + 1), "at most the commit under way was not told any more"
    store.close()


@pytest.mark.processes
def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path, spawn: Spawn) -> None:
    path = tmp_path / "node.db"
    process = spawn(FILL, path)
    output, _ = process.communicate()
    assert output.splitlines() == ["alone full: True 1", "in a group full: True 1", "afterwards 2"]
    store = NodeStore.open(path)
    assert [int.from_bytes(row.message_id, "big") for row in store.mailbox.waiting("bob", 9)] == [1, 5]
    assert store.problems() == []
    store.close()


CREATE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from usernym.storage.client import store
from usernym.storage.client.store import ClientStore
from usernym.storage.keyfile import Argon2Cost

def die(*arguments, **settings):
    os.kill(os.getpid(), signal.SIGKILL)

store.open_database = die
ClientStore.open(Path(sys.argv[1]), "pass", cost=Argon2Cost(64, 1))
"""


@pytest.mark.processes
def test_killed_between_key_file_and_database_the_store_opens(tmp_path: Path, spawn: Spawn) -> None:
    process = spawn(CREATE_AND_DIE, tmp_path / "home")
    assert process.wait() == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["store.key"]
    store = ClientStore.open(tmp_path / "home", "pass")
    assert not store.profile.has_identity()
    store.close()
