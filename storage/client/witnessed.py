"""Which witnesses the user wants to sign the heads of the directory's log."""

from __future__ import annotations

from typing import Final

from usernym.protocol.directory.witnesses import WitnessPolicy
from usernym.storage.client.profile import Profile
from usernym.storage.database import StoreDatabase

_POLICY: Final = "witness_policy"


class WitnessedHeads:
    """What the user's witnesses have signed of what this client was shown."""

    def __init__(self, database: StoreDatabase, profile: Profile) -> None:
        self._db = database
        self._profile = profile

    def want(self, policy: WitnessPolicy) -> None:
        """Go by this policy from now on. What was signed as far as another one wanted it says nothing for this one."""
        packed = bytes((policy.needed,)) + b"".join(sorted(set(policy.witnesses))) if policy.needed else None
        if packed == self._profile.setting(_POLICY):
            return
        with self._db.one_commit():
            self._profile.set_setting(_POLICY, packed)
            self._db.run("UPDATE contact SET lacks_witnesses = ?", (packed is not None,))

    def are_wanted(self) -> bool:
        """Whether there is a policy."""
        return self._profile.setting(_POLICY) is not None
