"""What a window can ask on the main screen about lists, conversations and texts."""

from __future__ import annotations

import asyncio
from typing import Final, assert_never

from usernym import Client, Consent, NoSuchContact
from usernym.chat.deletions import Deletion
from usernym.chat.news import News
from usernym.chat.person import Outgoing, Person
from usernym.chat.problems import PageRefused, problem_of
from usernym.chat.requests import (
    CancelAsk,
    CancelFileAsk,
    CloseConversationAsk,
    DeleteAsk,
    FindPersonAsk,
    ListContactsAsk,
    MarkReadAsk,
    MoreTextsAsk,
    OpenConversationAsk,
    RetryAsk,
    SaveDraftAsk,
    SearchAsk,
    SendAsk,
    TalkAsk,
    UndoAsk,
)
from usernym.chat.shown import LISTS, found_snippet, text_view
from usernym.chat.windows import Window, Windows
from usernym.chat.wire import (
    TEXT_BYTES_MAX,
    AnswerWire,
    ContactsWire,
    ConversationWire,
    DeletingWire,
    DoneWire,
    DraftChangedWire,
    FoundPersonWire,
    FoundText,
    FoundWire,
    OutgoingWire,
    TextsGoneWire,
)
from usernym.entries import ConversationEntry
from usernym.protocol.links import SCHEME

FOUND_CONTACTS_MAX: Final = 10
"""People that a search lists above the texts."""
SEARCHED_TEXTS: Final = 5_000
"""Texts that one request searches: the page shows what was found, and asks for the next, however many there are."""
_DIGITS: Final = 19
"""A number with fewer fits 63 bits."""


