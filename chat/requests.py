"""What a window asks of the server: see `wire`, which has the rules of the conversation and the answers."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from usernym.chat.wire import TEXT_BYTES_MAX, ListName, Wired

FRAME_BYTES_MAX: Final = 1_000_000
"""Of one frame from a window: a text of 64 KiB, each byte of it escaped, is less than half of this."""
LINES_MAX: Final = 200
"""Lines in one page of a list: more than any screen shows."""
TEXTS_MAX: Final = 200
"""Texts in one page of a conversation; as above."""
ROWS_MAX: Final = 1_000
"""Texts that one request may delete: more than anyone selects by hand."""
_NUMBER_MAX: Final = 2**53 - 1
"""The largest whole number that JavaScript keeps exactly."""

Id = Annotated[int, msgspec.Meta(ge=0, le=_NUMBER_MAX)]
Row = Annotated[int, msgspec.Meta(ge=0, le=_NUMBER_MAX)]
"""A text's place in its conversation, and in the store: rises. 0 is before all."""
Name = Annotated[str, msgspec.Meta(max_length=64)]
"""A username as it was typed, or as the server said it."""
Line = Annotated[str, msgspec.Meta(max_length=4_096)]
"""A line that a person types: a passphrase, a folder, a link, a card."""
Text = Annotated[str, msgspec.Meta(max_length=2 * TEXT_BYTES_MAX)]
"""A text. One that is too long is answered with `text_too_long`, not with the end of the connection."""
Cursor = Annotated[str, msgspec.Meta(max_length=200)]
"""Where a page ends: `next` of the page before, unchanged."""


class _FromWindow(Wired, frozen=True, forbid_unknown_fields=True):
    """A message of a window."""


class Ask(_FromWindow, frozen=True):
    """A message that is answered."""

    id: Id


# -- the beginning --


class HelloAsk(_FromWindow, frozen=True):
    """The first message. `token` is what was behind the `#` of the address, `key` what `Admitted` said.

    `tab` is a random text that the browser's tab keeps (in `sessionStorage`): by it a tab that is loaded again gets
    its conversation back (`Admitted.open_name`), without a name in the browser's files.
    """

    token: Line = ""
    key: Line = ""
    tab: Annotated[str, msgspec.Meta(max_length=64)] = ""


# -- first run --


class SetNetworkAsk(Ask, frozen=True):
    """Choose node and mixnet; both are tried at once. `nym` is Nym's mainnet; else `ws://127.0.0.1:1977`.

    `Failed` has `card_invalid`, `mixnet_unknown`, `mixnet_options`, `sdk_missing`, `mixnet_silent`: the screen stays.
    """

    node_card: Line
    mixnet: Line


class ForgetNetworkAsk(Ask, frozen=True):
    """Back to the choice of node and mixnet."""


class CheckNameAsk(Ask, frozen=True):
    """Whether a name is free: `NameChecked`. `Failed` has why it can't be registered, or that the node is silent."""

    name: Name


class CreateAccountAsk(Ask, frozen=True):
    """Make the identity: `Words`. `passphrase` None: without one, by the user's explicit choice."""

    name: Name
    passphrase: Line | None


class ShowWordsAsk(Ask, frozen=True):
    """The recovery words once more: `Words`. Until `RegisterName`, and while this program runs."""


class RegisterNameAsk(Ask, frozen=True):
    """The user has the words: register the name, and go online."""


class StartOverAsk(Ask, frozen=True):
    """Forget the identity that was never registered."""


class RestoreAccountAsk(Ask, frozen=True):
    """An identity that exists, by its recovery words. `replace`: the old machine may be in other hands."""

    name: Name
    words: Line
    passphrase: Line | None
    replace: bool = False


class UnlockAsk(Ask, frozen=True):
    """Open the home."""

    passphrase: Line


# -- lists --


class ListContactsAsk(Ask, frozen=True):
    """A page of a list, in its order: `Contacts`."""

    list: ListName
    after: Cursor | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LINES_MAX)] = 50


class SearchAsk(Ask, frozen=True):
    """People (by name and nickname) and texts that contain `words`: `Found`."""

    words: Line
    after: Cursor | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LINES_MAX)] = 50


class FindPersonAsk(Ask, frozen=True):
    """Look a name up at the node, or open a `usernym:` link: `FoundPerson`. A link that fits verifies."""

    who: Line


# -- a conversation --


class OpenConversationAsk(Ask, frozen=True):
    """Show a conversation: `Conversation`. At its newest end, or with the text at `around` in the middle.

    Its texts are pushed from now on. A window may have one open: the next one closes it.
    """

    name: Name
    around: Row | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=TEXTS_MAX)] = 60


class MoreTextsAsk(Ask, frozen=True):
    """Texts before or after a row: `Conversation`. Exactly one of the two is given."""

    name: Name
    before: Row | None = None
    after: Row | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=TEXTS_MAX)] = 60


class CloseConversationAsk(Ask, frozen=True):
    """No more pushes of texts."""


class SendAsk(Ask, frozen=True):
    """Store a text, and send it. `Done`: it is on the disk; the text comes as `TextChanged`.

    `nonce` is new for each press of the button; the same one again (after a lost connection) sends nothing twice.
    """

    name: Name
    nonce: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    text: Text


class RetryAsk(Ask, frozen=True):
    """Try a waiting text now, or send a failed one again."""

    name: Name
    message_id: Annotated[str, msgspec.Meta(max_length=32)]


class CancelAsk(Ask, frozen=True):
    """Give a waiting text up. `cancel_not_possible`: it is being sent, or was."""

    name: Name
    message_id: Annotated[str, msgspec.Meta(max_length=32)]


