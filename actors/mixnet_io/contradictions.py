"""What a client remembers of what its node signed, to find two statements that can't both be honest.

docs/protocol.md, "Evidence". Owned by mixnet I/O, and used in its thread only.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from usernym.protocol import messages as m
from usernym.protocol.codec import Frame
from usernym.protocol.evidence import Evidence, evidence_in, evidence_in_tells

REMEMBERED_BYTES_MAX: Final = 256 * 1024
"""Frames kept for comparison, the oldest forgotten first: 150 of one packet, or the last three of the longest."""


class Contradictions:
    """Looks at each frame that `node` (its identity key) has signed."""

    def __init__(self, node: bytes) -> None:
        self._node = node
        self._tells: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()
        self._bytes = 0

    def look(self, frame: Frame, data: bytes) -> Evidence | None:
        """What this frame shows, by itself or beside an earlier one. `data` are its bytes; its signature holds."""
        message = frame.message
        if not isinstance(message, m.Tell):
            return evidence_in(self._node, frame, data)
        number = (message.login_id, message.counter)
        earlier = self._tells.get(number)
        if earlier is None:
            self._remember(number, data)
            return evidence_in(self._node, frame, data)
        return None if earlier == data else evidence_in_tells(self._node, earlier, data)

    def _remember(self, number: tuple[bytes, int], data: bytes) -> None:
        self._tells[number] = data
        self._bytes += len(data)
        while self._bytes > REMEMBERED_BYTES_MAX:
            self._bytes -= len(self._tells.popitem(last=False)[1])