class Talk:
    """Answers for all windows."""

    def __init__(self, person: Person, windows: Windows, news: News) -> None:
        self._person = person
        self._windows = windows
        self._news = news
        self._naming = asyncio.Lock()
        self._saving: set[asyncio.Task[None]] = set()
        self._unsaved: dict[str, SaveDraftAsk] = {}
        """The newest draft of each person for whom one is being saved: a page that comes back to them has it."""

    async def answer(self, window: Window, ask: TalkAsk) -> AnswerWire:
        """Carry it out."""
        client, run = self._person.client, self._person.run
        match ask:
            case ListContactsAsk():
                return await run(self._list, client, ask)
            case SearchAsk():
                return await run(self._search, client, ask)
            case FindPersonAsk():
                return await self._find(client, ask)
            case OpenConversationAsk():
                self._windows.show(window, ask.name)  # first: what happens while it is read is sent
                return await run(self._open, client, ask)
            case MoreTextsAsk():
                return await run(self._more, client, ask)
            case CloseConversationAsk():
                self._windows.show(window, None)
            case SendAsk():
                await self._send(window, client, ask)
            case RetryAsk():
                await self._retry(client, ask)
            case CancelAsk():
                if not await run(client.cancel, ask.message_id):
                    raise PageRefused("cancel_not_possible")
                self._news.note_text(ask.name, ask.message_id, mine=True)
            case CancelFileAsk():
                if not await run(client.files.cancel, ask.name, ask.message_id):
                    raise PageRefused("file_over")
            case DeleteAsk():
                return await self._delete(client, ask)
            case UndoAsk():
                self._undo(ask.undo)
            case MarkReadAsk():
                await self._mark_read(client, ask)
            case SaveDraftAsk():
                # A window that closes takes none of what was typed with it.
                self._unsaved[ask.name] = ask
                saving = asyncio.create_task(self._save_draft(window, client, ask))
                self._saving.add(saving)
                saving.add_done_callback(self._saving.discard)
                await asyncio.shield(saving)
            case _:
                assert_never(ask)
        return DoneWire(id=ask.id)

    # -- lists --

    def _list(self, client: Client, ask: ListContactsAsk) -> ContactsWire:
        consents, archived = LISTS[ask.list]
        found = client.contact_list.page(consents, archived=archived, limit=ask.limit + 1, after=ask.after)
        page = found[: ask.limit]
        return ContactsWire(
            id=ask.id,
            contacts=[self._news.line(listed) for listed in page],
            next=page[-1].place if len(found) > ask.limit else None,
        )

    def _search(self, client: Client, ask: SearchAsk) -> FoundWire:
        words = ask.words.strip()
        if not words:
            return FoundWire(id=ask.id, contacts=[], texts=[], next=None)
        before = None if ask.after is None else _row(ask.after)
        contacts = client.contact_list.find(words, FOUND_CONTACTS_MAX) if before is None else []
        page, last = client.search_part(words, texts=SEARCHED_TEXTS, limit=ask.limit, before=before)
        nicknames: dict[str, str] = {}
        for name, _ in page:
            if name not in nicknames:
                nicknames[name] = client.contact_list.one(name).nickname
        texts = [
            FoundText(name, nicknames[name], text.row, text.outgoing, text.arrived_at, found_snippet(text.text, words))
            for name, text in page
            if not self._news.deletions.hides(name, text.row)
        ]
        return FoundWire(
            id=ask.id,
            contacts=[self._news.line(each) for each in contacts],
            texts=texts,
            next=None if last is None else str(last),
        )

    async def _find(self, client: Client, ask: FindPersonAsk) -> FoundPersonWire:
        who, run = ask.who.strip(), self._person.run
        try:
            by_link = who[: len(SCHEME)].lower() == SCHEME
            contact = await run(client.add_link if by_link else client.look_up, who)
        except NoSuchContact:
            raise PageRefused("own_name") from None
        self._news.note_contact(contact.name)
        return FoundPersonWire(id=ask.id, contact=self._news.line(await run(client.contact_list.one, contact.name)))

    # -- conversations --

    def _open(self, client: Client, ask: OpenConversationAsk) -> ConversationWire:
        if ask.around is None:
            return self._page(client, ask.id, ask.name, _before(client, ask.name, None, ask.limit), newer=False)
        older, has_older = _before(client, ask.name, ask.around, ask.limit // 2)
        newer, has_newer = _after(client, ask.name, ask.around - 1, ask.limit - ask.limit // 2)
        return self._page(client, ask.id, ask.name, ([*older, *newer], has_older), newer=has_newer)

    def _more(self, client: Client, ask: MoreTextsAsk) -> ConversationWire:
        if (ask.before is None) == (ask.after is None):
            raise PageRefused("not_possible_now")
        if ask.after is None:
            return self._page(client, ask.id, ask.name, _before(client, ask.name, ask.before, ask.limit), newer=True)
        texts, has_newer = _after(client, ask.name, ask.after, ask.limit)
        return self._page(client, ask.id, ask.name, (texts, True), newer=has_newer)

    def _page(
        self, client: Client, number: int, name: str, older: tuple[list[ConversationEntry], bool], *, newer: bool
    ) -> ConversationWire:
        texts, has_older = older
        unsaved = self._unsaved.get(name)  # before the draft that is stored is read
        listed = client.contact_list.one(name)
        return ConversationWire(
            id=number,
            contact=self._news.line(listed),
            texts=[text_view(each) for each in texts if not self._news.deletions.hides(name, each.message.row)],
            older=has_older,
            newer=newer,
            draft=unsaved.text if unsaved is not None else client.contact_list.draft(name) if listed.has_draft else "",
            outgoing=[_under_way(each) for each in tuple(self._person.outgoing.values()) if each.name == name],
        )

    # -- texts --

    async def _send(self, window: Window, client: Client, ask: SendAsk) -> None:
        if not ask.text:
            raise PageRefused("text_empty")
        try:
            if len(ask.text.encode()) > TEXT_BYTES_MAX:
                raise PageRefused("text_too_long")
        except UnicodeEncodeError:
            raise PageRefused("text_empty") from None
        async with self._naming:  # threads answer in any order, and texts are stored in the order in which they came
            name = await self._known(client, ask.name)
        begun: list[Outgoing] = []

        def on_begin(out: Outgoing) -> None:
            begun.append(out)
            self._windows.tell(_under_way(out), but=window, only_open=name)

        try:
            sent = await self._person.send(ask.nonce, name, ask.text, window=window, on_begin=on_begin)
        except Exception as error:
            for out in begun:
                failed = OutgoingWire(name=name, nonce=out.nonce, text="", failed=problem_of(error))
                self._windows.tell(failed, but=window, only_open=name)
            raise
        self._news.note_text(name, sent.message_id, mine=True)
        for out in begun:
            self._windows.tell(OutgoingWire(name=name, nonce=out.nonce, text="", done=True), but=window, only_open=name)
            await self._forget_draft(client, name, ask.text)

    async def _known(self, client: Client, name: str) -> str:
        """The name of a contact. Raises `NoSuchContact`."""
        return (await self._person.run(client.contact, name)).name

    async def _retry(self, client: Client, ask: RetryAsk) -> None:
        run = self._person.run
        before = await run(client.message, ask.name, ask.message_id, outgoing=True)
        sent = await run(client.retry, ask.name, ask.message_id)
        if sent.message_id != before.message_id:
            self._windows.tell(TextsGoneWire(name=ask.name, rows=[before.row]), only_open=ask.name)
        self._news.note_text(ask.name, sent.message_id, mine=True)

    async def _delete(self, client: Client, ask: DeleteAsk) -> DeletingWire:
        listed = await self._person.run(client.contact_list.one, ask.name)
        rows = None if ask.rows is None else frozenset(ask.rows)
        # What is deleted is not to leave while the deletion can be taken back; then it stands there as cancelled.
        for text in await self._person.run(client.entries.waiting, listed.contact.name):
            if rows is None or text.row in rows:
                await self._person.run(client.cancel, text.message_id)
        number = self._news.deletions.add(Deletion(listed.contact.name, rows, listed.last_row))
        gone = None if rows is None else sorted(rows)
        self._windows.tell(TextsGoneWire(name=listed.contact.name, rows=gone), only_open=listed.contact.name)
        self._news.note_contact(listed.contact.name)
        return DeletingWire(id=ask.id, undo=number)

    def _undo(self, number: int) -> None:
        deletion = self._news.deletions.undo(number)
        if deletion is None:
            raise PageRefused("undo_over")
        self._windows.tell(TextsGoneWire(name=deletion.name, rows=None), only_open=deletion.name)  # reads it again
        self._news.note_contact(deletion.name)

    async def _mark_read(self, client: Client, ask: MarkReadAsk) -> None:
        listed = await self._person.run(client.contact_list.one, ask.name)
        if listed.contact.state is not Consent.ACCEPTED:
            raise PageRefused("not_possible_now")
        if listed.unread and await self._person.run(client.contact_list.mark_read, ask.name, ask.row):
            self._news.note_contact(listed.contact.name)

    # -- drafts --

    async def _save_draft(self, window: Window, client: Client, ask: SaveDraftAsk) -> None:
        name, text = ask.name, ask.text
        try:
            async with self._person.order(name):
                before = await self._person.run(client.contact_list.one, name)
                await self._person.run(client.contact_list.set_draft, name, text)
        finally:
            if self._unsaved.get(name) is ask:
                del self._unsaved[name]
        self._windows.tell(DraftChangedWire(name=name, text=text), but=window, only_open=name)
        if before.has_draft != bool(text):
            self._news.note_contact(name)

    async def _forget_draft(self, client: Client, name: str, text: str) -> None:
        """The draft has become this text; one that has been changed since stays."""
        run = self._person.run
        async with self._person.order(name):
            if (await run(client.contact_list.draft, name)).strip() != text.strip():
                return
            await run(client.contact_list.set_draft, name, "")
        self._windows.tell(DraftChangedWire(name=name, text=""), only_open=name)


def _under_way(out: Outgoing) -> OutgoingWire:
    return OutgoingWire(name=out.name, nonce=out.nonce, text=out.text)


def _before(client: Client, name: str, before: int | None, limit: int) -> tuple[list[ConversationEntry], bool]:
    found = client.entries.page(name, limit + 1, before)
    return (found[1:], True) if len(found) > limit else (found, False)


def _after(client: Client, name: str, after: int, limit: int) -> tuple[list[ConversationEntry], bool]:
    found = client.entries.page(name, limit + 1, after=after)
    return found[:limit], len(found) > limit


def _row(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < _DIGITS):
        raise PageRefused("not_possible_now")
    return int(cursor)
