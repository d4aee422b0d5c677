"""Commands on the user's account: register, login, whoami, check-name, restore, replace-identity, delete-account."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

import usernym
from usernym.cli.command import NAME, YES, ClientCommand, Deadline, Entry, Invocation, switch
from usernym.cli.failures import NAME_REFUSALS, CommandFailed, Exit, failure_of, refused
from usernym.cli.holder import retry_until
from usernym.cli.replies import (
    WhoAmIReply,
    WitnessesReply,
    doubted_text,
    fault_text,
    reply_of,
    stalled_text,
    unwitnessed_text,
)
from usernym.cli.session import WAITING, Session, asks
from usernym.cli.terminal import (
    LINE_MAX,
    clock,
    confirm_by_name,
    date,
    has_terminal,
    print_err,
    print_json,
    print_line,
    sign_of_life,
    table,
)
from usernym.protocol.names import canonical, check, check_registrable
from usernym.settings import BYTE_ORDER_MARK, ClientSettings

if TYPE_CHECKING:
    from usernym import Client

_REFUSED_NAMES: Final = frozenset(code.name.lower() for code in NAME_REFUSALS)
_NO_PASSPHRASE: Final = switch("--no-passphrase", "choose to keep this home without a passphrase")


# -- register ---------------------------------------------------------------------------------------------------------


class RegisterCommand(ClientCommand[WhoAmIReply], frozen=True, tag="register"):
    """Register the home's name, for the first time or again. Raises `CommandFailed` for another name."""

    name: str

    def perform(self, client: Client, deadline: Deadline, /) -> WhoAmIReply:
        if canonical(self.name) != client.name:
            text = "this home belongs to another name; choose another home for this one"
            raise CommandFailed(Exit.USAGE, "settings", text)
        retry_until(client, client.register, deadline)
        return reply_of(WhoAmIReply, client.whoami())


class RegisterReply(WhoAmIReply, frozen=True):
    """The account that was registered."""

    recovery_words: str | None
    """Twelve words, only when this command made the identity: they are kept nowhere."""


class WordsJson(msgspec.Struct, frozen=True, tag_field="event", tag="recovery_words"):
    """The words of an identity that was just made, before the node is asked: whatever happens next, keep them."""

    recovery_words: str
    """Twelve words. Others that this home printed before are worth nothing."""


def register(typed: Invocation[ClientSettings]) -> None:
    """`usernym register NAME`."""
    name: str = typed.given.name
    check_registrable(name)
    words: list[str] = []

    def on_words(made: str) -> None:
        words.append(made)
        if typed.json:
            print_json(WordsJson(made))
        else:
            _print_words(made)

    with Session(typed, name=name, on_words=on_words) as session:
        try:
            who = session.call(RegisterCommand(name))
        except BaseException as error:
            raise _not_registered(session, failure_of(error), words) from error
    reply = reply_of(RegisterReply, who, recovery_words=words[0] if words else None)
    typed.show(reply, "registered as {reply.name}")


def _not_registered(session: Session, failed: CommandFailed, words: list[str]) -> CommandFailed:
    """The failure, with what happened to the keys that were made."""
    if failed.kind in _REFUSED_NAMES and session.discard_account():
        # The name belongs to another user: nothing is lost with its keys, and the home is free for another name.
        failed.text += "; nothing was registered" + (", and the words above are worth nothing" if words else "")
    elif words:
        failed.extra["recovery_words"] = words[0]
    return failed


def _print_words(words: str) -> None:
    rows = words.split()
    print_line("Your recovery words. They alone bring your name back if this home or its passphrase is lost.")
    print_line("Write them down now, on paper: they are shown only once, and kept nowhere.")
    print_line("If others were shown for this home before, those are worth nothing: these replace them.\n")
    for at in range(0, len(rows), 4):
        row = enumerate(rows[at : at + 4], at + 1)
        print_line("    " + "".join(f"{number:>2}. {word:<10}" for number, word in row))
    print_line("")


