"""Commands on texts: send, history, search, retry, cancel, erase, disappear."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

import usernym
from usernym.cli.command import NAME, TEXTS_SHOWN_MAX, YES, ClientCommand, Deadline, Invocation, number, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.hints import Hint
from usernym.cli.holder import ID_DIGITS_MIN, check_known, contact_of, first_lookup, kept, one_named, retry_until
from usernym.cli.replies import ContactReply, SentReply, TextReply, fitting, reason_word, reply_of, text_reply
from usernym.cli.session import Session, asks
from usernym.cli.terminal import clock, confirm_by_name, print_err, print_line, print_marked, span
from usernym.protocol.errors import refusal_text
from usernym.protocol.limits import TEXT_BYTES_MAX
from usernym.settings import ClientSettings, duration

if TYPE_CHECKING:
    from usernym import Client, Consent, MessageView, Sent

TEXTS_DEFAULT: Final = 50

Wait = Literal["queued", "accepted", "delivered"]

_LIMIT: Final = option(
    "--limit", type=number(1, TEXTS_SHOWN_MAX), default=TEXTS_DEFAULT, metavar="N",
    help=f"at most this many; default {TEXTS_DEFAULT}",
)  # fmt: skip
_ID: Final = option("message_id", metavar="ID", help="the text's id as `history` shows it, or all of it")


# -- send -------------------------------------------------------------------------------------------------------------


class SendCommand(ClientCommand[SentReply], frozen=True, tag="send"):
    """Send a text, and wait until it has got as far as `wait` says."""

    name: str
    text: str
    wait: Wait

    def perform(self, client: Client, deadline: Deadline, /) -> SentReply:
        if contact_of(client, self.name) is None:
            first_lookup(client, self.name, deadline, "text", online=self.wait != "queued")
        # First of all it is put on disk: whatever happens then, it is sent when this home is online.
        sent = client.send(self.name, self.text, wait="queued", timeout=deadline.left())
        if self.wait != "queued" and sent.state is usernym.DeliveryState.WAITING:
            try:
                retry_until(client, client.go_online, deadline)
                sent = client.follow(self.name, sent.message_id, deadline.left(), wait=self.wait)
            except (CommandFailed, usernym.NotReady) as error:
                raise kept(error, "text", sent.message_id, "waiting", f"usernym cancel {self.name}") from error
        return _taken(sent, client.contact(self.name).state)


def _taken(sent: Sent, state: Consent) -> SentReply:
    """A text that is on its way. Raises `CommandFailed` for one that was refused, has expired or was cancelled."""
    states, reason = usernym.DeliveryState, reason_word(sent.reason)
    if sent.state in (states.REFUSED, states.EXPIRED, states.CANCELLED):
        text = "the message was not taken" if sent.reason is None else refusal_text(sent.reason)
        raise CommandFailed(Exit.REFUSED, reason or str(sent.state), text)
    return reply_of(SentReply, sent, id=sent.message_id, reason=reason, contact=state)


_SENT: Final = {
    "waiting": "stored here and on its way; not accepted by the node yet",
    "accepted": "accepted by the node, which keeps it until {name} has it",
    "delivered": "delivered: {name}'s client has it",
}


def _send(_session: Session, typed: Invocation[ClientSettings]) -> SendCommand:
    given = typed.given
    return SendCommand(given.name, _text_of(given.text), given.wait)


def _text_of(given: str) -> str:
    """The text to send: as it was typed, or from the standard input."""
    if given == "-":
        try:
            given = sys.stdin.buffer.read(TEXT_BYTES_MAX + 2).decode().removesuffix("\n")
        except UnicodeDecodeError:
            raise CommandFailed(Exit.USAGE, "text_length", "the text on the standard input is not UTF-8") from None
    try:
        given.encode()
    except UnicodeEncodeError:
        raise CommandFailed(Exit.USAGE, "text_length", "the text is not valid Unicode") from None
    return given


def _print_sent(sent: SentReply, given: Namespace) -> None:
    # A message that the node accepted is at the node, even if it was sent directly at first.
    route = ", directly" if sent.route == "direct" and sent.state != "accepted" else ""
    print_line(_SENT[sent.state].format(name=given.name) + route)
    if sent.contact in ("blocked", "declined"):
        undo = Hint.of(given).command(f"accept {given.name}")
        print_err(f"! {given.name} is {sent.contact} here: their answers are not shown, until `{undo}`")


# -- history, search --------------------------------------------------------------------------------------------------


class HistoryReply(msgspec.Struct, frozen=True):
    """A page of a conversation, the oldest text first."""

    texts: list[TextReply]
    earlier: bool
    """Whether there are texts before these."""


class HistoryCommand(ClientCommand[HistoryReply], frozen=True, tag="history"):
    """Read a page of a conversation: the newest one, or the one before a row."""

    name: str
    limit: int
    before: int | None = None

    def perform(self, client: Client, _deadline: Deadline, /) -> HistoryReply:
        check_known(client, self.name)
        limit = min(self.limit, TEXTS_SHOWN_MAX)
        found = [text_reply(text, TextReply) for text in client.conversation(self.name, limit + 1, self.before)][::-1]
        page = fitting(found[:limit])
        return HistoryReply(page[::-1], len(page) < len(found))


def _print_page(page: HistoryReply, given: Namespace) -> None:
    for text in page.texts:
        _print_text(given.name, text)
    if page.earlier:
        rest = f"history {given.name} --before {page.texts[0].row}"
        print_err(f"there are earlier ones: {Hint.of(given).command(rest)}")


class FoundTextReply(TextReply, frozen=True, rename={"contact": "with"}):
    """A text that was found."""

    contact: str
    """The contact of the conversation that it is in."""


class SearchReply(msgspec.Struct, frozen=True):
    """A page of the texts that were found, the newest first."""

    texts: list[FoundTextReply]
    earlier: bool
    """Whether there are texts before these."""


class SearchCommand(ClientCommand[SearchReply], frozen=True, tag="search"):
    """Find texts that contain a text, of one contact or of all: the newest, or those before a row."""

    text: str
    limit: int
    name: str | None = None
    before: int | None = None

    def perform(self, client: Client, _deadline: Deadline, /) -> SearchReply:
        limit = min(self.limit, TEXTS_SHOWN_MAX)
        texts = client.search(self.text, name=self.name, limit=limit + 1, before=self.before)
        found = [text_reply(text, FoundTextReply, contact=name) for name, text in texts]
        page = fitting(found[:limit])
        return SearchReply(page, len(page) < len(found))


def _print_found(found: SearchReply, given: Namespace) -> None:
    for text in found.texts:
        _print_text(text.contact, text)
    if found.earlier:
        who = "" if given.name is None else f" --with {given.name}"
        rest = f"search {shlex.quote(given.text)}{who} --before {found.texts[-1].row}"
        print_err(f"there are earlier ones: {Hint.of(given).command(rest)}")


_CAN_BE_RETRIED: Final = ("waiting", "expired", "refused", "cancelled")


def _print_text(name: str, text: TextReply) -> None:
    notes = [text.state] if text.state is not None else []
    if text.state in _CAN_BE_RETRIED:
        notes.append(text.message_id[:ID_DIGITS_MIN])
    if text.missing:
        notes.append(f"{text.missing} before this one missing")
    if text.late:
        notes.append(f"late, came {clock(text.arrived_at)}")
    who = f"to {name}" if text.outgoing else name
    suffix = f" ({', '.join(notes)})" if notes else ""
    print_marked(f"[{clock(text.sent_at)}] {who}{suffix}: {text.text}")


# -- one text: retry, cancel ------------------------------------------------------------------------------------------


def _text_named(client: Client, name: str, digits: str, *, own: bool) -> MessageView:
    """The text whose id begins with these digits; with `own`, one of the user's own texts. Raises `CommandFailed`."""
    whose = "your texts to" if own else "the texts with"

    def found(start: str) -> list[MessageView]:
        return [text for text in client.messages_by_id(name, start) if text.outgoing >= own]

    return one_named(client, name, digits, "text", whose, found)


