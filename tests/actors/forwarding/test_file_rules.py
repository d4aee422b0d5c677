"""The pure rules of a transfer: each chunk is handed out once, whatever dies; and files are let in by the room."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from usernym.actors.forwarding.file_rules import COMING_MAX, KEPT_BYTES_MAX, room_to_come, to_hand_out
from usernym.protocol.limits import FILE_BYTES_MAX


class Transfer(RuleBasedStateMachine):
    """A sender whose process dies at any moment: what is handed out, and the place, are one commit or none."""

    @initialize(chunks=st.integers(1, 40), window=st.integers(1, 12))
    def begin(self, chunks: int, window: int) -> None:
        self.chunks, self.window = chunks, window
        self.next, self.outbox, self.arrived = 0, list[int](), list[int]()

    @rule(dies=st.booleans(), window=st.integers(1, 12))
    def hand_out(self, dies: bool, window: int) -> None:
        numbers = to_hand_out(self.chunks, self.next, len(self.outbox), window)
        if not dies:
            self.outbox += numbers
            self.next = max(self.next, numbers.stop)
        self.window = max(self.window, window)

    @precondition(lambda self: self.outbox)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.outbox) - 1))
        self.arrived.append(self.outbox.pop(at))

    @invariant()
    def each_once_and_no_more_than_the_window(self) -> None:
        known = self.outbox + self.arrived
        assert sorted(known) == list(range(self.next))
        assert len(self.outbox) <= self.window

    def teardown(self) -> None:
        while self.outbox or self.next < self.chunks:
            self.hand_out(dies=False, window=3)
            self.arrived += self.outbox
            self.outbox = []
        assert sorted(self.arrived) == list(range(self.chunks))


TestTransfer = Transfer.TestCase


def test_what_may_come() -> None:
    assert room_to_come(coming=0, kept=0) >= FILE_BYTES_MAX
    assert room_to_come(coming=COMING_MAX - 1, kept=0) >= FILE_BYTES_MAX
    assert room_to_come(coming=COMING_MAX, kept=0) == 0
    assert room_to_come(coming=0, kept=KEPT_BYTES_MAX - 1) == 1
    assert room_to_come(coming=0, kept=KEPT_BYTES_MAX) == 0
