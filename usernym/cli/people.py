"""Commands on people: lookup, link, verify, contacts, requests, accept, decline, block. `handshake` is on its own."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from usernym.cli.command import NAME, ClientCommand, Deadline, Entry, Invocation, number, one_of, option, switch
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.hints import Hint
from usernym.cli.holder import check_known, contact_of, look_up, retry_until
from usernym.cli.replies import ContactReply, ListedContactReply, TextReply, fitting, reply_of, text_reply
from usernym.cli.session import Session, asks
from usernym.cli.terminal import ask_yes, clock, has_terminal, print_err, print_line, print_marked, span, table
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.names import canonical
from usernym.settings import ClientSettings

if TYPE_CHECKING:
    from usernym import Client, RequestView

IDENTITY_DIGITS_MIN: Final = 16
"""64 bits of an identity key: no one makes another key that begins so while a user types."""
PEOPLE_MAX: Final = 1_000
"""Contacts or requests that one command prints: strangers decide how many requests there are."""
PREVIEW_LETTERS: Final = 60
"""Characters of a stranger's first text in the list of requests; `listen` shows all of it."""


# -- showing a contact ------------------------------------------------------------------------------------------------

_TRUST_NOTES: Final = {
    "confirmed by the node": "only the node says that this key is theirs; compare safety numbers to know",
    "verified": "you compared safety numbers, or used a link of theirs",
    "changed": "THE IDENTITY KEY CHANGED: compare safety numbers before you trust it",
}


_DIRECTORY_NOTES: Final = {
    "in the public directory": "the node has shown that its signed log, which anyone can check, has this key",
    "in the public directory, but not signed by your witnesses": "the node has shown it, in a log whose head too few of"
    " your witnesses have signed; this is checked again within hours, then every week or two",
    "not in the public directory yet": "the node has promised that it soon will be; this is checked within two hours",
    "not in the public directory": "the node has not shown that it is; looking them up again asks for it",
}


def print_contact(contact: ContactReply, _given: Namespace) -> None:
    """Print a contact for a person."""
    print_line(contact.name)
    rows = [
        ("trust", f"{contact.trust} ({_TRUST_NOTES[contact.trust]})"),
        ("directory", f"{contact.directory} ({_DIRECTORY_NOTES[contact.directory]})"),
        ("identity key", contact.identity_key),
        ("safety number", contact.safety_number),
    ]
    if contact.state != "accepted":
        rows.append(("contact", contact.state))
    if contact.handshake != "none":
        rows.append(("handshake", handshake_text(contact)))
    if contact.disappears_after is not None:
        rows.append(("texts", _disappearing(contact.disappears_after)))
    print_line(table(rows))


def handshake_text(contact: ListedContactReply) -> str:
    """The state of a handshake in a few words."""
    only = ", direct only" if contact.direct_only else ""
    return contact.handshake + only + (", the direct route is silent" if contact.direct_silent else "")


def _disappearing(seconds: int) -> str:
    return f"disappear here after {span(seconds)}"


# -- lookup, link -----------------------------------------------------------------------------------------------------


class LookUpCommand(ClientCommand[ContactReply], frozen=True, tag="lookup"):
    """Look up a name at the node, or a friend's link, which verifies them."""

    wanted: str

    def perform(self, client: Client, deadline: Deadline, /) -> ContactReply:
        from usernym.protocol.links import is_link

        if is_link(self.wanted):
            contact = retry_until(client, lambda timeout: client.add_link(self.wanted, timeout), deadline)
        else:
            contact = look_up(client, self.wanted, deadline)
        return reply_of(ContactReply, contact)


def _lookup(_session: Session, typed: Invocation[ClientSettings]) -> LookUpCommand:
    from usernym.protocol.links import is_link, link_text, parse_link

    wanted = typed.given.wanted
    return LookUpCommand(link_text(parse_link(wanted)) if is_link(wanted) else canonical(wanted))


class LinkReply(msgspec.Struct, frozen=True):
    """The link of this home's own name."""

    name: str
    link: str


