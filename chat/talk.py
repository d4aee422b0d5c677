"""The screen of a registered user: people on the left, a conversation on the right."""

from __future__ import annotations

import time
from typing import Any, Final

from usernym import (
    ConnectionChanged,
    Event,
    GraphFailed,
    HandshakeChanged,
    IdentityChanged,
    MessageArrived,
    NodeAddressChanged,
    NodeCaught,
    RotationStalled,
)
from usernym.chat import lines, texts
from usernym.chat.account import AccountDialog, HelpDialog, NewDialog, RefusedDialog
from usernym.chat.conversation import Conversation
from usernym.chat.elements import Box, Button, Field, KeyKeeper, Label, Live, PeopleList
from usernym.chat.person import Person
from usernym.chat.screen import Refresher, Screen

FOUND_MAX: Final = 50
"""Texts that a search lists at most; with more, a longer search word helps more than a longer list."""


class Talk(Screen):
    """The main screen in one window. `tab` names the browser's tab, so that a reload shows the same conversation."""

    def __init__(self, person: Person, keeper: KeyKeeper, tab: str) -> None:
        super().__init__(person)
        self._keeper = keeper
        self._tab = tab
        self._conversation: Conversation | None = None
        self._order: list[str] = []
        self._words = ""
        self._refresher = Refresher(self._refresh)
        self._search = Refresher(self._find, 0.2)
        self._stop_changes = person.listen_changes(self._on_change)
        self._live = Live()
        with Box("div", "chat"):
            self._make_top()
            self._make_left()
            self._right = Box("section", "right", aria_label="Conversation")
        self._show_empty()
        self._show_connection()
        self._refresher.soon()
        if (name := person.last_open.get(tab)) is not None:
            self._open(name)

    def leave(self) -> None:
        self._stop_changes()
        self._refresher.end()
        self._search.end()
        if self._conversation is not None:
            self._conversation.end()

    # -- the frame --

    def _make_top(self) -> None:
        with Box("header", "top"):
            Label("usernym", "strong")
            Label(self.person.client.name, "bdi", "mono")
            self._connection = Label("", "span", role="status")
            Box("span", "spread")
            Button("New …", self._new, title="Alt+N")
            Button("Your account …", lambda: AccountDialog(self.person, self._keeper).open())
            Button("Help", lambda: HelpDialog().open())
            if self.person.settings.is_emulated:
                Label(texts.EMULATED, "p", "offline small wide")
        self._caught = Label("", classes="error banner", role="alert")
        self._stalled = Label("", classes="error banner", role="alert")
        self._show_caught()
        self._show_stalled()

    def _make_left(self) -> None:
        with Box("nav", "left", aria_label="People"):
            with Box("div", "left-tools"):
                self._find_field = Field("Search texts").on_typed(self._on_search)
            with Box("div", "left-lists"):
                self._found_box = Box("div")
                self._found_box.set_visibility(False)
                with self._found_box:
                    Label("Found", "h2")
                    self._found = PeopleList().show(items=[], label="Found", empty="No texts found.")
                    self._found.hear("pick", self._pick_found)
                self._lists = Box("div")
                with self._lists:
                    self._request_box = Box("div")
                    with self._request_box:
                        Label("Requests", "h2")
                        self._requests = PeopleList().show(items=[], label="Requests", empty="")
                        self._requests.hear("pick", self._pick)
                        self._more_requests = Label(
                            "There are more: they are shown when you have decided about these.", "p", "small"
                        )
                    self._request_box.set_visibility(False)
                    Label("Contacts", "h2")
                    self._contacts = PeopleList().show(
                        items=[],
                        label="Contacts",
                        empty="No contacts yet. Press “New …” to find people by name or link.",
                    )
                    self._contacts.hear("pick", self._pick)
                    Button("Declined and blocked …", lambda: RefusedDialog(self.person).open(), "plain small")

    def _show_empty(self) -> None:
        self._right.clear()
        with self._right:
            Label("Choose someone on the left, or press “New …” to find someone by name.", classes="empty")

    def _show_connection(self) -> None:
        person = self.person
        offline = "connecting …" if person.connection == "connecting" else f"not connected: {person.connection}"
        self._connection.set_text("connected" if person.online else offline)
        self._connection.classes(remove="online offline", add="online" if person.online else "offline")

    # -- what happens --

    def on_event(self, event: Event | None) -> None:
        """Update what the event concerns; None: the connection, or the stage."""
        self._refresher.soon()
        if event is None or isinstance(event, ConnectionChanged):
            self._show_connection()
        elif isinstance(event, NodeCaught):
            self._show_caught()
        elif isinstance(event, RotationStalled):
            self._show_stalled()
        elif isinstance(event, NodeAddressChanged):
            self._live.say("The node has another address.")
        elif isinstance(event, IdentityChanged):
            self._live.say(f"{event.name}'s identity has changed.")
        elif isinstance(event, HandshakeChanged):
            self._live.say(f"{event.name}: {texts.HANDSHAKES[event.state]}")
        elif isinstance(event, MessageArrived) and not self._is_open(event.sender):
            self._live.say(f"A text from {event.sender}" if not event.is_request else "A new request")
        if self._conversation is not None and event is not None:
            self._conversation.on_event(event)

    def _on_change(self) -> None:
        self._refresher.soon()
        if self._conversation is not None:
            self._conversation.on_change()

    def _show_caught(self) -> None:
        caught = self.person.caught
        self._caught.set_text(
            f"The node did something that an honest node does not do: {caught}. Do not trust it, and tell its operator."
        )
        self._caught.set_visibility(bool(caught))

    def _show_stalled(self) -> None:
        since = self.person.stalled_since
        if since is not None:
            self._stalled.set_text(
                f"Your new message key has waited since {texts.moment_text(since)} for the node to publish it. Until"
                " then a thief of this machine could read texts of a longer time. If you were connected meanwhile, the"
                " node withholds the key: think of another node."
            )
        self._stalled.set_visibility(since is not None)

    def _is_open(self, name: str) -> bool:
        return self._conversation is not None and self._conversation.name == name

    async def _refresh(self) -> None:
        try:
            found = await self.person.run(lines.overview, self.person.client, time.time())
        except (GraphFailed, RuntimeError):
            return  # the client has been closed: another screen comes
        self._order = [line["key"] for line in (*found.requests, *found.contacts)]
        self._contacts.show(items=list(found.contacts))
        self._requests.show(items=list(found.requests))
        self._request_box.set_visibility(bool(found.requests))
        self._more_requests.set_visibility(found.more_requests)
        self._keeper.show(unread=found.unread)

    # -- choosing --

    def _pick(self, name: Any) -> None:
        if isinstance(name, str) and name in self._order:
            self._open(name)
        else:
            self._stay()

    def _pick_found(self, key: Any) -> None:
        name, slash, row = key.partition("/") if isinstance(key, str) else ("", "", "")
        if slash and name in self._order and row.isascii() and row.isdecimal() and len(row) < 19:
            self._open(name, found=int(row))
        else:
            self._stay()

    def _stay(self) -> None:
        """Nothing else opens: make the conversation usable again, which the window had disabled for the change."""
        if self._conversation is not None:
            self._conversation.focus()

    def _open(self, name: str, found: int | None = None) -> None:
        if self._conversation is not None:
            if self._conversation.name == name and found is None:
                self._conversation.focus()
                self._keeper.show(pane="conversation")
                return
            self._conversation.end()
        self.person.last_open[self._tab] = name
        self._right.clear()
        with self._right:
            self._conversation = Conversation(self.person, name, self._live, back=self._back, found=found)
        if found is None:
            self._conversation.focus()
        for each in (self._contacts, self._requests):
            each.show(active=name)
        self._keeper.show(pane="conversation")

    def _back(self) -> None:
        self._keeper.show(pane="people")

    def _new(self) -> None:
        NewDialog(self.person, self._open).open()

    def on_shortcut(self, name: str) -> None:
        """A key was pressed that works everywhere."""
        match name:
            case "search":
                self._keeper.show(pane="people")
                self._find_field.focus()
            case "new":
                self._new()
            case "next" | "previous" if self._order:
                step = 1 if name == "next" else -1
                now = self._conversation.name if self._conversation is not None else None
                at = self._order.index(now) + step if now in self._order else 0
                self._open(self._order[at % len(self._order)])
            case _:
                self._stay()

    # -- searching --

    def _on_search(self, words: str) -> None:
        self._words = words.strip()
        self._search.soon()

    async def _find(self) -> None:
        words = self._words
        self._found_box.set_visibility(bool(words))
        self._lists.set_visibility(not words)
        if not words:
            self._found.show(items=[], empty="")
            return
        self._found.show(empty="Searching …")
        try:
            found = await self.person.run(self.person.client.search, words, limit=FOUND_MAX)
        except Exception as error:  # noqa: BLE001 - shown where the user waits for it
            self._found.show(items=[], empty=texts.problem(error))
            return
        if words == self._words:
            now = time.time()
            items = [lines.found_line(name, message, now) for name, message in found]
            self._found.show(items=items, empty="No texts found.")
