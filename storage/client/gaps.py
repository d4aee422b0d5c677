"""Gaps: which of a contact's messages have not come (yet). Ranges of counters, so that no reader has to count."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from usernym.protocol.payloads import COUNTERS_A_HOME, counters_of_home
from usernym.storage.client.types import Direction
from usernym.storage.database import StoreDatabase

_FIND: Final = f"""
    INSERT INTO gap (contact, first, last)
    SELECT contact, max(previous, home) + 1, counter - 1 FROM (
        SELECT contact, counter, counter - counter % {COUNTERS_A_HOME} AS home,
            lag(counter, 1, 0) OVER (PARTITION BY contact ORDER BY counter) AS previous FROM (
            SELECT contact, counter FROM message WHERE direction = {Direction.IN.number}
            UNION SELECT name, highest_in_counter + 1 FROM contact))
    WHERE counter > max(previous, home) + 1
"""  # noqa: S608 - a constant
"""All gaps, from the messages that are there and the highest counter known."""


@dataclass(frozen=True, slots=True)
class MissingCounters:
    """A contact's missing counters, as (first, last) in rising order, and how many are missing before each range."""

    ranges: Sequence[tuple[int, int]] = ()
    before: Sequence[int] = ()

    def below(self, counter: int) -> int:
        """How many counters lower than this one are missing."""
        at = bisect_left(self.ranges, (counter,))
        if at == 0:
            return 0
        first, last = self.ranges[at - 1]
        return self.before[at - 1] + min(last + 1, counter) - first


class Gaps:
    """The gaps of all contacts. A sender who skips counters adds one row for each message, no more."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def of(self, contact: str) -> MissingCounters:
        """All gaps in what came from a contact."""
        ranges = [
            (first, last)
            for first, last in self._db.rows("SELECT first, last FROM gap WHERE contact = ? ORDER BY last", (contact,))
        ]
        before, missing = [], 0
        for first, last in ranges:
            before.append(missing)
            missing += last + 1 - first
        return MissingCounters(ranges, before)

    def missing_below(self, contact: str, counter: int) -> int:
        """How many messages of the contact with lower counters than this one, which came, have not come."""
        found = self._db.value(
            int, "SELECT coalesce(sum(last + 1 - first), 0) FROM gap WHERE contact = ? AND last < ?", (contact, counter)
        )
        return found or 0

    def find(self) -> None:
        """Find all gaps again, after messages were brought in from elsewhere."""
        with self._db.one_commit():
            self._db.run("DELETE FROM gap")
            self._db.run(_FIND)

    def note_counter(self, contact: str, counter: int) -> None:
        """A message with this counter came: open or close gaps."""
        found = self._db.row("SELECT highest_in_counter FROM contact WHERE name = ?", (contact,))
        if found is None:
            return
        highest = int(found[0])
        next_one = max(highest, counters_of_home(counter)) + 1
        if counter > next_one:
            self._add_gap(contact, next_one, counter - 1)
        elif counter < next_one:
            self._fill_gap(contact, counter)
        self._db.run(
            "UPDATE contact SET has_met = 1, highest_in_counter = max(highest_in_counter, ?) WHERE name = ?",
            (counter, contact),
        )

    def _fill_gap(self, contact: str, counter: int) -> None:
        gap = self._db.row(
            "SELECT first, last FROM gap WHERE contact = ? AND last >= ? ORDER BY last LIMIT 1", (contact, counter)
        )
        if gap is None or gap[0] > counter:
            return
        first, last = gap
        self._db.run("DELETE FROM gap WHERE contact = ? AND last = ?", (contact, last))
        if first < counter:
            self._add_gap(contact, first, counter - 1)
        if counter < last:
            self._add_gap(contact, counter + 1, last)

    def _add_gap(self, contact: str, first: int, last: int) -> None:
        self._db.run("INSERT INTO gap (contact, first, last) VALUES (?, ?, ?)", (contact, first, last))
