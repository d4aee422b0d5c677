"""The errors of `Client`, `Node` and `Finder`. The text of each is a sentence that can be shown to a person.

Others come from below and are part of the same interface: `NodeRefused`, `NodeSilent`, `RemoteProtocolError`,
`StorageError`. `usernym` exports them all.
"""

from __future__ import annotations

from enum import StrEnum


class SettingsError(Exception):
    """A wrong setting: the text is shown as it is, without a traceback."""


class PassphraseWeak(SettingsError):
    """A new passphrase that is too easy to guess (`usernym.passphrases`). Nothing was made or changed."""


class GraphFailed(Exception):
    """An actor failed, and its client, node or finder has stopped. The text names the actor; the log has the cause."""

    @property
    def from_outside(self) -> bool:
        """Whether no bug stopped it, but the disk, a limit of the system, or the mixnet client."""
        from usernym.actors.failures import StoppedFromOutside  # noqa: PLC0415 - this module stays light

        return isinstance(self.args[0], StoppedFromOutside)


class Closed(GraphFailed):
    """The handle was closed while the call was under way, or before. What is on disk continues at the next opening."""


class NotReady(TimeoutError):
    """The call took longer than its `timeout`; the text says what it waited for."""


class _Missing(KeyError):
    def __str__(self) -> str:
        return str(self.args[0])


class NoSuchContact(_Missing):
    """The name is not among the contacts and requests of this home."""

    def __init__(self, text: str = "this name is not among your contacts and requests") -> None:
        super().__init__(text)


class NoSuchMessage(_Missing):
    """This conversation has no text with this id: it never had, or the text was erased."""

    def __init__(self) -> None:
        super().__init__("this conversation has no such text, or has it no more")


class NoSuchFile(_Missing):
    """There is no such file with this contact, or nothing of it can be read (yet)."""

    def __init__(self, text: str = "there is no such file with this contact") -> None:
        super().__init__(text)


class IdentityMoved(Exception):
    """The contact's identity is no longer the one that the user looked at."""


class AccountStays(Exception):
    """The account is registered, or was: its home is not removed."""


class Mismatch(StrEnum):
    """Why a link verifies no contact."""

    OTHER_NODE = "it is of another node: names are per node"
    YOURSELF = "it is a link to your own name"
    OLDER_IDENTITY = "it was made before this person replaced their identity: ask them for a new one"
    OTHER_IDENTITY = "the node shows another identity than the link, and nothing that explains it: one may be false"


class LinkMismatch(Exception):
    """A sound link that does not fit this contact; `why` says how. The contact is not trusted more than before."""

    def __init__(self, name: str, why: Mismatch) -> None:
        super().__init__(f"this link does not verify {name}: {why}")
        self.name = name
        self.why = why
