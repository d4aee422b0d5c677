"""What a window can ask about the user's own account."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import assert_never

from usernym import Client, qr
from usernym._version import __version__
from usernym.chat.person import Person
from usernym.chat.problems import PageRefused
from usernym.chat.requests import (
    AccountAsk,
    ChangePassphraseAsk,
    DeleteAccountAsk,
    ExportBackupAsk,
    GetAboutAsk,
    GetLinkAsk,
    ImportBackupAsk,
    ReplaceIdentityAsk,
)
from usernym.chat.windows import Windows
from usernym.chat.wire import (
    AboutWire,
    AccountDeletedWire,
    AnswerWire,
    BackupReadWire,
    BackupWrittenWire,
    DoneWire,
    LinkWire,
    ListsChangedWire,
    ReplacedWire,
)


async def answer_account(person: Person, windows: Windows, ask: AccountAsk) -> AnswerWire:
    """Carry it out."""
    client, run = person.client, person.run
    match ask:
        case GetLinkAsk():
            link = client.link()
            return LinkWire(id=ask.id, link=link, qr=qr.rows(link))
        case GetAboutAsk():
            return await run(_about, person, client, ask.id)
        case ChangePassphraseAsk():
            await run(client.change_passphrase, ask.old, ask.new)
            await person.account_changed()
            return DoneWire(id=ask.id)
        case ExportBackupAsk():
            folder = _folder(ask.folder)
            if folder.exists():
                raise PageRefused("exists", path=str(folder))
            await run(client.export_backup, folder, ask.passphrase)
            return BackupWrittenWire(id=ask.id, folder=str(folder))
        case ImportBackupAsk():
            got = await run(client.import_backup, _folder(ask.folder), ask.passphrase)
            windows.tell(ListsChangedWire())
            return BackupReadWire(id=ask.id, contacts=got.contacts, texts=got.messages)
        case ReplaceIdentityAsk():
            await run(client.replace_identity, " ".join(ask.words.lower().split()))
            await person.account_changed()
            assert person.known is not None, "read just now"
            return ReplacedWire(id=ask.id, recoveries=person.known.recoveries)
        case DeleteAccountAsk():
            if ask.name.strip() != client.name:
                raise PageRefused("own_name_differs")
            until = await run(client.delete_account)
            await person.account_changed()
            return AccountDeletedWire(id=ask.id, until=until)
        case _:
            assert_never(ask)


def _about(person: Person, client: Client, number: int) -> AboutWire:
    known, home = client.whoami(), person.settings.home.absolute()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return AboutWire(
        id=number,
        version=__version__,
        name=known.name,
        node=known.node,
        witnesses=known.witnesses,
        mixnet=known.mixnet,
        emulated=known.emulated,
        identity_key=known.identity_key,
        protected=known.protected,
        recoveries=known.recoveries,
        home=str(home),
        backup_folder=str(_beside(home) / f"usernym-backup-{known.name}-{today}"),
    )


def _beside(home: Path) -> Path:
    """Where a backup is proposed: the user's home folder, if there is one."""
    try:
        return Path.home()
    except RuntimeError:
        return home.parent


def _folder(typed: str) -> Path:
    """The folder that a person means. Raises `PageRefused`: it is not absolute, so its place is not clear."""
    typed = typed.strip()
    try:
        folder = Path(typed).expanduser()
    except RuntimeError:  # there is no home of that name
        folder = Path(typed)
    if not folder.is_absolute() or "\0" in typed:
        raise PageRefused("not_absolute", path=typed)
    return folder
