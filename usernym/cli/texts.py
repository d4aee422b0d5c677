"""Commands on texts: send, history, search, retry, cancel, erase, disappear."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec

import usernym
from usernym import control
from usernym.cli.command import TEXTS_SHOWN_MAX, ClientCommand, Deadline, Entry, Invocation, count
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import check_known, contact_of, look_up, retry_until
from usernym.cli.replies import ContactReply, SentReply, TextReply, contact_reply, sent_reply, text_reply
from usernym.cli.session import Session
from usernym.cli.terminal import clock, confirm_by_name, print_err, print_json, print_line, print_marked, span
from usernym.protocol.errors import refusal_text
from usernym.protocol.limits import TEXT_BYTES_MAX
from usernym.protocol.names import canonical
from usernym.settings import ClientSettings, duration

if TYPE_CHECKING:
    from usernym import Client, MessageView, Sent

ID_DIGITS_MIN: Final = 8
"""Digits of a message's id that name it: `history` shows this many."""
ANSWER_BYTES_MAX: Final = control.LINE_BYTES_MAX - 4096
"""Of texts in one answer; the rest is for what is around them."""
TEXTS_DEFAULT: Final = 50

T = TypeVar("T", bound=TextReply)
Wait = Literal["queued", "accepted", "delivered"]


