"""What users must have seen of files: the part of the oracle's model that knows them. It knows no chunk and no packet.

The rules, beside those for texts:

6. A file that a client took is shown to its recipient exactly once, whole and as it was sent, under its sender's name,
   to no one else; or its sender reads that it failed, or that one of the two ended it. Nothing else of
   it is ever shown.
7. Its sender reads *complete* in the end if it was shown, and only if it is on its recipient's disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

OPEN: Final = frozenset({"offered", "under way"})
"""States in which a file still moves."""


@dataclass(slots=True)
class SentFile:
    """A file, and what happened to it."""

    sender: str
    recipient: str
    content: bytes
    place: int
    """Which of all files it is, from 0."""
    message_id: bytes | None = None
    shown: int = 0
    told: str = "offered"
    given_up: bool = False
    """Its client died before it took the file, or said that it could not."""
    excused: bool = False
    """Its sender or its recipient has lost their machine since."""

    def __str__(self) -> str:
        return f"{self.sender}'s file {self.place} to {self.recipient}"


class SentFiles:
    """All files of a run. `accuse` is the oracle's."""

    def __init__(self, accuse: Callable[[str], None]) -> None:
        self._accuse = accuse
        self._files: dict[bytes, SentFile] = {}
        self.by_id: dict[bytes, SentFile] = {}

    def sent(self, sender: str, recipient: str, content: bytes) -> None:
        assert content not in self._files, "a scenario must not send the same file twice"
        self._files[content] = SentFile(sender, recipient, content, len(self._files))

    def took(self, content: bytes, message_id: bytes) -> None:
        """The client has it on disk, and said so."""
        file = self._files[content]
        file.message_id, file.given_up = message_id, False
        self.by_id[message_id] = file

    def gave_up(self, content: bytes) -> None:
        """The client could not take it, or died before it said that it had."""
        self._files[content].given_up = True

    def lost_home(self, user: str) -> None:
        """A user has lost their machine, with all files that were on their way."""
        for file in self._files.values():
            file.excused = file.excused or user in (file.sender, file.recipient)

    def shown(self, reader: str, sender: str, content: bytes) -> None:
        """A file is on someone's screen."""
        file = self._files.get(content)
        if file is None:
            self._accuse(f"{reader} was shown a file under {sender}'s name that no one sent, or not all of one")
            return
        if (file.sender, file.recipient) != (sender, reader):
            self._accuse(f"{file} was shown to {reader} under {sender}'s name")
        file.shown += 1
        if file.shown > 1 and not file.excused:
            self._accuse(f"{file} was shown {file.shown} times")

    def told(self, sender: str, message_id: bytes, state: str) -> None:
        """A sender reads how far a file has come."""
        file = self.by_id.get(message_id)
        if file is None:
            return  # its client has not said yet that it took it
        if file.sender != sender:
            self._accuse(f"{sender} got the state of {file}")
        if file.told not in OPEN and state != file.told:
            self._accuse(f"{file} was {file.told}, and is {state} now")
        file.told = state

    def waiting(self) -> int:
        """How many files were taken whose senders do not know yet what happened to them."""
        return sum(file.told in OPEN and not file.excused for file in self.by_id.values())

    def end(self, *, all_arrive: bool, may_expire: bool) -> None:
        """Everything has worked for long enough, and everyone has looked at their screens."""
        for file in self._files.values():
            if not all_arrive or file.given_up or file.excused:
                continue
            if file.shown and file.told != "complete" and not may_expire:
                self._accuse(f"{file} was shown, but its sender reads {file.told!r}")
            elif file.message_id is None and not file.shown:
                self._accuse(f"{file} was neither taken nor refused")
            elif not file.shown and (file.told == "complete" or not may_expire):
                self._accuse(f"{file} is lost: its sender reads {file.told!r}")
