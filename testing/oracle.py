"""What users must have seen: the model that every run is compared with. It knows no actor, no packet and no clock.

It records four things as they happen: that a user wrote a text, that the user's client took it (it has an id from then
on), that a text was shown to someone, and that a writer was notified how far a text has come. From these it says what
is wrong. The rules:

1. A text that a client took is shown to its recipient exactly once, or its writer is notified `expired` or `refused`
   with a reason that holds. One that no client took (it died, or said that it could not) is shown at most once. In
   the end the writer of what was shown reads `delivered`.
2. It is shown as its writer wrote it, under its writer's name, to its recipient and to no one else; and what the node
   has for one user goes to no one else, sealed or not.
3. `accepted` and `delivered` are never taken back, and `delivered` is reported only for what was shown before.
4. A writer's texts to one person carry counters in the order of writing, each its own; at the end none is missing. In
   the reader's conversation they stand in this order, but for those that are marked as late.
5. No one is accused: a user is notified that the node lies only when it does.

What it knows of files is in `sent_files.py`. Some worlds promise less, and a `Promise` says so: where the node lies,
messages may be lost; nothing else may happen. Restarts make no difference to any of this. That is the point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from usernym.testing.sent_files import SentFiles

FINAL: Final = frozenset({"delivered", "expired", "refused", "cancelled"})
_RANK: Final = {"waiting": 0, "accepted": 1, "expired": 2, "refused": 2, "cancelled": 2, "delivered": 3}
TERM_S: Final = 30 * 24 * 3600
"""A node keeps a message this long at least before its writer may be notified `expired`."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What the world is good for."""

    all_arrive: bool = True
    """Whether what was taken must arrive: not where the node lies."""
    honest_node: bool = True
    """Whether no one may be notified that the node was caught lying, and all it says is so."""
    may_expire: bool = False
    """Whether anyone is away for so long that messages expire: they are missing at their recipients' then."""
    within_s: float | None = None
    """How soon a text must be known to be delivered, where nothing but hostile users is in the way; None: any time."""
    refusals: frozenset[str] = frozenset()
    """Reasons for which a text may be refused for good, such as `no_such_user` where someone's account is deleted."""


@dataclass(slots=True)
class WrittenText:
    """A text, and what happened to it."""

    writer: str
    recipient: str
    content: str
    written_at: float
    place: int
    """Which of the writer's texts to this recipient it is, from 0."""
    message_id: bytes | None = None
    shown: int = 0
    counter: int | None = None
    told: str = "waiting"
    given_up: bool = False
    """Its client died before it took the text, or said that it could not."""
    excused: bool = False
    """Its writer or its recipient has lost their machine since: it may be lost or refused, and it may come again."""

    def __str__(self) -> str:
        return f"{self.writer}'s text {self.place} to {self.recipient}"


