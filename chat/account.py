"""The dialogs that belong to no conversation: find someone, your account, declined and blocked, help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from usernym import qr
from usernym.chat import texts
from usernym.chat.dialogs import picture
from usernym.chat.elements import Box, Button, Copy, Dialog, Field, KeyKeeper, Label
from usernym.chat.person import Person
from usernym.chat.welcome import PASSPHRASE_LETTERS_MIN
from usernym.protocol.links import SCHEME

KEYS: Final = (
    ("Enter", "send the text; Shift+Enter starts a new line"),
    ("Ctrl+K", "search texts"),
    ("Alt+N", "find someone"),
    ("Alt+↑, Alt+↓", "open the conversation above or below"),
    ("↑, ↓", "move in a list"),
    ("Escape", "close the dialog"),
)


class NewDialog(Dialog):
    """Finds someone by name or by link."""

    def __init__(self, person: Person, on_found: Callable[[str], None]) -> None:
        super().__init__("Find someone")
        self._person, self._on_found = person, on_found
        self._under_way = False
        with self:
            Label("The node learns that you asked for this name.")
            self._field = Field("Name, or a usernym: link", self._find, focus=1)
            self._button = Button("Find", self._find, "main")

    async def _find(self) -> None:
        typed, client = self._field.value.strip(), self._person.client
        if not typed or self._under_way:
            return
        self._under_way = True
        self._button.enable(False)
        self._field.say()
        try:
            by_link = typed.lower().startswith(SCHEME)
            contact = await self._person.run(client.add_link if by_link else client.look_up, typed)
        except KeyError:
            self._say("This is your own name.")
            return
        except Exception as error:  # noqa: BLE001 - shown beside the name
            self._say(texts.problem(error))
            return
        self._person.note_change()
        if not self.is_deleted:  # else the user closed it: do not take them away from what they are writing now
            self.close()
            self._on_found(contact.name)

    def _say(self, error: str) -> None:
        self._under_way = False
        self._field.say(error=error)
        self._button.enable(True)
        self._field.focus()


class RefusedDialog(Dialog):
    """Lists declined and blocked contacts, with a button that accepts them."""

    def __init__(self, person: Person) -> None:
        super().__init__("Declined and blocked")
        with self:
            problem = Label("", role="alert")
            refused = [each for each in person.client.contacts() if each.state in ("declined", "blocked")]
            if not refused:
                Label("No one.")
            for contact in refused:
                with Box("div", "row"):
                    Label(contact.name, "bdi")
                    Label(contact.state, "span", "soft")
                    Button("Accept after all", self._accept(person, contact.name, problem))

    def _accept(self, person: Person, name: str, problem: Label) -> Callable[[], Any]:
        async def accept() -> None:
            try:
                await person.run(person.client.accept, name)
            except Exception as error:  # noqa: BLE001 - shown, never raised into the page
                problem.set_text(texts.problem(error))
                return
            self.close()

        return accept


class HelpDialog(Dialog):
    """The keyboard, and what the words mean."""

    def __init__(self) -> None:
        super().__init__("Help")
        with self:
            with Box("dl"):
                for key, meaning in KEYS:
                    Label(key, "dt", "mono")
                    Label(meaning, "dd")
            Label("waiting here: on this machine's disk, not at the node yet.")
            Label("accepted by the node: on the node's disk, which keeps it for 30 days.")
            Label(
                "delivered: the recipient's program has proved that it has it. It does not mean that they have read it."
            )
            Label("confirmed by the node: the node says that this key belongs to the name.")
            Label("verified: you compared safety numbers, or used a link of theirs that matches.")
            Label("changed: there is a new identity for this name. Look at it before you write.")


class AccountDialog(Dialog):
    """The user's link, the appearance, passphrase, backup, replacing the identity, deleting the account."""

    def __init__(self, person: Person, keeper: KeyKeeper) -> None:
        super().__init__("Your account")
        self._person, self._keeper = person, keeper
        self._said: Label | None = None
        with self:
            self._said = Label("", role="status")
            self._link()
            self._looks()
            for title, make in (
                ("Passphrase", self._passphrase),
                ("Backup of contacts and texts", self._backup),
                ("My machine was stolen: replace my identity", self._replace),
                ("Delete this account", self._delete_account),
            ):
                with Box("details"):
                    Label(title, "summary")
                    with Box("div", "stack"):
                        make()

    async def _do(self, call: Callable[..., Any], *arguments: Any, done: str, **keywords: Any) -> bool:
        """Call the client; `done` is then shown, formatted with the call's result."""
        assert self._said is not None, "made first"
        self._said.set_text("One moment …")
        self._said.classes(remove="error note")
        try:
            result = await self._person.run(call, *arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - shown, never raised into the page
            self._said.set_text(texts.problem(error))
            self._said.classes(add="error")
            return False
        self._said.set_text(done.format(result))
        self._said.classes(add="note")
        return True

    def _link(self) -> None:
        Label("Your link", "h3")
        Label("Anyone who opens it finds you, and knows that it is you if the link came from you.")
        self._own_link = Box("div", "stack")
        self._show_link()

    def _show_link(self) -> None:
        """Show the current link: a new identity has another one."""
        link = self._person.client.link()
        self._own_link.clear()
        with self._own_link:
            Label(link, classes="mono small", data_link="own")
            Copy("Copy the link", link)
            picture(qr.svg(link), "Your link as a QR code")

    def _looks(self) -> None:
        with Box("div", "row", role="group", aria_label="Appearance"):
            Label("Appearance", "h3")
            for theme, label in (("auto", "Same as system"), ("light", "Light"), ("dark", "Dark")):
                Button(label, lambda theme=theme: self._keeper.show(theme=theme))

    def _passphrase(self) -> None:
        protected = self._person.client.whoami().protected
        old = Field("Current passphrase", type="password", autocomplete="current-password") if protected else None
        new = Field(
            "New passphrase",
            type="password",
            autocomplete="new-password",
            hint=f"At least {PASSPHRASE_LETTERS_MIN} characters",
        )

        async def change() -> None:
            if len(new.value) < PASSPHRASE_LETTERS_MIN:
                new.say(error=f"Please use at least {PASSPHRASE_LETTERS_MIN} characters.")
                return
            done = "The passphrase is changed. Older copies of this home still open with the old one."
            client = self._person.client
            await self._do(client.change_passphrase, None if old is None else old.value, new.value, done=done)

        Button("Change passphrase", change)

    def _backup(self) -> None:
        Label("Contacts, what you verified, and texts; encrypted, without any key. With your recovery words you can"
             " restore everything on a new machine.")  # fmt: skip
        folder = Field("Folder on this machine", hint="A new one to create a backup, or one with a backup")
        passphrase = Field("A passphrase for the backup", type="password", autocomplete="off")
        client = self._person.client

        async def export() -> None:
            await self._do(client.export_backup, folder.value, passphrase.value, done="The backup is created.")

        async def bring() -> None:
            done = "Done. Restored: {0.contacts} contacts, {0.messages} texts."
            await self._do(client.import_backup, folder.value, passphrase.value, done=done)

        with Box("div", "row"):
            Button("Create backup", export)
            Button("Restore from a backup", bring)

    def _replace(self) -> None:
        Label("A new identity, signed with your recovery key, replaces this one. Contacts see that it changed. Anything"
             " a thief does with the old one stops counting.")  # fmt: skip
        words = Field("Recovery words", lines=3)

        async def replace() -> None:
            typed = " ".join(words.value.lower().split())
            client = self._person.client

            def put_in_place() -> str:
                client.replace_identity(typed)
                return str(client.whoami().recoveries)

            done = (
                "Your identity is replaced. Replacements so far: {0}. If you remember more, the node hides some, or was"
                " restored from an older copy: replace it again, until there are more than you remember."
            )
            if await self._do(put_in_place, done=done):
                words.put("")
                self._show_link()

        Button("Replace my identity", replace, "danger")

    def _delete_account(self) -> None:
        Label(
            "The node deletes your key, and reserves the name for you for a year. Texts stay here until you delete"
            " them."
        )
        name = Field(f"Type {self._person.client.name} to continue")

        async def delete() -> None:
            if name.value.strip() != self._person.client.name:
                name.say(error="This is not your name.")
                return
            name.say()
            client = self._person.client

            def forget() -> str:
                return texts.moment_text(client.delete_account())

            await self._do(forget, done="The account is deleted. The node reserves the name for you until {0}.")

        Button("Delete my account", delete, "danger")