class LinkCommand(ClientCommand[LinkReply], frozen=True, tag="link"):
    """Make the link of the home's own name."""

    def perform(self, client: Client, _deadline: Deadline, /) -> LinkReply:
        return LinkReply(client.name, client.link())


def _print_link(reply: LinkReply, given: Namespace) -> None:
    if given.qr:
        _print_qr(reply.link)
    print_line(reply.link)


def _print_qr(text: str) -> None:
    """A QR code, if the terminal can show one."""
    from usernym import qr

    code = qr.terminal(text)
    try:
        code.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        raise CommandFailed(Exit.USAGE, "settings", "this terminal can't show a QR code: it needs UTF-8") from None
    print_line(code)


# -- verify -----------------------------------------------------------------------------------------------------------


class ShowCommand(ClientCommand[ContactReply], frozen=True, tag="show"):
    """A contact as it is known here; one that is not known is looked up."""

    name: str

    def perform(self, client: Client, deadline: Deadline, /) -> ContactReply:
        return reply_of(ContactReply, contact_of(client, self.name) or look_up(client, self.name, deadline))


class VerifyCommand(ClientCommand[ContactReply], frozen=True, tag="verify"):
    """Note that the user compared safety numbers, or take it back; unless the identity has changed meanwhile."""

    name: str
    verified: bool
    identity_key: str
    """The key that the user looked at."""

    def perform(self, client: Client, _deadline: Deadline, /) -> ContactReply:
        client.set_verified(self.name, self.verified, identity_key=self.identity_key)
        return reply_of(ContactReply, client.contact(self.name))


class SafetyNumberReply(ContactReply, frozen=True):
    """A contact, with the text of its QR code."""

    qr: str
    """What a scanner reads off the code."""


def verify(typed: Invocation[ClientSettings]) -> None:
    """`usernym verify NAME`."""
    from usernym.protocol.safety import number_code

    name, given = typed.given.name, typed.given
    with Session(typed) as session:
        contact = session.call(ShowCommand(name))
        if given.qr:
            code = number_code(contact.safety_number)
            typed.show(reply_of(SafetyNumberReply, contact, qr=code), _print_number)
            return
        if given.seen:
            _look(contact, given.identity)
        elif given.undo:
            _check_verified(contact)
        else:
            _compare(contact, given.number)
        compared = not (given.undo or given.seen)
        verified = session.call(VerifyCommand(name, compared, contact.identity_key))
    typed.show(verified, "{reply.name} is {reply.trust}")


def _print_number(contact: SafetyNumberReply, _given: Namespace) -> None:
    """A contact's safety number, for their scanner."""
    _print_qr(contact.qr)
    print_line(contact.safety_number)
    name = contact.name
    print_line(f"Let {name} scan this; or scan theirs and give its text: usernym verify {name} --number TEXT")


def _look(contact: ContactReply, identity: str | None) -> None:
    """See to it that the user has looked at this very identity: named as an option, or shown on a terminal."""
    if identity is not None:
        key = "".join(identity.lower().split())
        if len(key) < IDENTITY_DIGITS_MIN:
            text = f"give {IDENTITY_DIGITS_MIN} digits of the identity key or more"
            raise CommandFailed(Exit.USAGE, "settings", text)
        if not contact.identity_key.startswith(key):
            text = f"this is not the identity key of {contact.name} now: look at it again"
            raise CommandFailed(Exit.REFUSED, "identity_moved", text)
        return
    if not has_terminal():
        text = "say which identity you looked at: --identity KEY, as `usernym lookup NAME` shows it"
        raise CommandFailed(Exit.USAGE, "settings", text)
    print_err(f"The identity key of {contact.name} is\n\n    {contact.identity_key}\n")
    print_err(f"and it is {contact.trust}. What waits is sent to it, and nothing shows that it is theirs.")
    if not ask_yes("Continue without comparing safety numbers?"):
        raise CommandFailed(Exit.REFUSED, "not_confirmed", "nothing was changed")


def _check_verified(contact: ContactReply) -> None:
    """Only a verification can be taken back: that must not pass for a look at a changed identity."""
    if contact.trust != "verified":
        text = f"{contact.name} is not verified, but {contact.trust}: nothing was changed"
        raise CommandFailed(Exit.REFUSED, "not_verified", text)


