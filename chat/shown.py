"""The client's views as a window gets them."""

from __future__ import annotations

from typing import Final, get_args

from usernym import Consent, DeliveryState, FileState, FileView, HandshakeState, Route, Trust
from usernym.chat.problems import refusal
from usernym.chat.wire import ContactLine, FilePart, LastLine, ListName, TextView
from usernym.contact_list import ListedContact
from usernym.entries import ConversationEntry
from usernym.protocol.payloads import COUNTERS_A_HOME

SNIPPET_LETTERS: Final = 120
"""Of a text in a list: one line, even on a wide screen."""
_BEFORE_MATCH: Final = 30
"""Characters of a text that are shown before what a search found."""
_TRUST: Final[dict[Trust, str]] = {
    Trust.CONFIRMED: "confirmed",
    Trust.VERIFIED: "verified",
    Trust.CHANGED: "changed",
}
_FILE_STATES: Final[dict[FileState, str]] = {
    FileState.OFFERED: "offered",
    FileState.UNDER_WAY: "under_way",
    FileState.COMPLETE: "complete",
    FileState.CANCELLED: "cancelled",
    FileState.ENDED: "ended",
    FileState.DAMAGED: "damaged",
    FileState.FAILED: "failed",
}
_NOWHERE: Final = (DeliveryState.WAITING, DeliveryState.REFUSED, DeliveryState.CANCELLED)
"""States of texts that may not have been sent by any route."""
LISTS: Final[dict[ListName, tuple[tuple[Consent, ...], bool | None]]] = {
    "contacts": ((Consent.ACCEPTED,), False),
    "archived": ((Consent.ACCEPTED,), True),
    "requests": ((Consent.PENDING,), False),
    "refused": ((Consent.DECLINED, Consent.BLOCKED), None),
}
"""What each list shows: consents, and whether of archived contacts."""
assert set(LISTS) == set(get_args(ListName))


def list_of(consent: Consent, archived: bool) -> ListName:
    """The list in which a contact stands."""
    match consent:
        case Consent.ACCEPTED:
            return "archived" if archived else "contacts"
        case Consent.PENDING:
            return "requests"
        case _:
            return "refused"


def contact_line(listed: ListedContact, *, hide_last: bool = False) -> ContactLine:
    """A line of a list; without its newest text if that is being deleted."""
    contact, last = listed.contact, listed.last
    shown = None
    if last is not None and not hide_last:
        state = str(last.state) if last.outgoing else None
        shown = LastLine(last.row, last.outgoing, snippet(last.beginning), last.stored_at, state, last.is_file)  # type: ignore[arg-type]  # the words of DeliveryState
    return ContactLine(
        name=contact.name,
        list=list_of(contact.state, listed.is_archived),
        key=contact.identity_key,
        nickname=listed.nickname,
        trust=trust_word(contact.trust),  # type: ignore[arg-type]  # one of three
        directory=contact.directory.name.lower(),  # type: ignore[arg-type]  # the words of InDirectory
        state=str(contact.state),  # type: ignore[arg-type]  # the words of Consent
        route=route_word(contact.handshake),  # type: ignore[arg-type]  # the words of HandshakeState
        direct_only=contact.direct_only,
        direct_silent=contact.direct_silent,
        disappears_after=contact.disappears_after,
        muted=listed.is_muted,
        pinned=listed.is_pinned,
        unread=listed.unread,
        order=listed.last_row,
        has_draft=listed.has_draft,
        last=shown,
    )


def text_view(entry: ConversationEntry) -> TextView:
    """A text, or a file."""
    message = entry.message
    return TextView(
        row=message.row,
        order=(message.place, *divmod(message.counter, COUNTERS_A_HOME), message.row),
        message_id=message.message_id,
        out=message.outgoing,
        text=message.text,
        sent_at=message.sent_at,
        arrived_at=message.arrived_at,
        state=None if message.state is None else str(message.state),  # type: ignore[arg-type]  # the words of DeliveryState
        reason=None if message.reason is None else refusal(message.reason),
        route=None if message.state in _NOWHERE else "direct" if message.route is Route.DIRECT else "node",
        missing=message.missing,
        late=message.late,
        read=message.read,
        file=None if entry.file is None else _file_part(entry.file),
    )


def _file_part(file: FileView) -> FilePart:
    return FilePart(file.is_picture, file.size, file.done, _FILE_STATES[file.state])  # type: ignore[arg-type]  # one of these


def trust_word(trust: Trust) -> str:
    """As it travels."""
    return _TRUST[trust]


def route_word(state: HandshakeState) -> str:
    """As it travels."""
    return str(state).replace(" ", "_")


def snippet(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * SNIPPET_LETTERS].split())
    return line if len(line) <= SNIPPET_LETTERS else f"{line[:SNIPPET_LETTERS]}…"


def found_snippet(text: str, words: str) -> str:
    """What surrounds the first place where a text has these words, on one line."""
    at = text.lower().find(words.lower())
    start = max(0, at - _BEFORE_MATCH)
    return ("…" if start else "") + snippet(text[start:])
