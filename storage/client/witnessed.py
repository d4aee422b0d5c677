"""Which witnesses the user wants to sign the heads of the directory's log, and what was seen of their signatures."""

from __future__ import annotations

from typing import Final

from usernym.protocol.directory.witnesses import WitnessPolicy
from usernym.protocol.limits import KEY_BYTES
from usernym.protocol.wire import U8, U32, Wire, decoder_of, pack, unpack
from usernym.storage.client.profile import Profile
from usernym.storage.database import StoreDatabase

_POLICY: Final = "witness_policy"
_SEEN: Final = "witness_signatures"


class SignaturesSeen(Wire, frozen=True):
    """What heads that were shown under one policy had. `signers`: how many of the wanted witnesses have signed the
    newest. `begun_at`: when the first was shown, `met_at`: when the last one that met the policy (Unix seconds; None:
    none did). `waited_s`: for how many seconds with a login none has since."""

    signers: U8
    begun_at: U32
    met_at: U32 | None
    waited_s: U32

    @property
    def since(self) -> int:
        """Since when no head met the policy, if the newest does not (Unix seconds)."""
        return self.begun_at if self.met_at is None else self.met_at


_seen_decoder: Final = decoder_of(SignaturesSeen)


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
            self._profile.set_setting(_SEEN, None)
            self._db.run("UPDATE contact SET lacks_witnesses = ?", (packed is not None,))

    def wanted(self) -> tuple[int, int]:
        """How many signatures are wanted to a head, and of how many witnesses; 0 and 0 without a policy."""
        packed = self._profile.setting(_POLICY)
        return (0, 0) if packed is None else (packed[0], len(packed[1:]) // KEY_BYTES)

    def seen(self) -> SignaturesSeen | None:
        """None before a head was shown under the policy."""
        packed = self._profile.setting(_SEEN)
        return None if packed is None else unpack(_seen_decoder, packed)

    def note(self, seen: SignaturesSeen) -> None:
        """Know it so from now on."""
        self._profile.set_setting(_SEEN, pack(seen))
