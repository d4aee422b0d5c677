"""What the page and its server say to each other, over one websocket: `ws://HOST/wire`, JSON, one message a frame.

**Form.** Each message is an object whose `type` names one of the classes here or in `requests`, in snake case and
without the ending `Ask` or `Wire`, as they are named in this text: `SaveDraft` is `{"type": "save_draft", …}`. Fields
with a default may be left out by the window; the server sends all of them. A message that has another form, or is
longer than 1 MB, ends the connection (1008, 1009): the window checks a text's length (`Admitted.text_bytes_max`).

**Beginning.** The window sends `Hello` within ten seconds. The answer is `Admitted`, followed by `Home`, `Connection`
and `Warnings`; or `NotAdmitted`, and the server closes with 4403. Keep `Admitted.key` in the origin's storage if the
browser allows it; without storage the page works until it is reloaded.

**Requests.** Everything else that a window sends has an `id`, a number that the window chooses and does not use twice.
Exactly one answer with this `id` follows: the class that the request's comment names, `Done` if it names none, or
`Failed`. Requests run side by side; texts to one person are stored in the order in which they were sent. A window may
have 32 requests in progress; more are answered with `Failed` and the code `too_many`.

**Pushes** have no `id`. Each tells what is so now, and replaces what was sent before about the same thing:

- `Home`: which screen is due. Answers do not change the screen, only `Home` does.
- `Connection`, `Warnings`, `Totals`.
- `ContactChanged`, `ContactGone`, `ListsChanged`: one line of a list, or all. A window hears of all lines, also of
  those that it has not fetched; sort by `list`, then `pinned` first, then `order` falling, then `name`.
- `TextChanged`, `TextsGone`: of conversations that this window has open (`OpenConversation` until
  `CloseConversation`). A text belongs where its `row` says: rows rise. Ignore one whose row is not between the rows
  that are shown, unless the newest end is shown.
- `Arrived`: for a notification, a sound, and the line that a screen reader speaks.
- `DraftChanged`, `Outgoing`: what another window of the same person does.
- `Ended`: the program ends. Forget everything that is shown. The socket closes (1001). A window whose socket closes
  without it shows "not connected to usernym", hides what it has after a minute, and connects again with `Hello(key)`.
  Close code 4409: this window was too slow; connect again at once, and read everything again. 4429: too many windows.

**Words.** No sentence travels. What went wrong is a `Problem`: a code, and data for the sentence in the window's
catalogue. Codes are in `PROBLEMS`; unknown ones are shown as `internal`. Times are Unix seconds; the browser knows the
zone. Names, texts, nicknames and snippets are other people's or the user's: show them as text, never as markup.

**QR codes** are rows of "0" and "1", without the quiet zone: leave four modules white around them.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from usernym import WitnessesView

TEXT_BYTES_MAX: Final = 65_536
"""Of a text, in UTF-8: the protocol's bound."""
PROBLEMS: Final = frozenset(
    {
        # of names: `until` is Unix seconds
        "name_too_short", "name_too_long", "name_bad_character", "name_bad_start", "name_reserved", "name_looks_alike",
        "name_taken", "name_held", "no_such_user", "not_registered", "own_name",
        # of the node: `seconds` from now, if known
        "busy", "clock_skew", "mailbox_full", "sender_share_full", "unopenable", "work_insufficient", "no_answer",
        "no_mixnet", "not_ready", "too_many", "no_storage", "refused",
        # of cards, links, the mixnet: `text` is what was typed
        "card_invalid", "link_invalid", "evidence_invalid", "unsupported_version", "mixnet_unknown", "mixnet_options",
        "sdk_missing", "mixnet_silent", "link_other_node", "link_older_identity", "link_other_identity",
        # of passphrases and recovery words: `least` is characters
        "passphrase_weak", "passphrase_wrong", "passphrase_needed", "passphrase_not_set", "words_invalid",
        "words_of_other",
        # of verification: a number that is not sixty digits; another number; confirmed although another was seen
        "not_a_number", "numbers_differ", "numbers_differed", "identity_moved",
        # of texts
        "text_empty", "text_too_long", "retry_not_possible", "cancel_not_possible", "undo_over", "route_not_possible",
        "no_such_contact", "no_such_text", "duration_out_of_range", "nickname_too_long",
        # of files: `most` is bytes
        "file_too_large", "file_empty", "file_unfit", "picture_unfit", "pictures_missing", "no_such_file", "file_over",
        # of the disk and the system: `exists` and `not_absolute` have the `path`
        "home_in_use", "disk_full", "not_readable", "not_a_backup", "damaged", "exposed", "newer_version", "exists",
        "not_absolute", "storage", "limit", "system", "installation",
        # of the account and its program
        "own_name_differs", "elsewhere", "account_stays", "account_deleted", "not_possible_now", "other_login",
        "node_moved", "closed", "stopped", "stopped_outside", "settings", "internal",
    }
)  # fmt: skip
"""The codes of `Problem`. `internal` has `kind`, the error's class; `settings` and `stopped` have an English `text`."""