def _compare(contact: ContactReply, number: str | None) -> None:
    """See to it that the number was compared: given as an option, or looked at on a terminal."""
    if number is not None:
        if _digits(number) != _digits(contact.safety_number):
            text = f"this is NOT the safety number with {contact.name}: the keys may have been swapped"
            raise CommandFailed(Exit.REFUSED, "safety_number_differs", text)
        return
    if not has_terminal():
        raise CommandFailed(Exit.USAGE, "settings", "give the safety number that they see: --number '12345 …'")
    print_err(f"The safety number with {contact.name}:\n\n    {contact.safety_number}\n")
    print_err("Compare it with the one they see, face to face or in a call; not in a message sent through this node.")
    if not ask_yes("Are they the same?"):
        raise CommandFailed(Exit.REFUSED, "not_confirmed", "not verified")


_PEOPLE: Final = option(
    "--limit", type=number(1, PEOPLE_MAX), default=PEOPLE_MAX, metavar="N",
    help=f"at most this many; default {PEOPLE_MAX}",
)  # fmt: skip
_AFTER: Final = option("--after", metavar="NAME", default="", help="those whose names come after this one")


def _digits(given: str) -> str:
    """The digits that were typed, or read by a scanner."""
    from usernym.protocol.safety import parse_number

    try:
        return parse_number(given)
    except RemoteProtocolError:
        text = "this is not a safety number: give its sixty digits, or what a scanner reads off its code"
        raise CommandFailed(Exit.USAGE, "settings", text) from None


# -- contacts ---------------------------------------------------------------------------------------------------------


class ContactsReply(msgspec.Struct, frozen=True):
    """A page of the contacts, by name."""

    contacts: list[ListedContactReply]
    more: bool
    """Whether there are others behind the last one: `--after` its name."""


class ContactsCommand(ClientCommand[ContactsReply], frozen=True, tag="contacts"):
    """List the contacts."""

    limit: int = PEOPLE_MAX
    after: str = ""

    def perform(self, client: Client, _deadline: Deadline, /) -> ContactsReply:
        limit = min(self.limit, PEOPLE_MAX)
        found = client.contacts(limit=limit + 1, after=self.after)
        page = fitting([reply_of(ListedContactReply, contact) for contact in found[:limit]])
        return ContactsReply(page, len(page) < len(found))


def _print_contacts(reply: ContactsReply, given: Namespace) -> None:
    if not reply.contacts:
        print_line("no contacts yet: `usernym lookup NAME` finds someone")
    width = max((len(contact.name) for contact in reply.contacts), default=0)
    for contact in reply.contacts:
        notes: list[str] = [contact.trust, contact.directory]
        notes += [] if contact.state == "accepted" else [contact.state]
        notes += [] if contact.handshake == "none" else [f"handshake {handshake_text(contact)}"]
        notes += [] if contact.disappears_after is None else [f"texts {_disappearing(contact.disappears_after)}"]
        print_line(f"{contact.name:<{width}}  {', '.join(notes)}")
    if reply.more:
        print_err(f"there are more: {Hint.of(given).command(f'contacts --after {reply.contacts[-1].name}')}")


# -- requests ---------------------------------------------------------------------------------------------------------


class RequestReply(msgspec.Struct, frozen=True):
    """A stranger who wrote, and waits for your decision."""

    contact: ListedContactReply
    texts: int
    """Texts of theirs that are here."""
    first: TextReply | None
    """The first of them; null if they only offered a handshake."""


class RequestsReply(msgspec.Struct, frozen=True):
    """A page of the requests, or of those that were declined, by name."""

    requests: list[RequestReply]
    more: bool
    """Whether there are others behind the last one: `--after` its name."""


class RequestsCommand(ClientCommand[RequestsReply], frozen=True, tag="requests"):
    """List the requests that wait, or those that were declined."""

    declined: bool = False
    limit: int = PEOPLE_MAX
    after: str = ""

    def perform(self, client: Client, _deadline: Deadline, /) -> RequestsReply:
        limit = min(self.limit, PEOPLE_MAX)
        found = client.requests(declined=self.declined, limit=limit + 1, after=self.after)
        page = fitting([_request_reply(each) for each in found[:limit]])
        return RequestsReply(page, len(page) < len(found))