@dataclass(slots=True)
class Oracle:
    """The model of a run. `wrong` is what has been found, in words."""

    promise: Promise = field(default_factory=Promise)
    wrong: list[str] = field(default_factory=list)
    texts: dict[str, WrittenText] = field(default_factory=dict)
    """By content: scenarios write no text twice."""
    hostile: frozenset[str] = frozenset()
    """Hostile users: what comes from them is not a text of a user."""
    moved: set[str] = field(default_factory=set)
    """Users who have lost their machine, and began again on another one."""
    files: SentFiles = field(init=False)
    _by_id: dict[bytes, WrittenText] = field(default_factory=dict)
    _places: Counter[tuple[str, str]] = field(default_factory=Counter)
    _waited_for: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.files = SentFiles(self._accuse)

    # -- what happens --

    def wrote(self, writer: str, recipient: str, content: str, now: float) -> None:
        assert content not in self.texts, "a scenario must not write the same text twice"
        place = self._places[writer, recipient]
        self._places[writer, recipient] += 1
        self.texts[content] = WrittenText(writer, recipient, content, now, place)

    def took(self, content: str, message_id: bytes) -> None:
        """The client has it on disk, and said so."""
        text = self.texts[content]
        if self._by_id.get(message_id, text) is not text:
            self._accuse(f"{text} got the id of {self._by_id[message_id]}")
        text.message_id, text.given_up = message_id, False
        self._by_id[message_id] = text
        if text.told not in FINAL and not text.excused:
            self._waited_for.add(content)

    def lost_home(self, user: str) -> None:
        """A user has lost their machine, with all that was on it, and begins on another one."""
        self.moved.add(user)
        self.files.lost_home(user)
        for text in self.texts.values():
            if user in (text.writer, text.recipient):
                text.excused = True
                self._waited_for.discard(text.content)

    def gave_up(self, content: str) -> None:
        """The client could not take it, or died before it said that it had."""
        self.texts[content].given_up = True

    def shown(self, reader: str, writer: str, content: str, message_id: bytes, counter: int) -> None:
        """A text is on someone's screen."""
        if writer in self.hostile:
            return
        text = self.texts.get(content)
        if text is None:
            self._accuse(f"{reader} was shown something under {writer}'s name that no one wrote")
            return
        if (text.writer, text.recipient) != (writer, reader):
            self._accuse(f"{text} was shown to {reader} under {writer}'s name")
            return
        if text.message_id is None:
            # Taken, but its client died before it could say so.
            text.message_id = message_id
            self._by_id[message_id] = text
        elif text.message_id != message_id and not text.excused:
            self._accuse(f"{text} was shown under another id")
        text.shown += 1
        if text.shown > 1 and not text.excused:
            self._accuse(f"{text} was shown {text.shown} times")
        text.counter = counter

    def told(self, writer: str, message_id: bytes, state: str, reason: str | None, now: float) -> None:
        """A writer reads how far a text has come."""
        text = self._by_id.get(message_id)
        if text is None:
            return  # a handshake's message, or one whose client has not said yet that it took it
        if text.writer != writer:
            self._accuse(f"{writer} got the state of {text}")
        if _RANK[state] < _RANK[text.told]:
            self._accuse(f"{text} was {text.told}, and is {state} now")
        if state == "delivered" and not text.shown:
            self._accuse(f"{text} was called delivered before it was shown")
        if state == "delivered" != text.told and self.promise.within_s is not None:
            self._check_pace(text, now - text.written_at, self.promise.within_s)
        if state == "expired" and self.promise.honest_node and now - text.written_at < TERM_S:
            self._accuse(f"{text} expired after {now - text.written_at:.0f} s")
        unreasonable = reason not in self.promise.refusals and not text.excused
        if state == "refused" and unreasonable and self.promise.honest_node:
            self._accuse(f"{text} was refused without good reason ({reason})")
        text.told = str(state)
        if state in FINAL:
            self._waited_for.discard(text.content)

    def warned(self, user: str, what: str) -> None:
        """A user was notified that the node, or a contact, did something wrong."""
        if self.promise.honest_node:
            self._accuse(f"{user} was warned: {what}")

    def identity_changed(self, user: str, contact: str) -> None:
        """A user was notified that a contact has another identity."""
        if contact not in self.moved:
            self.warned(user, "a contact's identity changed")

    def broke(self, what: str) -> None:
        """A rule of the wire was broken (see `watch`)."""
        self._accuse(what)

    def overheard(self, who: str, what: str) -> None:
        """Someone who is not a user got what the node says to its users."""
        if self.promise.honest_node:
            self._accuse(f"{who} got what is another's: {what}")

    # -- what must be so --

    def waiting(self) -> int:
        """How many texts and files have been taken whose writers do not know yet what happened to them."""
        return len(self._waited_for) + self.files.waiting()

    def stands(self, reader: str, writer: str, came: Sequence[tuple[int, bool]]) -> None:
        """A reader looks at a conversation: the writer's texts and files from the top, each by its counter, and whether
        it is called late."""
        newest = 0
        for counter, late in came:
            if late != (counter < newest):
                called = "late" if late else "in order"
                self._accuse(f"{writer}'s message {counter} stands where it does at {reader}, and is called {called}")
            newest = max(newest, counter)

    def end(self, gaps: Iterable[tuple[str, str, int]]) -> None:
        """Everything has worked for long enough, and everyone has looked at their screens. `gaps`: reader, writer and
        how many of the writer's messages the reader's screen says are missing."""
        none_may_miss = self.promise.all_arrive and not self.promise.may_expire
        for reader, writer, missing in gaps:
            if missing and none_may_miss and not self.moved & {reader, writer}:
                self._accuse(f"{reader}'s screen shows {missing} messages of {writer} missing")
        for text in self.texts.values():
            self._check_fate(text)
        self.files.end(all_arrive=self.promise.all_arrive, may_expire=self.promise.may_expire)
        for (writer, recipient), count in self._places.items():
            self._check_order(writer, recipient, count)

    def _check_pace(self, text: WrittenText, took_s: float, within_s: float) -> None:
        if took_s > within_s and not text.excused:
            self._accuse(f"{text} took {took_s:.0f} s")

    def _check_fate(self, text: WrittenText) -> None:
        if not self.promise.all_arrive or text.given_up or text.excused:
            return
        if text.shown:
            # A recipient who is switched off before the acknowledgement has arrived, and for longer than the term, has
            # seen what the node then gives up: no one can tell its writer better.
            if text.told != "delivered" and not (self.promise.may_expire and text.told == "expired"):
                self._accuse(f"{text} was shown, but its writer reads {text.told!r}")
        elif text.message_id is None:
            self._accuse(f"{text} was neither taken nor refused")
        elif text.told not in {"expired", "refused", "cancelled"}:
            self._accuse(f"{text} is lost: its writer reads {text.told!r}")

    def _check_order(self, writer: str, recipient: str, count: int) -> None:
        mine = [text for text in self.texts.values() if (text.writer, text.recipient) == (writer, recipient)]
        assert len(mine) == count, "every text has its place"
        counters = [text.counter for text in mine if text.counter is not None and not text.excused]
        if len(set(counters)) != len(counters):
            self._accuse(f"two of {writer}'s texts to {recipient} carry one counter")
        # Texts that were given to a client before it knew the recipient are taken together, in the same order.
        if counters != sorted(counters):
            self._accuse(f"{writer}'s texts to {recipient} are not in the order of writing")

    def _accuse(self, what: str) -> None:
        if what not in self.wrong:
            self.wrong.append(what)
