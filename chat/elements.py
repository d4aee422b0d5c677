"""The page's parts as values: native elements, and the components in `static/`. None of them takes HTML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Self

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

LIVE_LINES: Final = 8
"""Lines that are kept for a screen reader: several may arrive at once, and more could not be listened to."""
STATIC: Final = Path(__file__).parent / "static"

Handler = Callable[[], Any] | Callable[[], Awaitable[Any]]


class Box(Element):
    """A native element without text."""

    def __init__(self, tag: str = "div", classes: str = "", **attributes: str) -> None:
        super().__init__(tag)
        _dress(self, classes, attributes)


class Label(TextElement):
    """A native element that contains text only."""

    def __init__(self, text: str, tag: str = "p", classes: str = "", **attributes: str) -> None:
        super().__init__(tag=tag, text=text)
        _dress(self, classes, attributes)


class Button(TextElement):
    """A native button."""

    def __init__(self, label: str, on_click: Handler, classes: str = "", **attributes: str) -> None:
        super().__init__(tag="button", text=label)
        _dress(self, classes, {"type": "button"} | attributes)
        self.on("click", lambda _: on_click(), args=[])

    def enable(self, enabled: bool) -> None:
        if not self.is_deleted:
            self.props["disabled"] = not enabled
            self.update()


def _dress(element: Element, classes: str, attributes: dict[str, Any]) -> None:
    if classes:
        element.classes(classes)
    for name, value in attributes.items():
        element.props[name.rstrip("_").replace("_", "-")] = value


class Component(Element):
    """One of our own components: it shows its properties."""

    def show(self, **properties: Any) -> Self:
        """Change these properties; the others stay."""
        changed = {name: value for name, value in properties.items() if self.props.get(name) != value}
        if changed and not self.is_deleted:  # the screen may have been closed while its answer was under way
            for name, value in changed.items():
                self.props[name] = value
            self.update()
        return self

    def hear(self, event: str, handler: Callable[[Any], Any]) -> Self:
        """Call `handler` with the value of each such event of the component."""

        def heard(said: GenericEventArguments) -> Any:
            return handler(said.args)

        self.on(event, heard)
        return self


class Field(Component, component=STATIC / "field.js"):
    """A labelled input field, with `lines` one of several lines. `value` is its current text."""

    def __init__(self, label: str, on_entered: Handler | None = None, **properties: Any) -> None:
        super().__init__()
        self.value: str = properties.pop("value", "")
        self._rev = 0
        self._typed: list[Callable[[str], Any]] = []
        self.show(label=label, value=self.value, rev=0, **properties)
        self.hear("typed", self._on_typed)
        if on_entered is not None:

            def entered(said: Any) -> Any:
                self._take(said)
                return on_entered()

            self.hear("entered", entered)

    def on_typed(self, handler: Callable[[str], Any]) -> Self:
        """Call `handler` with the text after each change."""
        self._typed.append(handler)
        return self

    def _take(self, said: Any) -> None:
        self.value = said if isinstance(said, str) else ""

    async def _on_typed(self, said: Any) -> None:
        self._take(said)
        for handler in self._typed:
            result = handler(self.value)
            if isinstance(result, Awaitable):
                await result

    def put(self, value: str) -> None:
        self.value, self._rev = value, self._rev + 1
        self.show(value=value, rev=self._rev)

    def say(self, *, error: str = "", good: str = "") -> None:
        """Show an error, or that the text is valid; neither: the hint."""
        self.show(error=error, good=good)

    def focus(self) -> None:
        self.show(focus=self.props.get("focus", 0) + 1)


class Dialog(Component, component=STATIC / "dialog.js"):
    """A modal dialog: hidden until `open`, deleted when it is closed."""

    def __init__(self, label: str, *, closable: bool = True) -> None:
        super().__init__()
        self.show(label=label, open=False, closable=closable)
        self.on("closed", lambda _: self._gone(), args=[])
        self.closed: Callable[[], Any] | None = None

    def open(self) -> None:
        self.show(open=True)

    def close(self) -> None:
        self.show(open=False)

    def _gone(self) -> None:
        if self.closed is not None:
            self.closed()
        self.delete()


class KeyKeeper(Component, component=STATIC / "key.js"):
    """Sends the token, keeps the key, and handles the window's theme, keys and title."""


class PeopleList(Component, component=STATIC / "people.js"):
    """A list of people, requests or findings."""


class MessageList(Component, component=STATIC / "messages.js"):
    """A conversation."""


class Composer(Component, component=STATIC / "composer.js"):
    """The box in which a text is written."""


class Copy(Component, component=STATIC / "copy.js"):
    """A button that copies a text."""

    def __init__(self, label: str, text: str) -> None:
        super().__init__()
        self.show(label=label, text=text)


class Live(Component, component=STATIC / "live.js"):
    """What a screen reader reads aloud."""

    def __init__(self) -> None:
        super().__init__()
        self._rev = 0
        self._said: list[tuple[int, str]] = []

    def say(self, text: str) -> None:
        """Say it after the previous one: the window may get several at once."""
        self._rev += 1
        self._said = [*self._said[1 - LIVE_LINES :], (self._rev, text)]
        self.show(said=[{"key": key, "text": said} for key, said in self._said])
