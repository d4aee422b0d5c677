"""What may wait for mixnet I/O: so many frames, so many bytes, and all of it again when it was taken."""

from __future__ import annotations

from usernym.actors.mixnet_io.endpoint import BYTES_WAITING_MAX, FRAMES_WAITING_MAX, InboxLimit
from usernym.protocol.limits import FRAME_BYTES_MAX


def test_the_largest_frames_are_bounded_by_their_bytes() -> None:
    inflow = InboxLimit()
    admitted = 0
    while inflow.admit(FRAME_BYTES_MAX, admitted):
        admitted += 1
    assert admitted == BYTES_WAITING_MAX // FRAME_BYTES_MAX < FRAMES_WAITING_MAX
    assert inflow.admit(BYTES_WAITING_MAX - admitted * FRAME_BYTES_MAX, admitted), "a small one still fits"
    for _ in range(admitted):
        inflow.taken(FRAME_BYTES_MAX)
    assert inflow.admit(FRAME_BYTES_MAX, 0)


def test_the_smallest_are_bounded_by_their_number() -> None:
    inflow = InboxLimit()
    assert inflow.admit(1, FRAMES_WAITING_MAX - 1)
    assert not inflow.admit(1, FRAMES_WAITING_MAX)