class CancelFileAsk(Ask, frozen=True):
    """Send or receive a file no more; what came of it is erased. `file_over`: it is whole, or ended."""

    name: Name
    message_id: Annotated[str, msgspec.Meta(max_length=32)]


class DeleteAsk(Ask, frozen=True):
    """Delete texts on this device: `Deleting`. `rows` None: all of the conversation."""

    name: Name
    rows: Annotated[list[Row], msgspec.Meta(max_length=ROWS_MAX)] | None


class UndoAsk(Ask, frozen=True):
    """Bring back what `Deleting` hides: `Done`, or `undo_over`."""

    undo: Id


class MarkReadAsk(Ask, frozen=True):
    """All texts of this person up to `row` were seen. Of accepted people only."""

    name: Name
    row: Row


class SaveDraftAsk(Ask, frozen=True):
    """Keep what is being written; empty: nothing. Kept in the encrypted store, in
    the order in which they come."""

    name: Name
    text: Text


# -- a person --


class DecideAsk(Ask, frozen=True):
    """`accept` also undoes decline and block. `remove`: texts are deleted, the direct route ends, what this person
    writes later is not shown (as with decline)."""

    name: Name
    decision: Literal["accept", "decline", "block", "remove"]


class SetPersonalAsk(Ask, frozen=True):
    """What only this device knows of a person; None leaves a setting as it is."""

    name: Name
    nickname: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    muted: bool | None = None
    pinned: bool | None = None
    archived: bool | None = None


class SetDisappearingAsk(Ask, frozen=True):
    """Texts go from this device after so many seconds (60 to 31,622,400); None: never."""

    name: Name
    seconds: Annotated[int, msgspec.Meta(ge=1, le=_NUMBER_MAX)] | None


class GetSafetyNumberAsk(Ask, frozen=True):
    """`SafetyNumber`."""

    name: Name


class VerifyAsk(Ask, frozen=True):
    """The number that the user read, typed or pasted, or what a scanner read (`usernym-safety:…`).

    `Done`: it is the same, and the contact is verified. `not_a_number`: not sixty digits, says nothing about anyone.
    `numbers_differ`: sixty other digits: someone may be between the two.
    """

    name: Name
    seen: Line
    identity_key: Annotated[str, msgspec.Meta(max_length=64)]


class ConfirmVerifiedAsk(Ask, frozen=True):
    """The user compared by eye: verified. After `numbers_differ` for this identity: `numbers_differed`, unless
    `although_differed` says that the user was asked, and says so again."""

    name: Name
    identity_key: Annotated[str, msgspec.Meta(max_length=64)]
    although_differed: bool = False


class UnverifyAsk(Ask, frozen=True):
    """Not verified any more; of a changed identity: continue without comparing."""

    name: Name
    identity_key: Annotated[str, msgspec.Meta(max_length=64)]


class DirectRouteAsk(Ask, frozen=True):
    """A step of the direct route. `end` also declines and withdraws an offer. Shows the user's Nym address."""

    name: Name
    step: Literal["offer", "accept", "end"]


class SetDirectOnlyAsk(Ask, frozen=True):
    """Whether texts wait while the direct route does not respond."""

    name: Name
    direct_only: bool


# -- the account --


class GetLinkAsk(Ask, frozen=True):
    """`Link`."""


class GetAboutAsk(Ask, frozen=True):
    """`About`."""


class ChangePassphraseAsk(Ask, frozen=True):
    """`old` None: there is none now."""

    old: Line | None
    new: Line


class ExportBackupAsk(Ask, frozen=True):
    """Into a new folder, by its absolute path (`~/` is the user's home): `BackupWritten`."""

    folder: Line
    passphrase: Line


class ImportBackupAsk(Ask, frozen=True):
    """Add what a backup holds: `BackupRead`."""

    folder: Line
    passphrase: Line


class ReplaceIdentityAsk(Ask, frozen=True):
    """After a theft: `Replaced`. The link and all safety numbers change."""

    words: Line


class DeleteAccountAsk(Ask, frozen=True):
    """`name` is typed by the user, as a safeguard: `AccountDeleted`."""

    name: Name


EntranceAsk = (
    SetNetworkAsk | ForgetNetworkAsk | CheckNameAsk | CreateAccountAsk | ShowWordsAsk | RegisterNameAsk
    | StartOverAsk | RestoreAccountAsk | UnlockAsk
)  # fmt: skip
TalkAsk = (
    ListContactsAsk | SearchAsk | FindPersonAsk | OpenConversationAsk | MoreTextsAsk | CloseConversationAsk
    | SendAsk | RetryAsk | CancelAsk | CancelFileAsk | DeleteAsk | UndoAsk | MarkReadAsk | SaveDraftAsk
)  # fmt: skip
PersonAsk = (
    DecideAsk | SetPersonalAsk | SetDisappearingAsk | GetSafetyNumberAsk | VerifyAsk | ConfirmVerifiedAsk
    | UnverifyAsk | DirectRouteAsk | SetDirectOnlyAsk
)  # fmt: skip
AccountAsk = (
    GetLinkAsk | GetAboutAsk | ChangePassphraseAsk | ExportBackupAsk | ImportBackupAsk | ReplaceIdentityAsk
    | DeleteAccountAsk
)  # fmt: skip
FromWindow = HelloAsk | EntranceAsk | TalkAsk | PersonAsk | AccountAsk

_decoder: Final[msgspec.json.Decoder[FromWindow]] = msgspec.json.Decoder(FromWindow)


def read(frame: bytes | str) -> FromWindow:
    """What a window said. Raises `ValueError`: it is no message."""
    return _decoder.decode(frame)