def _request_reply(request: RequestView) -> RequestReply:
    first = None if request.first is None else text_reply(request.first, TextReply)
    return reply_of(RequestReply, request, contact=reply_of(ListedContactReply, request.contact), first=first)


def _print_requests(reply: RequestsReply, given: Namespace) -> None:
    if not reply.requests:
        print_line("no declined requests" if given.declined else "no requests")
    width = max((len(request.contact.name) for request in reply.requests), default=0)
    for request in reply.requests:
        print_marked(f"{request.contact.name:<{width}}  {_preview(request)}")
    if reply.more:
        declined = " --declined" if given.declined else ""
        rest = f"requests{declined} --after {reply.requests[-1].contact.name}"
        print_err(f"there are more: {Hint.of(given).command(rest)}")


def _preview(request: RequestReply) -> str:
    if request.first is None:
        return "offers a handshake"
    text = request.first.text.replace("\n", " ")
    shown = text if len(text) <= PREVIEW_LETTERS else text[:PREVIEW_LETTERS] + "…"
    more = f" (and {request.texts - 1} more)" if request.texts > 1 else ""
    return f"[{clock(request.first.sent_at)}] {shown}{more}"


Decision = Literal["accept", "decline", "block"]


class DecideCommand(ClientCommand[ContactReply], frozen=True, tag="decide"):
    """Accept, decline or block a contact or a stranger."""

    name: str
    decision: Decision

    def perform(self, client: Client, _deadline: Deadline, /) -> ContactReply:
        check_known(client, self.name)
        {"accept": client.accept, "decline": client.decline, "block": client.block}[self.decision](self.name)
        return reply_of(ContactReply, client.contact(self.name))


def _decide(decision: Decision, _session: Session, typed: Invocation[ClientSettings]) -> DecideCommand:
    return DecideCommand(typed.given.name, decision)


_NUMBER: Final = "the safety number that they see, or what a scanner read off their screen, instead of a question"

ENTRIES: Final = (
    asks("lookup", "look up a name at the node (over a nym-client it knows who asks); a friend's link also verifies"
         " them", _lookup, print_contact,
         option("wanted", metavar="NAME|LINK"), prints=(ContactReply,)),
    asks("link", "print your link, with which friends verify you; give it to them yourself", LinkCommand, _print_link,
         switch("--qr", "draw it, too")),
    Entry(
        "verify", "compare safety numbers with a contact", verify,
        (NAME, one_of(option("--number", metavar="DIGITS", help=_NUMBER),
                      switch("--qr", "only draw the safety number, for them to scan"),
                      switch("--undo", "take it back"),
                      switch("--seen", "accept that their identity has changed, without comparing safety numbers")),
         option("--identity", metavar="KEY", help="with --seen, the identity key that you looked at (the first 16"
                " digits or more), instead of a question")),
        prints=(ContactReply, SafetyNumberReply),
    ),
    asks("contacts", "list your contacts", ContactsCommand, _print_contacts, _PEOPLE, _AFTER),
    asks("requests", "list the strangers who wrote and wait for your decision", RequestsCommand, _print_requests,
         switch("--declined", "list those that you declined, instead"), _PEOPLE, _AFTER),
    asks("accept", "accept a request; undoes `decline` and `block`", partial(_decide, "accept"),
         "{reply.name} is a contact: you see what they write, and they see that it was delivered", NAME,
         prints=(ContactReply,)),
    asks("decline", "decline a request: nothing of theirs is shown, and they do not learn it",
         partial(_decide, "decline"), "declined: {reply.name} does not learn it. `usernym accept {reply.name}` undoes"
         " it, and shows the first texts that they wrote meanwhile", NAME, prints=(ContactReply,)),
    asks("block", "keep nothing of what this person sends; they do not learn it", partial(_decide, "block"),
         "blocked: {reply.name} does not learn it, and nothing that they send is kept. `usernym accept {reply.name}`"
         " undoes it", NAME, prints=(ContactReply,)),
)  # fmt: skip