def _name(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


# -- send -------------------------------------------------------------------------------------------------------------


class SendCommand(ClientCommand[SentReply], frozen=True, tag="send"):
    """Send a text."""

    name: str
    text: str
    wait: Wait

    def perform(self, client: Client, deadline: Deadline, /) -> SentReply:
        """Send it, and wait until it has got as far as `wait` says."""
        try:
            if self.wait != "queued":
                retry_until(client, client.go_online, deadline)
            if contact_of(client, self.name) is None:
                # First, so that no text is left waiting for a lookup that is not followed any more.
                look_up(client, self.name, deadline)
        except CommandFailed as failed:
            if failed.exit_code is Exit.NO_ANSWER:
                failed.text += "; the text was not kept (`--wait queued` keeps it here until it can be sent)"
            raise
        return _taken(client.send(self.name, self.text, wait=self.wait, timeout=deadline.left()))


def _taken(sent: Sent) -> SentReply:
    """A text that is on its way. Raises `CommandFailed` for one that was refused, has expired or was cancelled."""
    states = usernym.DeliveryState
    if sent.state in (states.REFUSED, states.EXPIRED, states.CANCELLED):
        text = "the message was not taken" if sent.reason is None else refusal_text(sent.reason)
        kind = str(sent.state) if sent.reason is None else sent.reason.name.lower()
        raise CommandFailed(Exit.REFUSED, kind, text)
    return sent_reply(sent)


_SENT: Final = {
    "waiting": "stored here and on its way; not accepted by the node yet",
    "accepted": "accepted by the node, which keeps it until {name} has it",
    "delivered": "delivered: {name}'s client has it",
}


def _send_options(parser: ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("text", metavar="TEXT", help="the text, or - to read it from the standard input")
    parser.add_argument(
        "--wait",
        choices=("queued", "accepted", "delivered"),
        default="accepted",
        help="until it is stored here, accepted by the node (default), or delivered to its recipient",
    )


def send(typed: Invocation[ClientSettings]) -> None:
    """`usernym send NAME TEXT`."""
    name, text = canonical(typed.given.name), _text_of(typed.given.text)
    with Session(typed) as session:
        sent = session.call(SendCommand(name, text, typed.given.wait))
    if typed.json:
        print_json(sent)
    else:
        # A message that the node accepted is at the node, even if it was sent directly at first.
        route = ", directly" if sent.route == "direct" and sent.state != "accepted" else ""
        print_line(_SENT[sent.state].format(name=name) + route)


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
        """Read it."""
        check_known(client, self.name)
        limit = min(self.limit, TEXTS_SHOWN_MAX)
        found = [text_reply(text) for text in client.conversation(self.name, limit + 1, self.before)][::-1]
        page = _fitting(found[:limit])
        return HistoryReply(page[::-1], len(page) < len(found))


def _history_options(parser: ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--before", type=int, metavar="ROW", help="the page before this text")
    _limit(parser)


def _limit(parser: ArgumentParser) -> None:
    text = f"at most this many; default {TEXTS_DEFAULT}"
    parser.add_argument("--limit", type=count, default=TEXTS_DEFAULT, metavar="N", help=text)


def history(typed: Invocation[ClientSettings]) -> None:
    """`usernym history NAME`."""
    name = canonical(typed.given.name)
    with Session(typed) as session:
        page = session.call(HistoryCommand(name, typed.given.limit, typed.given.before))
    if typed.json:
        print_json(page)
        return
    for text in page.texts:
        _print_text(name, text)
    if page.earlier:
        print_err(f"there are earlier ones: usernym history {name} --before {page.texts[0].row}")


class FoundTextReply(TextReply, frozen=True, rename={"contact": "with"}):
    """A text that was found."""

    contact: str
    """The contact of the conversation that it is in."""


class SearchReply(msgspec.Struct, frozen=True):
    """Texts that were found, the newest first."""

    texts: list[FoundTextReply]


class SearchCommand(ClientCommand[SearchReply], frozen=True, tag="search"):
    """Find texts that contain a text, of one contact or of all."""

    text: str
    limit: int
    name: str | None = None

    def perform(self, client: Client, _deadline: Deadline, /) -> SearchReply:
        """Find them."""
        found = client.search(self.text, name=self.name, limit=min(self.limit, TEXTS_SHOWN_MAX))
        texts = [FoundTextReply(**msgspec.structs.asdict(text_reply(text)), contact=contact) for contact, text in found]
        return SearchReply(_fitting(texts))


def _search_options(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument("--with", dest="name", metavar="NAME", help="with this contact only")
    _limit(parser)


def search(typed: Invocation[ClientSettings]) -> None:
    """`usernym search TEXT`."""
    name = None if typed.given.name is None else canonical(typed.given.name)
    with Session(typed) as session:
        found = session.call(SearchCommand(typed.given.text, typed.given.limit, name))
    if typed.json:
        print_json(found)
        return
    for text in found.texts:
        _print_text(text.contact, text)


def _fitting(texts: list[T]) -> list[T]:
    """As many of the first texts as one answer on the control socket holds; one at least."""
    size = 0
    for at, text in enumerate(texts):
        size += len(control.encode(msgspec.to_builtins(text)))
        if size > ANSWER_BYTES_MAX and at:
            return texts[:at]
    return texts


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
    check_known(client, name)
    if len(digits) < ID_DIGITS_MIN:
        raise CommandFailed(Exit.USAGE, "settings", f"name a text by at least {ID_DIGITS_MIN} digits of its id")
    found = [text for text in client.messages_by_id(name, digits) if text.outgoing >= own]
    if len(found) != 1:
        whose = f"of your texts to {name}" if own else f"of the texts with {name}"
        why = "none" if not found else "more than one"
        raise CommandFailed(Exit.REFUSED, "no_text", f"{why} {whose} has an id that begins with these digits")
    return found[0]


def _id_options(parser: ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("id", metavar="ID", help="the text's id as `history` shows it, or all of it")


class RetryCommand(ClientCommand[SentReply], frozen=True, tag="retry"):
    """Send a text again."""

    name: str
    message_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""
    wait: Wait

    def perform(self, client: Client, deadline: Deadline, /) -> SentReply:
        """Send it, and wait as `SendCommand` does."""
        text = _text_named(client, self.name, self.message_id, own=True)
        if self.wait != "queued":
            retry_until(client, client.go_online, deadline)
        return _taken(client.retry(self.name, text.message_id, deadline.left(), wait=self.wait))


def retry(typed: Invocation[ClientSettings]) -> None:
    """`usernym retry NAME ID`."""
    name = canonical(typed.given.name)
    with Session(typed) as session:
        sent = session.call(RetryCommand(name, typed.given.id, "accepted"))
    if typed.json:
        print_json(sent)
    else:
        print_line(f"sent again as {sent.id[:ID_DIGITS_MIN]}: {sent.state}")


class CancelledReply(msgspec.Struct, frozen=True):
    """A text that was cancelled."""

    id: str
    state: Literal["cancelled"] = "cancelled"


class CancelCommand(ClientCommand[CancelledReply], frozen=True, tag="cancel"):
    """Do not send a text that still waits."""

    name: str
    message_id: str
    """The id, or at least its first `ID_DIGITS_MIN` digits."""

    def perform(self, client: Client, deadline: Deadline, /) -> CancelledReply:
        """Raise `CommandFailed` if it is too late."""
        text = _text_named(client, self.name, self.message_id, own=True)
        if not client.cancel(text.message_id, deadline.left()):
            state = _text_named(client, self.name, text.message_id, own=True).state
            is_waiting = state is usernym.DeliveryState.WAITING
            why = "it is being handed to the node right now" if is_waiting else f"it is {state}"
            raise CommandFailed(Exit.REFUSED, "not_cancelled", f"this text can't be cancelled: {why}")
        return CancelledReply(text.message_id)


def cancel(typed: Invocation[ClientSettings]) -> None:
    """`usernym cancel NAME ID`."""
    name = canonical(typed.given.name)
    with Session(typed) as session:
        cancelled = session.call(CancelCommand(name, typed.given.id))
    if typed.json:
        print_json(cancelled)
    else:
        print_line("cancelled: it will not be sent; `usernym retry` sends it after all")


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
        """Erase them."""
        check_known(client, self.name)
        if self.message_id is None:
            return ErasedReply(client.erase_conversation(self.name))
        return ErasedReply(client.erase([_text_named(client, self.name, self.message_id, own=False)]))


def _erase_options(parser: ArgumentParser) -> None:
    _name(parser)
    text = f"only this one: at least {ID_DIGITS_MIN} digits of its id (history --json has it)"
    parser.add_argument("--text", metavar="ID", help=text)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def erase(typed: Invocation[ClientSettings]) -> None:
    """`usernym erase NAME`, all texts; or one, by its id."""
    name = canonical(typed.given.name)
    if not typed.given.yes and typed.given.text is None:
        warning = f"This erases all texts with {name} in this home. Their copies stay."
        confirm_by_name(name, warning, "this erases all texts: confirm with --yes", "nothing was erased")
    with Session(typed) as session:
        reply = session.call(EraseCommand(name, typed.given.text))
    if typed.json:
        print_json(reply)
    else:
        print_line(f"{reply.erased} texts were erased")


class DisappearCommand(ClientCommand[ContactReply], frozen=True, tag="disappear"):
    """Erase texts with a contact in this home after this many seconds; None keeps them."""

    name: str
    seconds: int | None

    def perform(self, client: Client, _deadline: Deadline, /) -> ContactReply:
        """Set it."""
        check_known(client, self.name)
        client.set_disappearing(self.name, self.seconds)
        return contact_reply(client.contact(self.name))


def _disappear_options(parser: ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("time", metavar="TIME", help="such as 1h or 7d, from a minute to a year; or: off")


def disappear(typed: Invocation[ClientSettings]) -> None:
    """`usernym disappear NAME TIME`."""
    name = canonical(typed.given.name)
    try:
        seconds = None if typed.given.time == "off" else int(duration(typed.given.time))
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "settings", f"{error}; or `off`") from None
    with Session(typed) as session:
        contact = session.call(DisappearCommand(name, seconds))
    if typed.json:
        print_json(contact)
    elif seconds is None:
        print_line(f"texts with {name} stay in this home until you erase them")
    else:
        print_line(
            f"texts with {name} are erased in this home {span(seconds)} after they were read or written;"
            f" {name} keeps their copies, and does not learn it"
        )


ENTRIES: Final = (
    Entry("send", "send a text", send, _send_options, prints=(SentReply,)),
    Entry("history", "show a conversation, its newest page", history, _history_options, prints=(HistoryReply,)),
    Entry("search", "find texts, the newest first", search, _search_options, prints=(SearchReply,)),
    Entry("retry", "send one of your texts now that waits, or once more if it failed", retry, _id_options,
          prints=(SentReply,)),
    Entry("cancel", "do not send one of your texts that still waits here", cancel, _id_options,
          prints=(CancelledReply,)),
    Entry("erase", "erase all texts with a contact, or one, in this home only", erase, _erase_options,
          prints=(ErasedReply,)),
    Entry("disappear", "erase texts with a contact after a time, in this home only; they do not learn it", disappear,
          _disappear_options, prints=(ContactReply,)),
)  # fmt: skip
