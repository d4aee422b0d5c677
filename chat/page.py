"""One window: without a key it shows nothing, with one the screen for the stage of the home."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import Client as Window

from usernym import Event
from usernym.chat.elements import Box, KeyKeeper, Label
from usernym.chat.keys import Keys
from usernym.chat.person import Person, Stage
from usernym.chat.screen import Screen
from usernym.chat.talk import Talk
from usernym.chat.welcome import FirstRun, Unfinished, Unlock


class Page:
    """What one window shows. Made for each load of the page, and left when the window has gone."""

    def __init__(self, window: Window, person: Person, keys: Keys) -> None:
        self._window = window
        self._person = person
        self._keys = keys
        self._stop: Callable[[], None] | None = None
        self._screen: Screen | None = None
        self._drawn: tuple[Stage, int] | None = None
        self._keeper = KeyKeeper().show(title="usernym", pane="people")
        self._keeper.hear("offer", self._on_offer).hear("shortcut", self._on_shortcut)
        self._main = Box("div")  # NiceGUI's own page is the landmark `main`
        with self._main, Box("div", "entrance"):
            Label("usernym", "h1")
            self._said = Label("One moment …", role="status")
        window.on_delete(self._leave)

    def _on_offer(self, offered: Any) -> None:
        """The window shows its token, or its key; both may be there after a reload."""
        if self._stop is not None:
            return
        offers = offered if isinstance(offered, dict) else {}
        grant = self._keys.admit(offers.get("token")) or self._keys.admit(offers.get("key"))
        if grant is None:
            self._keeper.show(refused=True)
            self._said.set_text(
                "This window is not allowed to show anything. Open the address that `usernym chat` has printed. Each"
                " address works once; Enter in the terminal prints another. If the address does not work, another user"
                " of this machine may have opened it first: end the program at once."
            )
            return
        self._keeper.show(grant=grant)
        self._stop = self._person.listen(self._on_event)
        self._draw()

    def _on_shortcut(self, name: Any) -> None:
        if isinstance(self._screen, Talk) and isinstance(name, str):
            self._screen.on_shortcut(name)

    def _on_event(self, event: Event | None) -> None:
        if event is None and (self._person.stage, self._person.beginnings) != self._drawn:
            self._draw()
        elif self._screen is not None:
            self._screen.on_event(event)

    def _draw(self) -> None:
        self._drawn = (self._person.stage, self._person.beginnings)
        if self._screen is not None:
            self._screen.leave()
        self._main.clear()
        with self._main:
            match self._person.stage:
                case Stage.NEW:
                    self._screen = FirstRun(self._person)
                case Stage.LOCKED:
                    self._screen = Unlock(self._person)
                case Stage.UNREGISTERED:
                    self._screen = Unfinished(self._person)
                case Stage.READY:
                    self._screen = Talk(self._person, self._keeper, self._window.tab_id or "")
                case Stage.ENDED:
                    self._screen = None
                    with Box("div", "entrance"):
                        Label("usernym has stopped", "h1")
                        Label(self._person.problem or "The client was closed.", classes="error", role="alert")
                        Label("What was on disk is safe. Start `usernym chat` again.")

    def _leave(self) -> None:
        if self._stop is not None:
            self._stop()
        if self._screen is not None:
            self._screen.leave()
