"""Where a search of many nights stands: for each profile the next seed, and how many scenarios in a row found nothing.

The file is small JSON. It is replaced as a whole, so a killed search leaves the state before or after, nothing else.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from usernym.testing.loop import Summary


class Standing(msgspec.Struct, frozen=True):
    """One profile's."""

    next_seed: int = 0
    in_a_row: int = 0
    """Scenarios that have found nothing since the last failure."""


class BadNightly(ValueError):
    """This file is none of ours."""


class Nightly:
    """The file of a search that continues. Raises `BadNightly` if it holds something else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            data = path.read_bytes() if path.exists() else b"{}"
            self._standings = msgspec.json.decode(data, type=dict[str, Standing])
        except (msgspec.DecodeError, OSError) as error:
            raise BadNightly(f"{path} is not the file of an earlier search: {error}") from None

    def standing(self, profile: str) -> Standing:
        """Where this profile's search continues."""
        return self._standings.get(profile, Standing())

    def note(self, profile: str, summary: Summary) -> Standing:
        """Keep what came of a search that began at the standing's seed. After a failure the next search begins with the
        first seed that failed: it shows first that this is corrected."""
        before = self.standing(profile)
        failed = [outcome.plan.seed for outcome in summary.failures]
        after = Standing(min(failed), 0) if failed else Standing(
            summary.next_seed, before.in_a_row + summary.next_seed - before.next_seed
        )  # fmt: skip
        self._standings[profile] = after
        part = self._path.with_name(f"{self._path.name}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(self._standings)) + b"\n")
        part.replace(self._path)
        return after
