"""The screens before the first conversation: first run (name, passphrase, recovery words), passphrase, restore.

An error is shown beside the field that caused it, and what was typed stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from usernym import NodeRefused, NodeSilent, NotReady
from usernym.chat import texts
from usernym.chat.elements import Box, Button, Field, Label
from usernym.chat.person import Person
from usernym.chat.screen import Refresher, Screen
from usernym.finder import NameState
from usernym.protocol.cards import parse_card
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.names import canonical, check_registrable

PASSPHRASE_LETTERS_MIN: Final = 8
"""A thief of the disk can guess a shorter one despite Argon2id. Only length counts, so there are no other rules."""
WORDS_ASKED: Final = 2
"""Recovery words that the user must type back: enough to show that the list was written down, and quick to do."""
LOOK_AFTER_S: Final = 0.4
"""The page asks the node whether a name is free after this time without a key press."""
_STEPS: Final = ("Name", "Passphrase", "Recovery words", "Done")


class _Entrance(Screen):
    """A screen of one column."""

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        self._column = Box("div", "entrance")
        if person.settings.is_emulated:
            Label(texts.EMULATED, classes="offline small entrance")


class _Alert(Label):
    """Where an error is shown."""

    def __init__(self) -> None:
        super().__init__("", classes="error", role="alert")
        self.say("")

    def say(self, what: str) -> None:
        self.set_text(what)
        self.set_visibility(bool(what))

    @contextmanager
    def shows(self, button: Button | None = None) -> Iterator[None]:
        """What goes wrong in the block is shown, and the user can try again with `button`."""
        if button is not None:
            button.enable(False)
        self.say("")
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - any error is shown where it happened
            self.say(texts.problem(failure))
            if button is not None:
                button.enable(True)


class Unlock(_Entrance):
    """Asks for the passphrase of an existing home."""

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        with self._column:
            Label("usernym", "h1")
            Label("This account is protected by a passphrase.")
            self._passphrase = Field(
                "Passphrase", self._open, type="password", autocomplete="current-password", focus=1
            )
            self._error = _Alert()
            self._button = Button("Open", self._open, "main")

    async def _open(self) -> None:
        with self._error.shows(self._button):
            await self.person.unlock(self._passphrase.value)
        if self._error.text:
            self._passphrase.focus()


class FirstRun(_Entrance):
    """From nothing to a registered name, step by step."""

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        self._name = ""
        self._passphrase: str | None = None
        self._looking = Refresher(self._look, LOOK_AFTER_S)
        self._name_field: Field | None = None
        self._next: Button | None = None
        if person.node is None or person.mixnet is None:
            self._ask_where()
        else:
            self._ask_name()

    def leave(self) -> None:
        self._looking.end()

    def _begin(self, step: int | None, title: str) -> None:
        self._column.clear()
        with self._column:
            Label("usernym", "h1")
            if step is not None:
                with Box("ol", "steps", aria_label="Steps"):
                    for at, name in enumerate(_STEPS):
                        Label(name, "li", **({"aria_current": "step"} if at == step else {}))
            Label(title, "h2")

    # -- where --

    def _ask_where(self) -> None:
        self._begin(None, "Which node?")
        with self._column:
            Label("A discovery node stores names. Ask the person who runs it for its card: one long line.")
            card = Field("The node's card", lines=4, value=self.person.node or "", focus=1)
            Label("usernym sends everything through the Nym mixnet, or through a Nym client that runs on this machine.")
            mixnet = Field("Mixnet", hint="nym, or the address of a Nym client: ws://127.0.0.1:1977")
            mixnet.put(self.person.mixnet or "nym")

            def proceed() -> None:
                try:
                    parse_card(card.value.strip())
                except RemoteProtocolError as error:
                    card.say(error=texts.problem(error))
                    card.focus()
                    return
                self.person.node, self.person.mixnet = card.value.strip(), mixnet.value.strip() or "nym"
                self._ask_name()

            Button("Continue", proceed, "main")

    # -- the name --

    def _ask_name(self) -> None:
        self._begin(0, "Choose a name")
        with self._column:
            Label("Others find you by this name. Anyone who asks the node for it learns that it exists.")
            self._name_field = Field(
                "Name", self._take_name, hint="3 to 32 characters: a-z, 0-9 and _", value=self._name, limit=64, focus=1
            ).on_typed(self._on_name)
            with Box("div", "row"):
                self._next = Button("Continue", self._take_name, "main")
                Button("I have recovery words", self._ask_restore)
        self._on_name(self._name)

    def _on_name(self, typed: str) -> None:
        field = self._name_field
        if field is None:
            return
        field.say()
        if self._next is not None:
            self._next.enable(False)
        if typed.strip():
            try:
                name = canonical(typed)
                check_registrable(name)
            except RemoteProtocolError as error:
                field.say(error=texts.problem(error))
                return
            self._name = name
            self._looking.soon()

    async def _look(self) -> None:
        field, name = self._name_field, self._name
        if field is None or not name or not _is_now(field, name):
            return
        try:
            state: NameState | None = await self.person.name_state(name)
            problem = "" if state is None or state.reason is None else texts.refusal(state.reason)
        except (NodeSilent, NotReady):
            state, problem = None, ""
        except Exception as error:  # noqa: BLE001 - an invalid mixnet, another node's card, …: shown, not raised
            state, problem = None, texts.problem(error)
        if not _is_now(field, name):
            return  # the user has typed more meanwhile
        if problem:
            field.say(error=problem)
        elif state is None:
            field.say(error="The node does not respond. Whether the name is free is shown when it does.")
            self._looking.soon()
        else:
            field.say(good=f"{name} is free.")
            if self._next is not None:
                self._next.enable(True)

    async def _take_name(self) -> None:
        if self._next is None or self._next.props.get("disabled"):
            return
        self._looking.end()
        self._name_field = None
        self._looking = Refresher(self._look, LOOK_AFTER_S)
        self._ask_passphrase()

    # -- the passphrase --

    def _ask_passphrase(self) -> None:
        self._name_field = None
        self._begin(1, "Choose a passphrase")
        with self._column:
            Label("It protects your keys and texts on this machine. No one can reset it.")
            first = Field(
                "Passphrase",
                type="password",
                autocomplete="new-password",
                hint=f"At least {PASSPHRASE_LETTERS_MIN} characters; several words are best",
                focus=1,
            )

            async def take() -> None:
                if len(first.value) < PASSPHRASE_LETTERS_MIN:
                    first.say(error=f"Please use at least {PASSPHRASE_LETTERS_MIN} characters.")
                    first.focus()
                elif first.value != again.value:
                    first.say()
                    again.say(error="The two passphrases differ.")
                    again.focus()
                else:
                    await self._create(first.value, button, error)

            again = Field("Repeat the passphrase", take, type="password", autocomplete="new-password")
            error = _Alert()
            with Box("div", "row"):
                button = Button("Continue", take, "main")
                Button("Back", self._ask_name)
            with Box("details"):
                Label("Without a passphrase", "summary")
                Label("Then anyone who gets this disk, or this user's files, can read your texts and write as you.")
                Button("Continue with no passphrase", lambda: self._create(None, button, error), "danger")

    async def _create(self, passphrase: str | None, button: Button, error: _Alert) -> None:
        with error.shows(button):
            words = await self.person.create(self._name, passphrase)
            self._show_words(words.split())

    # -- the recovery words --

    def _show_words(self, words: list[str]) -> None:
        self._begin(2, "Write these words down")
        with self._column:
            Label(
                "Only these words can restore your name when this machine is lost, and lock a thief out. They are shown"
                " once and stored nowhere. Write them on paper. Anyone who has them can take your name."
            )
            with Box("ol", "words", aria_label="Recovery words"):
                for number, word in enumerate(words, 1):
                    with Box("li"):
                        Label(f"{number} ", "span")
                        Label(word, "b")
            Button("I have written them down", lambda: self._ask_back(words), "main")

    def _ask_back(self, words: list[str]) -> None:
        self._begin(2, "Which words were these?")
        asked = sorted(secrets.SystemRandom().sample(range(len(words)), WORDS_ASKED))
        with self._column:
            fields = [Field(f"Word {at + 1}", focus=1 if at == asked[0] else 0) for at in asked]

            async def check() -> None:
                for at, field in zip(asked, fields, strict=True):
                    if field.value.strip().lower() != words[at]:
                        field.say(error="This is not that word.")
                        field.focus()
                        return
                    field.say()
                await _register(self.person, button, error, self._column)

            error = _Alert()
            with Box("div", "row"):
                button = Button("Register", check, "main")
                Button("Show the words again", lambda: self._show_words(words))

    # -- an identity that exists --

    def _ask_restore(self) -> None:
        self._name_field = None
        self._begin(None, "Restore your name")
        with self._column:
            name = Field("Name", value=self._name, focus=1)
            words = Field("Recovery words", lines=3, hint="Twelve words, in this order")
            first = Field(
                "A new passphrase for this machine",
                type="password",
                autocomplete="new-password",
                hint=f"At least {PASSPHRASE_LETTERS_MIN} characters",
            )
            with Box("label", "choice"):
                stolen = Box("input", type="checkbox")
                Label("Someone else may have my old machine or its keys: replace my identity", "span")
            self._replace = False

            def choose(replace: bool) -> None:
                self._replace = replace

            stolen.on("change", lambda _: choose(not self._replace), args=[])
            error = _Alert()

            async def restore() -> None:
                if len(first.value) < PASSPHRASE_LETTERS_MIN:
                    first.say(error=f"Please use at least {PASSPHRASE_LETTERS_MIN} characters.")
                    first.focus()
                    return
                with error.shows(button):
                    await self.person.restore(
                        name.value, " ".join(words.value.lower().split()), first.value, replace=self._replace
                    )

            with Box("div", "row"):
                button = Button("Restore", restore, "main")
                Button("Back", self._ask_name)


class Unfinished(_Entrance):
    """An identity whose name was not registered: the window was closed too early, or the node refused the name."""

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        with self._column:
            Label("usernym", "h1")
            Label(f"{person.client.name} is not registered yet", "h2")
            Label(
                "Do you have the recovery words that were shown? They are not shown again. If a registration was in"
                " progress, the node may have the name already: then only these words restore it."
            )
            error = _Alert()

            async def register() -> None:
                await _register(self.person, button, error, self._column)

            async def start_over() -> None:
                with error.shows():
                    await self.person.start_over()

            with Box("div", "row"):
                button = Button("I have them: register the name", register, "main")
                Button("No: start over", start_over)


async def _register(person: Person, button: Button, error: _Alert, column: Box) -> None:
    """Register; if the node refuses the name, offer to choose another."""
    with error.shows(button):
        try:
            await person.register()
        except NodeRefused as refused:
            _say_refused(person, error, column, texts.refusal(refused.code, refused.detail))
            button.enable(True)


def _say_refused(person: Person, error: _Alert, column: Box, why: str) -> None:
    async def start_over() -> None:
        with error.shows():
            await person.start_over()

    error.say(why)
    if error.props.get("data-offers") is None:
        error.props["data-offers"] = "another name"
        with column:
            Button("Choose another name", start_over)


def _is_now(field: Field, name: str) -> bool:
    try:
        return canonical(field.value) == name
    except RemoteProtocolError:
        return False