# -- login, whoami ----------------------------------------------------------------------------------------------------


class LoginReply(WhoAmIReply, frozen=True):
    """The account that logged in."""

    online: Literal[True] = True


class LoginCommand(ClientCommand[LoginReply], frozen=True, tag="login"):
    """Log in, to see that the account works."""

    card: str | None = None
    """The node's card; it is taken first if it is newer than the known one."""

    def perform(self, client: Client, deadline: Deadline, /) -> LoginReply:
        if self.card is not None:
            client.take_card(self.card, deadline.left())
        retry_until(client, client.go_online, deadline)
        return reply_of(LoginReply, client.whoami())


def _login(_session: Session, typed: Invocation[ClientSettings]) -> LoginCommand:
    return LoginCommand(typed.settings.node)


class WhoAmICommand(ClientCommand[WhoAmIReply], frozen=True, tag="whoami"):
    """Read from the store whose home this is."""

    def perform(self, client: Client, _deadline: Deadline, /) -> WhoAmIReply:
        return reply_of(WhoAmIReply, client.whoami())


def _print_account(who: WhoAmIReply, _given: Namespace) -> None:
    print_line(who.name)
    rows = [
        ("registered", "yes" if who.registered else "not yet: `usernym register` continues"),
        ("identity key", who.identity_key),
        ("node", who.node),
        ("mixnet", who.mixnet),
        ("protected", "by a passphrase" if who.protected else "NOT protected by a passphrase"),
        ("in the public directory", "yes" if who.in_directory else "not seen there yet"),
        ("replaced", "never" if not who.recoveries else f"{who.recoveries} times, with the recovery words"),
    ]
    if who.witnesses is not None:
        rows.append(("witnesses", _witnesses_text(who.witnesses)))
    print_line(table(rows))
    if who.rotation_stalled_since is not None:
        print_line(f"! {stalled_text(who.rotation_stalled_since)}")
    if who.directory_doubted_since is not None:
        print_line(f"! {doubted_text(who.directory_doubted_since)}")
    if who.witnesses is not None and who.witnesses.unmet_since is not None:
        print_line(f"! {unwitnessed_text(who.witnesses.unmet_since)}")
    for fault in who.faults:
        print_line(f"! {fault_text(fault)}")


def _witnesses_text(witnesses: WitnessesReply) -> str:
    wanted = f"{witnesses.needed} of {witnesses.named} must sign"
    if witnesses.signed is None:
        return f"{wanted}; the node has shown no log since they were named"
    last = "never yet" if witnesses.met_at is None else f"last at {clock(witnesses.met_at)}"
    return f"{wanted}; {witnesses.signed} have signed what was shown last; enough had signed {last}"


# -- check-name -------------------------------------------------------------------------------------------------------


class FreeNameReply(msgspec.Struct, frozen=True):
    """A name that is free; any other is a failure."""

    name: str
    free: Literal[True] = True


def check_name(typed: Invocation[ClientSettings]) -> None:
    """`usernym check-name NAME`."""
    name, settings = typed.given.name, typed.settings
    check_registrable(name)  # the node need not be asked about a name that no one can have
    if settings.node is None or settings.mixnet is None:
        text = "asking a node needs --node and --mixnet: see `usernym check-name --help`"
        raise CommandFailed(Exit.USAGE, "settings", text)
    with (
        usernym.Finder.open(node=settings.node, mixnet=settings.mixnet) as finder,
        sign_of_life(WAITING, quiet=typed.json),
    ):
        state = finder.name_state(name, settings.timeout)
    if state.reason is not None:
        raise refused(state.reason)
    text = "{reply.name} is free: `usernym register {reply.name}` takes it, unless someone else is faster"
    typed.show(FreeNameReply(name), text)


# -- an identity that exists ------------------------------------------------------------------------------------------

