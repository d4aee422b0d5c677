"""How fast a file's chunks go, and which files a client takes: pure rules, with what they are decided by as arguments.

docs/protocol.md, "Files". Where a transfer stands is on disk (`storage/client/files.py`); a process that died continues
from there, by the same rules.
"""

from __future__ import annotations

from typing import Final

from usernym.protocol.limits import CHUNK_PACKETS, FILE_BYTES_MAX, MINUTE_S, PACKETS_MAX

WINDOW_NODE: Final = 6
"""Chunks of one file that are on their way through the node: handed to the outbox, and not yet known to be at the
recipient. The SURBs that a node may hold carry four at once; two more are on their way to it. In a mailbox they are a
thirtieth of what one sender may have there by number, a fortieth by bytes: texts have the rest."""
WINDOW_DIRECT: Final = 16
"""The same on the direct way: 320 packets, as many as Nym's 50 a second bring while a lost one is sent again until it
arrives and its receipt comes back: six seconds at 20 % loss."""
COMING_MAX: Final = 2
"""Files that a client lets come at once, from anyone: so all senders' chunks take less than a MiB of its mailbox."""
STALLED_S: Final = 10 * MINUTE_S
"""A file of which nothing has come for so long lets another one come: its sender may be away for days."""
SLOW_S: Final = 10
"""One that comes more slowly than a chunk in so many seconds, after that time, lets another one come, too: else its
sender could hold a place for days by a chunk now and then. Even with losses a chunk takes less."""
QUIET_S: Final = (20, 40, 80, 160, 320)
"""A file under way of which nothing has come or arrived for so long puts the route in doubt: when the node dies while
neither side waits for an answer, only a heartbeat shows it, and only a heartbeat has the node send again what was lost.
The next regular one is a minute away. The first is longer than a chunk takes at 20 % loss, and what the node waits
before it sends again; a contact who is away costs five heartbeats."""
KEPT_BYTES_MAX: Final = 256 * 1024 * 1024
"""Files of all contacts that a client keeps without being asked. What is more waits until the user erases some."""
KEPT_OF_ONE_MAX: Final = KEPT_BYTES_MAX // 4
"""The same, of one contact."""
ENDS_UNSETTLED_MAX: Final = 64
"""`FileEnded` to one contact that are not confirmed: each waits on the disk, and a contact can name as many files as
they like."""

assert FILE_BYTES_MAX <= KEPT_OF_ONE_MAX
assert WINDOW_NODE * CHUNK_PACKETS <= 3 * PACKETS_MAX


def is_doubtful(moved_at: int, before: int, now: int) -> bool:
    """Whether a file that has last moved then has become quiet, or quiet for longer, since the look before this one."""
    return any(before < moved_at + quiet <= now for quiet in QUIET_S)


def to_hand_out(chunks: int, first: int, on_their_way: int, window: int) -> range:
    """The numbers of the chunks that may be sent now: of a file of so many chunks, of which those below `first` have
    been handed out already."""
    return range(first, max(first, min(chunks, first + window - on_their_way)))


def room_to_come(*, coming: int, kept: int) -> int:
    """Of how many bytes a file may be that comes now from a contact whom the user has accepted; 0: none may come."""
    return max(0, KEPT_BYTES_MAX - kept) if coming < COMING_MAX else 0