ListName = Literal["contacts", "archived", "requests", "refused"]
"""`refused`: declined and blocked."""


def wire_name(kind: str) -> str:
    """The `type` of a class: its name without the ending Ask or Wire, in snake case."""
    kind = re.sub(r"(Ask|Wire)$", "", kind)
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


class Wired(msgspec.Struct, frozen=True, tag_field="type", tag=wire_name, kw_only=True):
    """A message."""


class _Answer(Wired, frozen=True):
    """Answers the request with this `id`."""

    id: int


# -- parts of messages --


class Problem(msgspec.Struct, frozen=True):
    """What went wrong."""

    code: str
    data: dict[str, str | int] = {}


class LastLine(msgspec.Struct, frozen=True):
    """The newest text with a person, for a list."""

    row: int
    out: bool
    """Whether it is the user's own."""
    snippet: str
    """The beginning of it, on one line."""
    at: int
    state: Literal["waiting", "accepted", "delivered", "expired", "refused", "cancelled"] | None
    """Of the user's own."""
    file: bool = False
    """Whether it is a file; `snippet` is its name."""


class ContactLine(msgspec.Struct, frozen=True):
    """A person, in a list and at the top of a conversation."""

    name: str
    list: ListName
    key: str
    """The identity key, 64 hexadecimal digits: the colour follows from it."""
    nickname: str
    """Empty: none."""
    trust: Literal["confirmed", "verified", "changed"]
    directory: Literal["shown", "not_witnessed", "promised", "not_shown"]
    """Whether the node has shown, or promised, that the identity is in its public directory; or in one not signed."""
    state: Literal["accepted", "pending", "declined", "blocked"]
    route: Literal["none", "offered", "offer_received", "active", "ended_by_me", "ended_by_peer"]
    direct_only: bool
    """Whether texts wait while the direct route does not respond."""
    direct_silent: bool
    """Whether the direct route does not respond at present."""
    disappears_after: int | None
    """Seconds; None: never."""
    muted: bool
    pinned: bool
    unread: int
    order: int
    """The greater, the newer."""
    has_draft: bool
    last: LastLine | None


class FilePart(msgspec.Struct, frozen=True):
    """What a file is, and how far it has come. Its bytes come and go by HTTP: `file_door`."""

    picture: bool
    """Whether its sender calls it a picture. Ask for it as one, and see."""
    size: int
    """Bytes."""
    done: int
    """Bytes that are at the recipient."""
    state: Literal["offered", "under_way", "complete", "cancelled", "ended", "damaged", "failed"]
    """Of another person's file nothing is available before it is complete; the user's own always is."""


class TextView(msgspec.Struct, frozen=True):
    """A text, or with `file` a file: then `message_id` is its id, and `text` its name."""

    row: int
    order: tuple[int, int, int, int]
    """Where it stands: a conversation's texts are in this order. Each number is exact in JavaScript."""
    message_id: str
    out: bool
    text: str
    sent_at: int
    """By its writer's clock: may be any number that fits 64 bits."""
    arrived_at: int
    """When it was stored here."""
    state: Literal["waiting", "accepted", "delivered", "expired", "refused", "cancelled"] | None
    """Of the user's own. waiting: can be sent now (`Retry`) or given up (`Cancel`). expired, refused, cancelled: can be
    sent again (`Retry`)."""
    reason: Problem | None
    """Why it waits, or was refused."""
    route: Literal["node", "direct"] | None
    """None: it took none yet."""
    missing: int
    """How many texts of this person before this one have not arrived."""
    late: bool
    """It came after one that was written later."""
    read: bool
    file: FilePart | None = None


