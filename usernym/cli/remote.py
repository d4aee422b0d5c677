"""What a command line may ask of the process that holds a home: typed commands, as they go over the control socket."""

from __future__ import annotations

from typing import Literal

import msgspec

from usernym.client import Wait


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """A command that may be handed over."""


class Register(_Command, frozen=True, tag="register"):
    """Register the home's name (again)."""

    name: str


class Login(_Command, frozen=True, tag="login"):
    """Log in: the account works. With `card`, the node's, which is taken first if it is newer."""

    card: str | None = None


class WhoAmI(_Command, frozen=True, tag="whoami"):
    """Who the home belongs to."""


class Link(_Command, frozen=True, tag="link"):
    """The link to the home's own name."""


class Lookup(_Command, frozen=True, tag="lookup"):
    """Look a name up at the node; or a friend's link, which verifies them."""

    name: str


class Show(_Command, frozen=True, tag="show"):
    """A contact as it is known here; looked up only if it is not."""

    name: str


class Contacts(_Command, frozen=True, tag="contacts"):
    """All contacts."""


class ReplaceIdentity(_Command, frozen=True, tag="replace identity"):
    """Make a new identity by the recovery words."""

    words: str


class DeleteAccount(_Command, frozen=True, tag="delete account"):
    """Delete the account at the node; the user has consented."""


class ChangePassphrase(_Command, frozen=True, tag="change passphrase"):
    """Protect the home by another passphrase. None: by none, now or before."""

    old: str | None
    new: str | None


class Export(_Command, frozen=True, tag="export"):
    """Write a backup into a new folder."""

    folder: str
    passphrase: str


class Import(_Command, frozen=True, tag="import"):
    """Add what a backup holds."""

    folder: str
    passphrase: str


class History(_Command, frozen=True, tag="history"):
    """A page of a conversation: the newest, or those before a row."""

    name: str
    limit: int
    before: int | None = None


class Search(_Command, frozen=True, tag="search"):
    """Texts that contain a text, of one contact or all."""

    text: str
    limit: int
    name: str | None = None


class Erase(_Command, frozen=True, tag="erase"):
    """Erase a text with a contact, or all; the user has consented."""

    name: str
    message_id: str | None = None


class Disappear(_Command, frozen=True, tag="disappear"):
    """Erase texts with a contact here after so many seconds; None: keep them."""

    name: str
    seconds: int | None


class Requests(_Command, frozen=True, tag="requests"):
    """Who wrote and waits for the user's word; or who was declined."""

    declined: bool = False


Decision = Literal["accept", "decline", "block"]


class Decide(_Command, frozen=True, tag="decide"):
    """Accept, decline or block somebody."""

    name: str
    decision: Decision


class Verify(_Command, frozen=True, tag="verify"):
    """The user compared safety numbers, or takes that back."""

    name: str
    verified: bool
    identity_key: str | None = None
    """The one that was compared."""


class Send(_Command, frozen=True, tag="send"):
    """Send a text."""

    name: str
    text: str
    wait: Wait


class Retry(_Command, frozen=True, tag="retry"):
    """Send a text again; its id, or the first digits of it."""

    name: str
    message_id: str
    wait: Wait


class Cancel(_Command, frozen=True, tag="cancel"):
    """Send a text that waits no more; its id, or the first digits of it."""

    name: str
    message_id: str


Step = Literal["offer", "accept", "revoke", "status"]


class Handshake(_Command, frozen=True, tag="handshake"):
    """Take a step of a handshake; the user has consented. `direct_only` is changed unless it is None."""

    name: str
    step: Step
    direct_only: bool | None = None


class Card(_Command, frozen=True, tag="node card"):
    """The node's card."""


class Status(_Command, frozen=True, tag="node status"):
    """The node's counters."""


ClientCommand = (
    Register | Login | ReplaceIdentity | DeleteAccount | ChangePassphrase | Export | Import | WhoAmI | Link | Lookup
    | Show | Contacts | History | Search | Erase | Disappear | Requests | Decide | Verify | Send | Retry | Cancel
    | Handshake
)  # fmt: skip
NodeCommand = Card | Status