class RetryCommand(ClientCommand[SentReply], frozen=True, tag="retry"):
    """Send a text again, and wait as `SendCommand` does."""

    name: str
    message_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""
    wait: Wait = "accepted"

    def perform(self, client: Client, deadline: Deadline, /) -> SentReply:
        text = _text_named(client, self.name, self.message_id, own=True)
        if self.wait != "queued":
            retry_until(client, client.go_online, deadline)
        sent = client.retry(self.name, text.message_id, deadline.left(), wait=self.wait)
        return _taken(sent, client.contact(self.name).state)


class CancelledReply(msgspec.Struct, frozen=True):
    """A text that was cancelled."""

    id: str
    state: Literal["cancelled"] = "cancelled"


class CancelCommand(ClientCommand[CancelledReply], frozen=True, tag="cancel"):
    """Do not send a text that still waits. Raises `CommandFailed` if it is too late."""

    name: str
    message_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""

    def perform(self, client: Client, deadline: Deadline, /) -> CancelledReply:
        text = _text_named(client, self.name, self.message_id, own=True)
        if not client.cancel(text.message_id, deadline.left()):
            state = _text_named(client, self.name, text.message_id, own=True).state
            is_waiting = state is usernym.DeliveryState.WAITING
            why = "it is being handed to the node right now" if is_waiting else f"it is {state}"
            raise CommandFailed(Exit.REFUSED, "not_cancelled", f"this text can't be cancelled: {why}")
        return CancelledReply(text.message_id)