_REPLACED: Final = (
    "{reply.name} has a new identity. Your contacts see that it changed; compare safety numbers with them again\n"
    "Replacements of this name's identity so far: {reply.recoveries}. If you remember more, the node hides some, or was"
    " restored from an older copy: replace it again, until there are more than you remember"
)


def restore(typed: Invocation[ClientSettings]) -> None:
    """`usernym restore NAME`."""
    name, is_new = typed.given.name, typed.given.replace
    check(name)
    wanted = usernym.Restore(_words(), is_new, typed.settings.timeout)
    with Session(typed, name=name, hand_over=False, restore=wanted) as session:
        who = session.call(LoginCommand())
    same = "{reply.name} is restored, with the same identity: safety numbers stay the same"
    typed.show(who, _REPLACED if is_new else same)


class ReplaceIdentityCommand(ClientCommand[WhoAmIReply], frozen=True, tag="replace identity"):
    """Make a new identity from the recovery words, and log in with it."""

    words: str

    def perform(self, client: Client, deadline: Deadline, /) -> WhoAmIReply:
        retry_until(client, lambda timeout: client.replace_identity(self.words, timeout), deadline)
        return reply_of(WhoAmIReply, client.whoami())


def _replace(session: Session, _typed: Invocation[ClientSettings]) -> ReplaceIdentityCommand:
    session.call(WhoAmICommand())  # before the words are asked for
    return ReplaceIdentityCommand(_words())


def _words() -> str:
    """The recovery words, from a person or a program. Raises `WordsInvalid`."""
    from usernym.protocol.words import root_from_words

    if has_terminal():
        print_err("Your twelve recovery words, separated by spaces:")
    words = sys.stdin.readline(LINE_MAX).removeprefix(BYTE_ORDER_MARK)
    root_from_words(words)
    return words


class DeletedReply(WhoAmIReply, frozen=True):
    """The account that was deleted."""

    held_until: int
    """Until then no one else can take the name."""


class DeleteAccountCommand(ClientCommand[DeletedReply], frozen=True, tag="delete account"):
    """Delete the account at the node; the user has confirmed it."""

    def perform(self, client: Client, deadline: Deadline, /) -> DeletedReply:
        held_until = retry_until(client, client.delete_account, deadline)
        return reply_of(DeletedReply, client.whoami(), held_until=held_until)


def _delete(session: Session, typed: Invocation[ClientSettings]) -> DeleteAccountCommand:
    name = session.call(WhoAmICommand()).name
    if not typed.given.yes:
        warning = f"This deletes the account {name} at the node, and the messages there. Texts in this home stay."
        confirm_by_name(name, warning, "this deletes the account: confirm with --yes", "nothing was deleted")
    return DeleteAccountCommand()


def _print_deleted(deleted: DeletedReply, _given: Namespace) -> None:
    until = date(deleted.held_until)
    print_line(f"the account is deleted; until {until} no one else can take the name, and `usernym register` takes it"
               " back")  # fmt: skip


ENTRIES: Final = (
    Entry("register", "register a name; a new home gets its keys and recovery words", register, (NAME, _NO_PASSPHRASE),
          prints=(RegisterReply, WordsJson)),
    asks("login", "check that the account works; with --node, take the node's newer card", _login,
         "logged in as {reply.name}: the account works", prints=(LoginReply,)),
    asks("whoami", "show whose home this is", WhoAmICommand, _print_account),
    Entry("check-name", "ask a node (--node, --mixnet) whether a name is free", check_name, (NAME,),
          prints=(FreeNameReply,)),
    Entry("restore", "bring a name back in a new home, with its recovery words", restore,
          (NAME, switch("--replace", "with a new identity, since the key of the old one may have been stolen"),
           _NO_PASSPHRASE), prints=(LoginReply,)),
    asks("replace-identity", "make a new identity with the recovery words, after this home's keys were stolen",
         _replace, _REPLACED, prints=(WhoAmIReply,)),
    asks("delete-account", "delete the account; its name is kept for you", _delete, _print_deleted, YES,
         prints=(DeletedReply,)),
)  # fmt: skip
