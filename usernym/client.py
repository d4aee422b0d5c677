"""A client for embedding: `with usernym.Client.open(home, ...) as alice: alice.send("bob", "hi")`.

`usernym.AsyncClient` is the same for asyncio. What a client is made of: `usernym.running`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from pathlib import Path
from typing import Final, Self, Unpack

from usernym.actors import messages as msg
from usernym.actors.events import ContactChanged, TextsErased
from usernym.actors.failures import RetryNotPossible
from usernym.contact_list import ContactList
from usernym.delivery import Wait, deliver, follow
from usernym.entries import Entries
from usernym.errors import Closed, IdentityMoved, NoSuchContact, NoSuchMessage, NotReady, SettingsError
from usernym.links import verify_by_link
from usernym.passphrases import check_new_passphrase
from usernym.protocol.cards import NodeCard, parse_card
from usernym.protocol.links import link_text, make_link
from usernym.protocol.names import canonical
from usernym.running import ClientOptions, RunningClient
from usernym.storage.client.archive import Imported, export_archive, import_archive
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Contact, Fallback, RecoveryWords, Trust
from usernym.storage.errors import StorageError
from usernym.subscriptions import Subscription
from usernym.transfers import Transfers, end_files
from usernym.views import (
    ID_DIGITS,
    ContactView,
    EvidenceView,
    MessageView,
    RequestView,
    Sent,
    Whoami,
    account_view,
    contact_view,
    directions,
    evidence_view,
    id_bytes,
    named_views,
    text_views,
)

TIMEOUT_S: Final = 60.0
"""The default `timeout` of calls that ask the node: three unanswered tries of a request take 35
seconds, and eight silent addresses 50."""
DISAPPEAR_S_MIN: Final = 60
"""Below that a text would be gone while it is being read."""
DISAPPEAR_S_MAX: Final = 366 * 86_400
"""A year: the limit of all durations."""

_OFFERS_MAX: Final = 1_000
"""Offers and revocations that one person may have left behind while they were declined."""
_LOGIN_S_MIN: Final = 1.0
"""For logging in, when what came before took nearly all the time."""


class Client:
    """A user's client. `Client.open` starts one; `close`, or leaving its context, ends it.

    Its methods may be called from any thread. In a name, capital letters count as small ones.
    Methods that ask the node take a `timeout` in seconds, and raise `NotReady` when it is over; the work continues.
    Handles of their own: `files` (`Transfers`), `entries` (`Entries`), and `contact_list` (`ContactList`).
    All raise `Closed` after `close`, `GraphFailed` if an actor has failed, and `StorageError` if the disk does.
    """

    def __init__(self, running: RunningClient, recovery_words: str | None = None) -> None:
        """For `open`."""
        self._running = running
        self._recovery_words = recovery_words
        self.files = Transfers(running)
        """Its files and pictures."""
        self.entries = Entries(running)
        """Its conversations with the files among the texts, by the page."""
        self.contact_list = ContactList(running)
        """Its contacts in the order of their newest texts, by the page, with nicknames, drafts and the like."""

    # -- beginning and end --

    @classmethod
    def open(cls, home: str | os.PathLike[str], **options: Unpack[ClientOptions]) -> Self:
        """Open the folder `home`, which only this client then holds, or make it.

        `ClientOptions` says what the options are. A new home gets a new identity: show what `take_recovery_words`
        returns.

        Raises `SettingsError`: an option is missing or does not fit this home; `PassphraseWeak` is one of them, for a
        new home's passphrase. `StorageError`: the home can't be used;
        its kinds are `HomeInUse`, `WrongPassphrase`, `PassphraseNeeded` and others. `RemoteProtocolError`: an invalid
        name or card. With `restore` also `WordsInvalid`: not twelve valid words. `WordsUnfit`: valid words, but of
        another name. `NodeRefused`: the node has no such name (NO_SUCH_USER), or it was deleted. `NodeSilent`: the node
        did not answer.
        """
        running = RunningClient()
        return cls(running, running.start(Path(home), **options))

    def close(self) -> None:
        """Stop the actors, close the store, release the home. Closing twice is harmless.

        Calls that other threads are waiting in raise `Closed`; subscriptions end.
        """
        self._running.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the account --

    @property
    def name(self) -> str:
        """The user's name."""
        return self._running.user.name

    def words_to_show(self) -> str | None:
        """The twelve recovery words that are still to be shown to the person; None if there are none.

        They are stored nowhere. If the program that made the identity ended before they were taken, this makes another
        identity, with other words; but never in place of one that was registered, or may have been.
        """
        words = self._running.read(lambda store: store.profile.words())
        if self._recovery_words is None and words is RecoveryWords.NOT_SHOWN:
            self._recovery_words = self._running.make_identity()
        return self._recovery_words

    def take_recovery_words(self) -> str | None:
        """The twelve recovery words of an identity that this client made when it was opened; None otherwise.

        Show them to the person: they are stored nowhere, this object forgets them now, and the home notes that they
        have been shown. What ends the program before that must not lose them: `words_to_show` first, then this.
        """
        words, self._recovery_words = self._recovery_words, None
        if words is not None:
            with contextlib.suppress(Closed, StorageError):  # at worst they are shown again
                self._running.read(lambda store: store.profile.set_words(RecoveryWords.SHOWN))
        return words

    def whoami(self) -> Whoami:
        """The account that this home has."""
        return self._running.read(lambda store: account_view(store, self._running.user, int(time.time())))

    def register(self, timeout: float = TIMEOUT_S) -> None:
        """Register the name at the node. An account that is registered already stays so.

        Raises `NodeRefused` with the reason (NAME_TAKEN, …), `NodeSilent` or `NotReady`.
        """
        self._running.read(_note_use)
        self._running.ask(self._running.actors.registration, msg.Register, timeout, "registering")

    def go_online(self, timeout: float = TIMEOUT_S) -> None:
        """Log in, and stay logged in: from now on messages come and go, and a lost connection is made again.

        Raises `NodeRefused`, `NodeSilent` or `NotReady`; the client then continues to try.
        """
        self._running.want_online = True
        self._running.ask(self._running.actors.registration, msg.GoOnline, timeout, "logging in")

    def take_card(self, card: str | NodeCard, timeout: float = TIMEOUT_S) -> bool:
        """Take a newer card of the node, which has moved to another address. False if it is not newer.

        Raises `RemoteProtocolError`: not a card, or another node's.
        """
        parsed = parse_card(card) if isinstance(card, str) else card
        return self._running.ask(
            self._running.actors.registration, lambda done: msg.TakeCard(parsed, done), timeout, "taking the card"
        )

    def replace_identity(self, words: str, timeout: float = TIMEOUT_S) -> None:
        """Make a new identity by the recovery words, and log in with it. For when the old one's key may be stolen.

        Contacts see that it changed, and safety numbers change. Anything a thief did with the old identity stops
        counting. `whoami().recoveries` has gone up by this: if the user remembers more, the node hides some, or was
        restored from an older copy, and contacts follow when it exceeds what they know.

        Raises `WordsInvalid`, `WordsUnfit`, `NodeRefused` or `NodeSilent`; `NotReady` if the new identity is on disk
        but not yet at the node: `go_online` continues.
        """
        end = time.monotonic() + timeout
        self._running.replace_identity(words, timeout)
        self.go_online(max(_LOGIN_S_MIN, end - time.monotonic()))

    def delete_account(self, timeout: float = TIMEOUT_S) -> int:
        """Delete the account at the node. Returns until when the name is held for its owner (Unix seconds).

        What is in this home stays. Raises `NodeRefused`, `NodeSilent` or `NotReady`.
        """
        return self._running.ask(self._running.actors.registration, msg.DeleteAccount, timeout, "deleting")

    # -- texts --

    def send(self, name: str, text: str, *, wait: Wait = "accepted", timeout: float = TIMEOUT_S) -> Sent:
        """Send a text, looking its recipient up if they are not a contact, and wait until it has got as far as `wait`.

        From the moment it is on disk here it is sent, also after `NotReady` and after a restart. Returns early if the
        text fails: look at `Sent.state`. Raises `NodeRefused` (NO_SUCH_USER, …) or `NodeSilent` if the recipient can't
        be looked up, `TextTooLong` for more than 64 KiB of UTF-8 or an empty text.
        """
        name = canonical(name)
        send = partial(msg.SendText, name, text)
        return deliver(self._running, name, send, what="looking the recipient up", wait=wait, timeout=timeout)

    def retry(self, name: str, message_id: str, timeout: float = TIMEOUT_S, *, wait: Wait = "queued") -> Sent:
        """Send a waiting text now instead of after its pause; or send a text again that failed.

        A text that was refused, expired or cancelled is written again with an id of its own, and the failed one is
        removed in the same commit. If the failed one did arrive after all, its recipient has the text twice. Waits as
        `send` does. Raises `RetryNotPossible` for a text that the node has, that was delivered, or that does not exist.
        """
        name, before = canonical(name), id_bytes(message_id)
        if before is None:
            raise RetryNotPossible("a message's id has 32 hexadecimal digits")
        retry = partial(msg.RetryText, name, before)
        return deliver(self._running, name, retry, what="trying again", wait=wait, timeout=timeout)

    def follow(self, name: str, message_id: str, timeout: float = TIMEOUT_S, *, wait: Wait = "accepted") -> Sent:
        """Wait until a text of ours has got as far as `wait`, as `send` does. Raises `NoSuchMessage`, `NotReady`."""
        name, wanted = canonical(name), id_bytes(message_id)
        if wanted is None:
            raise NoSuchMessage
        return follow(self._running, name, wanted, wait=wait, timeout=timeout)

    def cancel(self, message_id: str, timeout: float = TIMEOUT_S) -> bool:
        """Stop sending a text that waits. False if it is being sent right now, or does not wait.

        If it was tried before and the answer was lost, it may have arrived anyway.
        """
        wanted = id_bytes(message_id)
        if wanted is None:
            return False
        return self._running.ask(
            self._running.actors.forwarding, lambda answer: msg.CancelText(wanted, answer), timeout, "cancelling"
        )

    def subscribe(self) -> Subscription:
        """Events from now on: `with client.subscribe() as events: for event in events: …`, or `events.next(timeout)`.

        Any number of subscriptions may be open; each gets every event. For a text that comes, the event is published
        when the text is on disk. Texts that came earlier are in `unread`.
        """
        return self._running.events.subscribe()

    def message(self, name: str, message_id: str, *, outgoing: bool | None = None) -> MessageView:
        """One text of a conversation by its id of 32 hexadecimal digits. Raises `NoSuchMessage`.

        `outgoing` says whether one of ours (True) or theirs (False) is meant; None: either, ours first.
        """
        name, wanted = canonical(name), id_bytes(message_id)

        def read(store: ClientStore) -> list[MessageView]:
            if wanted is None:
                return []
            found = [store.messages.get(name, wanted, direction) for direction in directions(outgoing)]
            return text_views(store, [message for message in found if message is not None])

        for view in self._running.read(read):
            return view
        raise NoSuchMessage

    def messages_by_id(self, name: str, digits: str, limit: int = 2) -> list[MessageView]:
        """Texts of a conversation whose id begins with these hexadecimal digits: two by default, to see if it is one.

        An empty list for anything but 1 to 32 digits.
        """
        name, digits = canonical(name), digits.lower()
        low, high = id_bytes(digits.ljust(ID_DIGITS, "0")), id_bytes(digits.ljust(ID_DIGITS, "f"))
        if not digits or low is None or high is None:
            return []
        return self._running.read(
            lambda store: text_views(store, store.history.of_ids(name, msg.PayloadKind.TEXT, low, high, limit))
        )

    def conversation(
        self,
        name: str,
        limit: int = 100,
        before: MessageView | int | None = None,
        *,
        after: MessageView | int | None = None,
    ) -> list[MessageView]:
        """The last `limit` texts with a contact, the oldest first; none for a stranger.

        Each sender's texts are in the order in which they were written: one that comes after a later one is put before
        it, if that one is unread, or came in the last ten minutes. Else it stands at the end, and `late` says so. With
        `before` (a text, or its `row`) those before that one: to page backwards, give the first of a page. With `after`
        the first `limit` after that one; then `before` is not looked at.
        """
        name, row = canonical(name), _row(before)
        if (first := _row(after)) is not None:
            return self._running.read(
                lambda store: text_views(store, store.history.of_kind_after(name, msg.PayloadKind.TEXT, limit, first))
            )
        return self._running.read(
            lambda store: text_views(store, store.history.of_kind(name, msg.PayloadKind.TEXT, limit, row))
        )

    def search(
        self, text: str, *, name: str | None = None, limit: int = 100, before: MessageView | int | None = None
    ) -> list[tuple[str, MessageView]]:
        """Texts that contain `text`, newest first, each with the contact's name; of one contact if `name` is given.

        They are in the order of `conversation`. With `before` (a text, or its `row`) those before that one: to page,
        give the last of a page. Capital and small letters are the same in ASCII only. Texts of declined and blocked
        people are left out.
        """
        wanted, row = None if name is None else canonical(name), _row(before)
        return self._running.read(
            lambda store: named_views(store, store.history.search(text, msg.PayloadKind.TEXT, limit, wanted, row))
        )

    def search_part(
        self, text: str, *, texts: int, limit: int = 100, before: MessageView | int | None = None
    ) -> tuple[list[tuple[str, MessageView]], int | None]:
        """`search` among about `texts` texts only, so that it is quick however long the history is.

        Also returns what to give as `before` for the next part; None when all was searched.
        """
        row = _row(before)

        def read(store: ClientStore) -> tuple[list[tuple[str, MessageView]], int | None]:
            since = store.history.row_back(row, texts)
            found = store.history.search(text, msg.PayloadKind.TEXT, limit, None, row, since)
            return named_views(store, found), found[-1].id if len(found) == limit else since

        return self._running.read(read)

    def unread(self, limit: int = 1000, after: MessageView | int | None = None) -> list[tuple[str, MessageView]]:
        """Texts that came and were not marked as read, oldest first, each with its sender's name.

        Each sender's are in the order in which they were written, as far as they have come. With `after` (a text, or
        its `row`) those behind that one: to page, give the last of a page. Texts of declined and blocked people are
        left out.

        A text is here from the moment it is on disk until `mark_read`, over restarts and crashes; the sender learns
        that it was delivered when it is on disk. So a program that answers first and marks second never misses a text,
        and may see one twice if it ended in between.
        """
        row = _row(after)
        return self._running.read(
            lambda store: named_views(store, store.messages.unshown(limit, {msg.PayloadKind.TEXT}, row or 0))
        )

    def mark_read(self, messages: Iterable[MessageView | int]) -> None:
        """Mark these texts (or their rows) as read. The sender does not learn it."""
        rows = _rows(messages)
        self._running.read(lambda store: store.messages.mark_shown(rows, int(time.time())))

    def erase(self, messages: Iterable[MessageView | int]) -> int:
        """Erase these texts (or their rows) in this home; what waits is not sent. Returns how many there were.

        The contact keeps their copy, and does not learn it.
        """
        rows = _rows(messages)

        def erase(store: ClientStore) -> list[tuple[str, int]]:
            with store.transaction():
                return [
                    (name, store.history.erase(some, msg.PayloadKind.TEXT))
                    for name, some in store.history.by_contact(rows)
                ]

        return self._erased(self._running.read(erase))

    def erase_conversation(self, name: str) -> int:
        """Erase all texts and files with a contact in this home, and keep the contact. Returns how many texts there
        were. A file that is under way is cancelled."""
        name = canonical(name)
        end_files(self._running, name, None, TIMEOUT_S, erase=True)
        return self._erased(
            [(name, self._running.read(lambda store: store.history.erase_all(name, msg.PayloadKind.TEXT)))]
        )

    def _erased(self, counts: Iterable[tuple[str, int]]) -> int:
        """Publish what was erased. Returns how many it was in all."""
        erased = [TextsErased(name, count) for name, count in counts if count]
        if erased:
            self._running.read(lambda store: store.empty_journal())
        for event in erased:
            self._running.events.publish(event)
        return sum(event.count for event in erased)

    def set_disappearing(self, name: str, seconds: int | None) -> None:
        """Erase texts with a contact in this home after so many seconds (a minute to a year); None: keep them.

        The contact does not learn it and keeps their copies. It applies to texts that are here already, too. A text
        that came is erased that long after it was marked as read; one of ours that long after it was written, but not
        while it waits or the node has it. Raises `SettingsError`, or `NoSuchContact`.
        """
        name = canonical(name)
        if seconds is not None and not DISAPPEAR_S_MIN <= seconds <= DISAPPEAR_S_MAX:
            raise SettingsError("texts may disappear after a minute at the least, and a year at the most")
        self._change(name, lambda store: store.contacts.set_disappearing(name, seconds))

    # -- contacts --

    def contacts(self, *, state: Consent | None = None, limit: int | None = None, after: str = "") -> list[ContactView]:
        """Contacts and requests, by name; also people who were declined or blocked, or only those of one `state`.

        With `limit` so many at most: to page, give the last name of a page as `after`.
        """
        found = self._running.read(lambda store: store.contacts.all(state, after=after, limit=limit))
        return [self._view(contact) for contact in found]

    def contact(self, name: str) -> ContactView:
        """One contact or request. Raises `NoSuchContact` (a `KeyError`), also for the user's own name."""
        name = canonical(name)
        if name == self.name:
            raise NoSuchContact("that is you")
        return self._view(self._running.read(lambda store: _contact(store, name)))

    def look_up(self, name: str, timeout: float = TIMEOUT_S) -> ContactView:
        """Look a name up at the node, and keep it with its key as a contact.

        Raises `NodeRefused` (NO_SUCH_USER, …), `NodeSilent` or `NotReady`.
        """
        name = canonical(name)
        self._running.ask(self._running.actors.lookup, partial(msg.FindContact, name), timeout, "the lookup")
        return self.contact(name)

    def link(self) -> str:
        """This user's link: a line that verifies them to a friend who gets it from them, and not through the node.

        It stays valid as long as the identity; after `replace_identity` there is another.
        """
        return link_text(make_link(self._running.user.node, self.name, self._running.user.key.public))

    def add_link(self, text: str, timeout: float = TIMEOUT_S) -> ContactView:
        """Look the name in a friend's link up; if the identity is the one in the link, the contact is verified.

        A changed identity then counts as looked at, and what waited for that is sent, as with `set_verified`. Raises
        `RemoteProtocolError` (LINK_INVALID, UNSUPPORTED_VERSION): not a link. `LinkMismatch`: the link does not fit,
        `why` says how, and the contact is not trusted more than before. `NodeRefused`, `NodeSilent` or `NotReady`.
        """
        return self.contact(verify_by_link(self._running, text, timeout))

    def set_verified(self, name: str, verified: bool, *, identity_key: str) -> None:
        """Note that the user compared safety numbers; or, with False, that they have not (yet).

        Either way a changed identity then counts as looked at, and what waited for that is sent. `identity_key` is that
        of the `ContactView` that the user looked at: the decision is about that identity, and no other. If it has
        changed, this raises `IdentityMoved` and changes nothing. Raises `NoSuchContact`.
        """
        name = canonical(name)

        def decide(store: ClientStore) -> None:
            contact = _contact(store, name)
            looked_at = contact.identity_key if identity_key == contact.identity_key.hex() else b""
            if not store.contacts.look_at(name, looked_at, Trust.VERIFIED if verified else Trust.CONFIRMED):
                raise IdentityMoved("the identity has changed once more, while you looked: look at it again")

        self._change(name, decide)
        self._running.actors.forwarding.tell(msg.IdentityLookedAt(name))

    def requests(self, *, declined: bool = False, limit: int = 100, after: str = "") -> list[RequestView]:
        """People who wrote and wait for the user's decision, by name; or those who were declined.

        Strangers decide how many there are: to page, give the last name of a page as `after`.
        """
        wanted = Consent.DECLINED if declined else Consent.PENDING

        def read(store: ClientStore) -> list[RequestView]:
            return [
                self._request_view(store, contact) for contact in store.contacts.all(wanted, after=after, limit=limit)
            ]

        return self._running.read(read)

    def _request_view(self, store: ClientStore, contact: Contact) -> RequestView:
        texts, first = store.history.received(contact.name, msg.PayloadKind.TEXT)
        views = text_views(store, [] if first is None else [first])
        return RequestView(self._view(contact), texts, views[0] if views else None)

    def accept(self, name: str) -> None:
        """Make this person a contact: what they wrote shows, and delivery is confirmed to them from now on.

        Undoes `decline` and `block`. Nothing is sent. Raises `NoSuchContact`.
        """
        name = canonical(name)
        self._decide(name, Consent.ACCEPTED)
        kinds = msg.HANDSHAKE_KINDS
        for offer in self._running.read(lambda store: store.messages.steps_to_take(kinds, _OFFERS_MAX, name)):
            self._running.actors.handshake.tell(msg.HandshakeArrived(name, offer.message_id))

    def decline(self, name: str) -> None:
        """Show nothing of this person. The first 20 texts that they write from now on are kept, in case this was a
        mistake. Raises `NoSuchContact`.

        They can't tell this from a request that waits: the node only learns that it can delete the message.
        """
        self._decide(canonical(name), Consent.DECLINED)

    def block(self, name: str) -> None:
        """Show and keep nothing that this person sends. Raises `NoSuchContact`.

        They can't tell this from a request that waits, either.
        """
        self._decide(canonical(name), Consent.BLOCKED)

    def _decide(self, name: str, consent: Consent) -> None:
        before = self._change(name, lambda store: store.contacts.set_consent(name, consent))
        self._running.actors.forwarding.tell(msg.RequestsDecided())
        if before.consent is not consent:
            self._running.events.publish(ContactChanged(name, consent))

    # -- direct routes --

    def offer_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """Offer a direct route: show this contact our Nym address, and with it our gateway, and ask for theirs.

        Raises `HandshakeNotPossible` or `NotReady`, as the two below do.
        """
        name = canonical(name)
        self._running.ask(self._running.actors.handshake, partial(msg.OfferHandshake, name), timeout, "offering")

    def accept_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """Accept this contact's offer of a direct route, and show them our Nym address."""
        name = canonical(name)
        self._running.ask(self._running.actors.handshake, partial(msg.AcceptHandshake, name), timeout, "accepting")

    def revoke_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """End the direct route, or decline the offer. The contact still knows the address they were shown."""
        name = canonical(name)
        self._running.ask(self._running.actors.handshake, partial(msg.RevokeHandshake, name), timeout, "ending")

    def set_direct_only(self, name: str, direct_only: bool) -> None:
        """Whether texts wait while the direct route does not respond, instead of going through the node.

        Raises `NoSuchContact`.
        """
        name, policy = canonical(name), Fallback.DIRECT_ONLY if direct_only else Fallback.NODE
        self._change(name, lambda store: store.contacts.set_fallback(name, policy))

    # -- passphrase and backup --

    def change_passphrase(self, old: str | None, new: str | None, *, unprotected: bool = False) -> None:
        """Protect the home by another passphrase; by none if `new` is None and `unprotected` is True.

        A copy of the home that was made earlier still opens with the old one. Raises `WrongPassphrase`,
        `PassphraseNeeded` or `StoreUnprotected` (kinds of `StorageError`) if `old` does not open it, `PassphraseWeak`
        if `new` is too easy to guess; nothing is changed then.
        """
        if new is not None:
            check_new_passphrase(new)
        self._running.read(lambda store: store.change_passphrase(old, new, unprotected=unprotected))

    def export_backup(self, folder: str | os.PathLike[str], passphrase: str) -> None:
        """Write contacts, pins and history into the new folder `folder`, encrypted. It holds no identity and no key.

        With the recovery words it restores a lost home. Raises `PassphraseWeak` or `StorageError`, and then leaves no
        folder behind.
        """
        check_new_passphrase(passphrase)
        self._running.read(lambda store: export_archive(store, Path(folder), passphrase, self._owner))

    def import_backup(self, folder: str | os.PathLike[str], passphrase: str) -> Imported:
        """Add what a backup of this account holds to what is here. Returns how much was new.

        Importing twice changes nothing. Raises `StorageError`: another account's backup, a wrong passphrase, …
        """
        imported = self._running.read(lambda store: import_archive(store, Path(folder), passphrase, self._owner))
        self._running.actors.forwarding.tell(msg.RequestsDecided())
        return imported

    @property
    def _owner(self) -> bytes:
        """What a backup says that it belongs to."""
        return self._running.user.node + self.name.encode()

    def evidence(self) -> list[EvidenceView]:
        """What the node signed and an honest node never signs, the oldest first. Anyone can check each `text`.

        Where two things only don't fit together, the node may be honest: that is refused, and no evidence.
        """
        found = self._running.read(lambda store: store.evidence.all())
        return [evidence_view(each.packed, each.found_at) for each in found]

    def counters(self, timeout: float = 5.0) -> dict[str, dict[str, int]]:
        """Each actor's counters, by the actor's name. Raises `NotReady`."""
        try:
            return {name: answer.result(timeout) for name, answer in self._running.actors.inquire().items()}
        except FutureTimeout:
            raise NotReady("the client is busy") from None

    # -- between the store and the views --

    def _view(self, contact: Contact) -> ContactView:
        promised = self._running.read(lambda store: store.promises.open_ones())
        return contact_view(contact, promised, self._running.user)

    def _change(self, name: str, change: Callable[[ClientStore], object]) -> Contact:
        """Change a contact in the store, in one commit. Returns it as it was before. Raises `NoSuchContact`."""

        def apply(store: ClientStore) -> Contact:
            with store.transaction():
                before = _contact(store, name)
                change(store)
                return before

        return self._running.read(apply)


def _contact(store: ClientStore, name: str) -> Contact:
    contact = store.contacts.get(name)
    if contact is None:
        raise NoSuchContact
    return contact


def _row(message: MessageView | int | None) -> int | None:
    """A text's row, from either."""
    return message.row if isinstance(message, MessageView) else message


def _rows(messages: Iterable[MessageView | int]) -> list[int]:
    return [message.row if isinstance(message, MessageView) else message for message in messages]


def _note_use(store: ClientStore) -> None:
    """The identity is used from now on: it can't be replaced by another one any more."""
    if store.profile.words() is RecoveryWords.NOT_SHOWN:
        store.profile.set_words(RecoveryWords.LOST)