class AdmittedWire(Wired, frozen=True):
    """The window may show the page."""

    key: str
    version: str
    """Of usernym."""
    passphrase_min: int
    """Characters of a new passphrase: one rule for the account and for a backup."""
    passphrase_different: int
    """Different ones among them, at least."""
    text_bytes_max: int
    file_bytes_max: int
    undo_s: int
    """Seconds for which `Undo` takes a deletion back."""
    open_name: str
    """Whose conversation this tab showed before it was loaded again; empty: none."""


class NotAdmittedWire(Wired, frozen=True):
    """The token was used, and the key is of another run. Forget the key."""


class HomeWire(Wired, frozen=True):
    """Which screen is due.

    - `network`: first run, and it is not known which node and mixnet: `SetNetwork`.
    - `new`: first run: `CheckName`, `CreateAccount` or `RestoreAccount`; `ForgetNetwork` leads back to `network`.
    - `locked`: `Unlock`.
    - `unregistered`: an identity exists, but the node does not have the name. Where `has_words`, `ShowWords` shows the
      recovery words (also after a reload): show them, ask two back, `RegisterName`. Without, ask whether the user
      has them: `RegisterName` or `StartOver`.
    - `main`: all else. With `deleted`, texts are here but nothing can be sent.
    - `stopped`: the client has stopped; `problem` says why.
    """

    screen: Literal["network", "new", "locked", "unregistered", "main", "stopped"]
    name: str = ""
    """The user's own, where it is known."""
    busy: bool = False
    """Another window (or this one) is opening, creating or registering: show that, and take no second try."""
    has_words: bool = False
    deleted: bool = False
    can_change_network: bool = False
    """Whether `ForgetNetwork` is possible: not where the command line named node and mixnet."""
    node_card: str = ""
    mixnet: str = ""
    """For `network` and `new`: what to show in the fields; empty means `nym`."""
    emulated: bool = False
    """The mixnet is the emulator: say at all times that it gives no anonymity."""
    problem: Problem | None = None


class ConnectionWire(Wired, frozen=True):
    """The route to the node."""

    state: Literal["connected", "connecting", "offline"]
    problem: Problem | None = None
    """Why it is offline."""


class WarningsWire(Wired, frozen=True):
    """What a dishonest node did. Stays on the screen."""

    caught: list[Literal[
        "two_tells", "two_cards", "foreign_card", "too_much_work", "promise_broken", "false_proof", "forked_log",
        "name_changed", "chain_rewritten",
    ]]  # fmt: skip
    """What the node signed, and no honest node signs."""
    doubted_since: int | None
    """Since when the node does not show that its public directory continues the one that it showed before."""
    unwitnessed_since: int | None
    """Since when it shows a log that too few of the user's witnesses have signed."""
    stalled_since: int | None
    """Since when the user's new message key waits for the node to publish it."""
    node_moved: bool
    """The node has sent a card with another address since this program started."""


class TotalsWire(Wired, frozen=True):
    """For the title of the window, and for headings."""

    unread: int
    """Unread texts of accepted people who are not muted."""
    requests: int
    """People who wait for a decision; counted up to 1,000."""
    archived: int
    refused: int


class ContactChangedWire(Wired, frozen=True):
    """A line is new, or has changed; `contact.list` may be another one than before."""

    contact: ContactLine


class ContactGoneWire(Wired, frozen=True):
    """This person is in no list any more."""

    name: str


class ListsChangedWire(Wired, frozen=True):
    """Much has changed (a backup was restored): read lists and the open conversation again."""


class TextChangedWire(Wired, frozen=True):
    """A text of a conversation is new, or has changed."""

    name: str
    text: TextView


class TextsGoneWire(Wired, frozen=True):
    """Texts were deleted, or disappeared. `rows` None: it is not known which, fetch the conversation again."""

    name: str
    rows: list[int] | None


class ArrivedWire(Wired, frozen=True):
    """A text came, or with `file` the offer of a file."""

    name: str
    row: int
    request: bool
    muted: bool
    file: bool = False


class DraftChangedWire(Wired, frozen=True):
    """Another window changed what is being written to this person."""

    name: str
    text: str