# -- erase, disappear -------------------------------------------------------------------------------------------------


class ErasedReply(msgspec.Struct, frozen=True):
    """How many texts were erased in this home."""

    erased: int


class EraseCommand(ClientCommand[ErasedReply], frozen=True, tag="erase"):
    """Erase a text with a contact, or all of them; the user has confirmed it."""

    name: str
    message_id: str | None = None
    """The id, or at least its first `ID_DIGITS_MIN` digits; None for all texts."""

    def perform(self, client: Client, _deadline: Deadline, /) -> ErasedReply:
        check_known(client, self.name)
        if self.message_id is None:
            return ErasedReply(client.erase_conversation(self.name))
        return ErasedReply(client.erase([_text_named(client, self.name, self.message_id, own=False)]))


def _erase(_session: Session, typed: Invocation[ClientSettings]) -> EraseCommand:
    name, text = typed.given.name, typed.given.text
    if not typed.given.yes and text is None:
        warning = f"This erases all texts with {name} in this home. Their copies stay."
        confirm_by_name(name, warning, "this erases all texts: confirm with --yes", "nothing was erased")
    return EraseCommand(name, text)


class DisappearCommand(ClientCommand[ContactReply], frozen=True, tag="disappear"):
    """Erase texts with a contact in this home after this many seconds; None keeps them."""

    name: str
    seconds: int | None

    def perform(self, client: Client, _deadline: Deadline, /) -> ContactReply:
        check_known(client, self.name)
        client.set_disappearing(self.name, self.seconds)
        return reply_of(ContactReply, client.contact(self.name))


def _disappear(_session: Session, typed: Invocation[ClientSettings]) -> DisappearCommand:
    wanted = typed.given.time
    try:
        return DisappearCommand(typed.given.name, None if wanted == "off" else int(duration(wanted)))
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "settings", f"{error}; or `off`") from None


def _print_disappearing(contact: ContactReply, _given: Namespace) -> None:
    name = contact.name
    if contact.disappears_after is None:
        print_line(f"texts with {name} stay in this home until you erase them")
        return
    print_line(
        f"texts with {name} are erased in this home {span(contact.disappears_after)} after they were read or written;"
        f" {name} keeps their copies, and does not learn it"
    )


ENTRIES: Final = (
    asks(
        "send", "send a text", _send, _print_sent, NAME,
        option("text", metavar="TEXT", help="the text, or - to read it from the standard input"),
        option("--wait", choices=("queued", "accepted", "delivered"), default="accepted",
               help="until it is stored here, accepted by the node (default), or delivered to its recipient"),
        prints=(SentReply,),
    ),
    asks("history", "show a conversation, its newest page", HistoryCommand, _print_page, NAME,
         option("--before", type=number(1), metavar="ROW", help="the page before this text"), _LIMIT),
    asks("search", "find texts, the newest first", SearchCommand, _print_found, option("text", metavar="TEXT"),
         option("--with", dest="name", metavar="NAME", help="with this contact only"),
         option("--before", type=number(1), metavar="ROW", help="those before this text"), _LIMIT),
    asks("retry", "send one of your texts now that waits, or once more if it failed", RetryCommand,
         f"sent again as {{reply.id:.{ID_DIGITS_MIN}}}: {{reply.state}}", NAME, _ID),
    asks("cancel", "do not send one of your texts that still waits here", CancelCommand,
         "cancelled: it will not be sent; `usernym retry` sends it after all", NAME, _ID),
    asks(
        "erase", "erase all texts with a contact, or one, in this home only", _erase,
        "{reply.erased} texts were erased", NAME,
        option("--text", metavar="ID", help=f"only this one: at least {ID_DIGITS_MIN} digits of its id (history --json"
               " has it)"),
        YES, prints=(ErasedReply,),
    ),
    asks("disappear", "erase texts with a contact after a time, in this home only; they do not learn it",
         _disappear, _print_disappearing, NAME,
         option("time", metavar="TIME", help="such as 1h or 7d, from a minute to a year; or: off"),
         prints=(ContactReply,)),
)  # fmt: skip