class OutgoingWire(Wired, frozen=True):
    """A text is being stored by a window; it becomes a `TextChanged`, or `failed` says that it did not."""

    name: str
    nonce: str
    text: str
    failed: Problem | None = None
    done: bool = False


class EndedWire(Wired, frozen=True):
    """The program ends."""


class NameCheckedWire(_Answer, frozen=True):
    """This name is free, in its canonical form."""

    name: str


class WordsWire(_Answer, frozen=True):
    """The twelve recovery words."""

    words: list[str]


class ContactsWire(_Answer, frozen=True):
    """Lines; `next` is for `after`, None at the end."""

    contacts: list[ContactLine]
    next: str | None


class FoundText(msgspec.Struct, frozen=True):
    """A text that was found; open it by `OpenConversation(around=row)`."""

    name: str
    nickname: str
    row: int
    out: bool
    at: int
    snippet: str
    """What surrounds the first match, on one line."""


class FoundWire(_Answer, frozen=True):
    """Newest texts first; people on the first page only. With `next` there are texts that were not searched yet:
    these may be few, or none."""

    contacts: list[ContactLine]
    texts: list[FoundText]
    next: str | None


class FoundPersonWire(_Answer, frozen=True):
    """This person is in the list of contacts now."""

    contact: ContactLine


class ConversationWire(_Answer, frozen=True):
    """A conversation, or more of it. Rows rise."""

    contact: ContactLine
    texts: list[TextView]
    older: bool
    """Whether there are older texts than these."""
    newer: bool
    draft: str
    outgoing: list[OutgoingWire]
    """Texts that are being stored at this moment."""


class DeletingWire(_Answer, frozen=True):
    """The texts are hidden in all windows, and deleted when `Admitted.undo_s` is over, or the program ends."""

    undo: int


class SafetyNumberWire(_Answer, frozen=True):
    """Twelve groups of five digits, with spaces; and the QR code of the scanned form."""

    name: str
    number: str
    qr: list[str]
    identity_key: str
    """Send it back with the decision, which is about this identity only."""
    trust: Literal["confirmed", "verified", "changed"]


class LinkWire(_Answer, frozen=True):
    """The user's own link."""

    link: str
    qr: list[str]


class AboutWire(_Answer, frozen=True):
    """For settings and about. Licences: `/static/vendor/licences.txt`."""

    version: str
    name: str
    node: str
    """The node's identity key, 64 hexadecimal digits."""
    witnesses: WitnessesView | None
    mixnet: str
    emulated: bool
    identity_key: str
    protected: bool
    recoveries: int
    home: str
    """Folder of this account."""
    backup_folder: str
    """A new folder to propose for a backup, as an absolute path."""


class BackupWrittenWire(_Answer, frozen=True):
    """Where it is, as an absolute path."""

    folder: str


class BackupReadWire(_Answer, frozen=True):
    """What was not there before."""

    contacts: int
    texts: int


class ReplacedWire(_Answer, frozen=True):
    """How often this identity was replaced. If the user remembers more, the node hides some: replace it again."""

    recoveries: int


class AccountDeletedWire(_Answer, frozen=True):
    """The node reserves the name for its owner until then."""

    until: int


class DoneWire(_Answer, frozen=True):
    """It was done."""


class FailedWire(_Answer, frozen=True):
    """It was not."""

    problem: Problem


AnswerWire = (
    NameCheckedWire | WordsWire | ContactsWire | FoundWire | FoundPersonWire | ConversationWire | DeletingWire
    | SafetyNumberWire | LinkWire | AboutWire | BackupWrittenWire | BackupReadWire | ReplacedWire
    | AccountDeletedWire | DoneWire | FailedWire
)  # fmt: skip
PushWire = (
    AdmittedWire | NotAdmittedWire | HomeWire | ConnectionWire | WarningsWire | TotalsWire | ContactChangedWire
    | ContactGoneWire | ListsChangedWire | TextChangedWire | TextsGoneWire | ArrivedWire | DraftChangedWire
    | OutgoingWire | EndedWire
)  # fmt: skip
ToWindow = AnswerWire | PushWire

_encoder: Final = msgspec.json.Encoder()


def written(message: ToWindow) -> str:
    """A message for a window."""
    return _encoder.encode(message).decode()
