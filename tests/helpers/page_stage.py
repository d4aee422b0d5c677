"""The chat page before a made-up account: canned answers over the real websocket, guard and files."""

from __future__ import annotations

import asyncio
import io
import itertools
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import uvicorn
from PIL import Image, ImageDraw, ImageOps
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from usernym import WitnessesView, qr
from usernym.chat.files import STATIC, PageFiles
from usernym.chat.guard import Guard
from usernym.chat.keys import Keys
from usernym.chat.problems import PageRefused
from usernym.chat.requests import (
    Ask,
    CheckNameAsk,
    ConfirmVerifiedAsk,
    DecideAsk,
    DeleteAccountAsk,
    DeleteAsk,
    ExportBackupAsk,
    FindPersonAsk,
    FromWindow,
    GetAboutAsk,
    GetLinkAsk,
    GetSafetyNumberAsk,
    ImportBackupAsk,
    ListContactsAsk,
    MoreTextsAsk,
    OpenConversationAsk,
    ReplaceIdentityAsk,
    SearchAsk,
    SendAsk,
    SetDirectOnlyAsk,
    SetDisappearingAsk,
    SetPersonalAsk,
    ShowWordsAsk,
    UndoAsk,
    UnverifyAsk,
    VerifyAsk,
)
from usernym.chat.windows import Window, Windows
from usernym.chat.wire import (
    AboutWire,
    AccountDeletedWire,
    AnswerWire,
    BackupReadWire,
    BackupWrittenWire,
    ConnectionWire,
    ContactChangedWire,
    ContactLine,
    ContactsWire,
    ConversationWire,
    DeletingWire,
    DoneWire,
    FoundPersonWire,
    FoundText,
    FoundWire,
    HomeWire,
    LastLine,
    LinkWire,
    NameCheckedWire,
    PushWire,
    ReplacedWire,
    SafetyNumberWire,
    TextChangedWire,
    TextsGoneWire,
    TextView,
    TotalsWire,
    WarningsWire,
    WordsWire,
)

NOW: Final = int(time.time())
MINUTE: Final = 60
NUMBER: Final = " ".join(f"{10_007 * each % 100_000:05}" for each in range(3, 15))
LINK: Final = "usernym:maya?n=7f3c9a51d2e84b60&k=0b6d1c2f94e8a7536d21f0c8b9a4e5d7"
WORDS: Final = [
    "orbit", "velvet", "canyon", "puzzle", "ladder", "honey",
    "marble", "sketch", "tunnel", "wisdom", "anchor", "breeze",
]  # fmt: skip


def contact(name: str, **more: Any) -> ContactLine:
    """A person in the list of contacts, with whom nothing was written yet."""
    usual: dict[str, Any] = {
        "list": "contacts", "key": f"{zlib.crc32(name.encode()):08x}" + "0" * 56, "nickname": "",
        "trust": "confirmed", "directory": "shown",
        "state": "accepted", "route": "none", "direct_only": False, "direct_silent": False,
        "disappears_after": None, "muted": False, "pinned": False, "unread": 0, "order": 0, "has_draft": False,
        "last": None,
    }  # fmt: skip
    return ContactLine(name=name, **usual | more)


def written_text(row: int, text: str, ago: int, **more: Any) -> TextView:
    """A text that came, or with `out` one of the user's own, `ago` seconds before now."""
    out = more.pop("out", False)
    usual: dict[str, Any] = {
        "sent_at": NOW - ago, "arrived_at": NOW - ago, "state": "delivered" if out else None, "reason": None,
        "route": "node", "missing": 0, "late": False, "read": True,
    }  # fmt: skip
    return TextView(row=row, order=(row, 0, 0, row), message_id=f"{row:032x}", out=out, text=text, **usual | more)


class Account:
    """What the made-up account holds. A test changes it before it opens a window."""

    def __init__(self) -> None:
        self.home = HomeWire(screen="main", name="maya", emulated=False)
        self.connection = ConnectionWire(state="connected")
        self.warnings = WarningsWire(
            caught=[], doubted_since=None, unwitnessed_since=None, stalled_since=None, node_moved=False
        )
        self.witnesses: WitnessesView | None = WitnessesView(3, 2, 2, 1_700_000_000, None)
        self.people: dict[str, ContactLine] = {}
        self.texts: dict[str, list[TextView]] = {}
        self.sent: list[Ask] = []
        self.refuses: dict[type[Ask], PageRefused] = {}
        """Requests that are refused, and how."""

    def add(self, line: ContactLine, *texts: TextView) -> None:
        """A person, with what was written."""
        if texts:
            last = texts[-1]
            snippet = " ".join(last.text.split())[:80]
            shown = LastLine(row=last.row, out=last.out, snippet=snippet, at=last.arrived_at, state=last.state)
            line = msgspec.structs.replace(line, last=shown, order=last.row)
        self.people[line.name] = line
        self.texts[line.name] = list(texts)

    def totals(self) -> TotalsWire:
        lines = self.people.values()
        return TotalsWire(
            unread=sum(line.unread for line in lines if line.state == "accepted" and not line.muted),
            requests=sum(line.state == "pending" for line in lines),
            archived=sum(line.list == "archived" for line in lines),
            refused=sum(line.list == "refused" for line in lines),
        )


class Stage:
    """Serves the page on loopback, on a thread, as long as it is entered."""

    def __init__(self, account: Account, folder: Path = STATIC) -> None:
        self.account = account
        self._folder = folder
        self.keys = Keys()
        self.windows = Windows(self.keys)
        self._undo: dict[int, tuple[str, list[TextView]]] = {}
        self._row = itertools.count(100_000)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    @property
    def address(self) -> str:
        return f"http://{self.host}/#{self.keys.new_token()}"

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        files = PageFiles(self._folder)
        application = Starlette(
            routes=[
                Route("/", files.page),
                Route("/static/{path:path}", files.file),
                Route("/picture", self._picture),
                WebSocketRoute("/wire", self._window),
            ]
        )

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            await Guard(application, self.host)(scope, receive, send)

        config = uvicorn.Config(
            guarded, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        self.host = f"127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        ready.set()
        await serving

    async def _picture(self, _request: Request) -> Response:
        """The moon over a harbour, whatever was asked for."""
        drawn = io.BytesIO()
        sky = Image.linear_gradient("L").resize((320, 200))
        night = ImageOps.colorize(sky, "#12263f", "#d98a5b")
        pen = ImageDraw.Draw(night)
        pen.ellipse((212, 30, 252, 70), fill="#fbf3da")
        pen.rectangle((0, 150, 320, 200), fill="#1c3a4f")
        pen.polygon(((60, 150), (120, 150), (108, 166), (72, 166)), fill="#0d1b26")
        pen.polygon(((88, 90), (88, 144), (118, 144)), fill="#e8e2d0")
        night.save(drawn, "PNG")
        return Response(drawn.getvalue(), media_type="image/png")

    async def _window(self, socket: WebSocket) -> None:
        await self.windows.serve(socket, self._begin, self._answer)

    def _begin(self, window: Window) -> None:
        for message in (
            self.account.home,
            self.account.connection,
            self.account.warnings,
            self.account.totals(),
        ):
            window.tell(message)

    def push(self, *messages: PushWire) -> None:
        """Tell all windows."""
        for message in messages:
            self._loop.call_soon_threadsafe(self.windows.tell, message)

    @staticmethod
    def wait_for(holds: Callable[[], bool]) -> None:
        """Until the program has heard what it should."""
        end = time.monotonic() + 15
        while not holds():
            assert time.monotonic() < end, "the page did not ask it"
            time.sleep(0.02)

    def end(self) -> None:
        """The program ends, as its windows see it."""
        asyncio.run_coroutine_threadsafe(self.windows.end(), self._loop).result(10)

    # -- canned answers --

    async def _answer(self, window: Window, ask: FromWindow) -> AnswerWire:
        assert isinstance(ask, Ask)
        self.account.sent.append(ask)
        if type(ask) in self.account.refuses:
            raise self.account.refuses[type(ask)]
        answers: dict[type[Ask], Callable[[Any], AnswerWire]] = {
            ListContactsAsk: self._list,
            OpenConversationAsk: self._open,
            MoreTextsAsk: self._more,
            SearchAsk: self._search,
            SendAsk: self._send,
            DeleteAsk: self._delete,
            UndoAsk: self._bring_back,
            DecideAsk: self._decide,
            SetPersonalAsk: self._set_personal,
            FindPersonAsk: self._find,
            GetSafetyNumberAsk: self._number,
            VerifyAsk: self._verify,
            ConfirmVerifiedAsk: lambda ask: self._change(ask, trust="verified"),
            GetLinkAsk: lambda ask: LinkWire(id=ask.id, link=LINK, qr=qr.rows(LINK)),
            GetAboutAsk: self._about,
            ShowWordsAsk: lambda ask: WordsWire(id=ask.id, words=WORDS),
            UnverifyAsk: lambda ask: self._change(ask, trust="confirmed"),
            SetDirectOnlyAsk: lambda ask: self._change(ask, direct_only=ask.direct_only),
            SetDisappearingAsk: lambda ask: self._change(ask, disappears_after=ask.seconds),
            ExportBackupAsk: lambda ask: BackupWrittenWire(id=ask.id, folder=ask.folder),
            ImportBackupAsk: lambda ask: BackupReadWire(id=ask.id, contacts=9, texts=1),
            ReplaceIdentityAsk: lambda ask: ReplacedWire(id=ask.id, recoveries=2),
            DeleteAccountAsk: lambda ask: AccountDeletedWire(id=ask.id, until=NOW),
            CheckNameAsk: self._check_name,
        }
        if isinstance(ask, OpenConversationAsk):
            window.open_name = ask.name
        return answers.get(type(ask), lambda ask: DoneWire(id=ask.id))(ask)

    def _list(self, ask: ListContactsAsk) -> AnswerWire:
        lines = [line for line in self.account.people.values() if line.list == ask.list]
        lines.sort(key=lambda line: (not line.pinned, -line.order, line.name))
        begin = int(ask.after or 0)
        end = begin + ask.limit
        return ContactsWire(id=ask.id, contacts=lines[begin:end], next=str(end) if end < len(lines) else None)

    def _conversation(self, ask: Any, texts: list[TextView]) -> AnswerWire:
        every = self.account.texts[ask.name]
        return ConversationWire(
            id=ask.id, contact=self.account.people[ask.name], texts=texts,
            older=bool(texts) and texts[0] is not every[0], newer=bool(texts) and texts[-1] is not every[-1],
            draft="", outgoing=[],
        )  # fmt: skip

    def _open(self, ask: OpenConversationAsk) -> AnswerWire:
        if ask.name not in self.account.people:
            raise PageRefused("no_such_contact")
        every = self.account.texts[ask.name]
        if ask.around is None:
            return self._conversation(ask, every[-ask.limit :])
        at = next(place for place, text in enumerate(every) if text.row == ask.around)
        return self._conversation(ask, every[max(0, at - ask.limit // 2) : at + ask.limit // 2])

    def _more(self, ask: MoreTextsAsk) -> AnswerWire:
        every = self.account.texts[ask.name]
        if ask.before is not None:
            return self._conversation(ask, [text for text in every if text.row < ask.before][-ask.limit :])
        return self._conversation(ask, [text for text in every if text.row > (ask.after or 0)][: ask.limit])

    def _search(self, ask: SearchAsk) -> AnswerWire:
        words = ask.words.lower()
        people = [line for line in self.account.people.values() if words in (line.name + line.nickname).lower()]
        texts = [
            FoundText(name=name, nickname=self.account.people[name].nickname, row=text.row, out=text.out,
                      at=text.arrived_at, snippet=text.text[:80])
            for name, every in self.account.texts.items() for text in every if words in text.text.lower()
        ]  # fmt: skip
        texts.sort(key=lambda found: -found.at)
        return FoundWire(id=ask.id, contacts=people, texts=texts[:20], next=None)

    def _send(self, ask: SendAsk) -> AnswerWire:
        text = written_text(next(self._row), ask.text, 0, out=True, state="waiting")
        self.account.texts[ask.name].append(text)
        self.windows.tell(TextChangedWire(name=ask.name, text=text))
        return DoneWire(id=ask.id)

    def _delete(self, ask: DeleteAsk) -> AnswerWire:
        every = self.account.texts[ask.name]
        gone = [text for text in every if ask.rows is None or text.row in ask.rows]
        self.account.texts[ask.name] = [text for text in every if text not in gone]
        self._undo[ask.id] = (ask.name, every)
        self.windows.tell(TextsGoneWire(name=ask.name, rows=[text.row for text in gone]))
        return DeletingWire(id=ask.id, undo=ask.id)

    def _bring_back(self, ask: UndoAsk) -> AnswerWire:
        name, every = self._undo.pop(ask.undo)
        self.account.texts[name] = every
        self.windows.tell(TextsGoneWire(name=name, rows=None))
        return DoneWire(id=ask.id)

    def _change(self, ask: Any, **changes: Any) -> AnswerWire:
        line = msgspec.structs.replace(self.account.people[ask.name], **changes)
        self.account.people[ask.name] = line
        self.windows.tell(ContactChangedWire(contact=line))
        self.windows.tell(self.account.totals())
        return DoneWire(id=ask.id)

    def _decide(self, ask: DecideAsk) -> AnswerWire:
        states = {"accept": "accepted", "decline": "declined", "block": "blocked", "remove": "declined"}
        listed = "contacts" if ask.decision == "accept" else "refused"
        return self._change(ask, state=states[ask.decision], list=listed)

    def _set_personal(self, ask: SetPersonalAsk) -> AnswerWire:
        changes = {name: getattr(ask, name) for name in ("nickname", "muted", "pinned")}
        if ask.archived is not None:
            changes["list"] = "archived" if ask.archived else "contacts"
        return self._change(ask, **{name: value for name, value in changes.items() if value is not None})

    def _find(self, ask: FindPersonAsk) -> AnswerWire:
        if ask.who not in self.account.people:
            raise PageRefused("no_such_user")
        return FoundPersonWire(id=ask.id, contact=self.account.people[ask.who])

    def _number(self, ask: GetSafetyNumberAsk) -> AnswerWire:
        line = self.account.people[ask.name]
        return SafetyNumberWire(
            id=ask.id, name=ask.name, number=NUMBER, qr=qr.rows("usernym-safety:" + NUMBER.replace(" ", "")),
            identity_key=line.key, trust=line.trust,
        )  # fmt: skip

    def _verify(self, ask: VerifyAsk) -> AnswerWire:
        digits = "".join(ask.seen.split()).removeprefix("usernym-safety:")
        if len(digits) != 60 or not digits.isdecimal():
            raise PageRefused("not_a_number")
        if digits != NUMBER.replace(" ", ""):
            raise PageRefused("numbers_differ")
        return self._change(ask, trust="verified")

    def _check_name(self, ask: CheckNameAsk) -> AnswerWire:
        if ask.name == "alice":
            raise PageRefused("name_taken")
        return NameCheckedWire(id=ask.id, name=ask.name)

    def _about(self, ask: GetAboutAsk) -> AnswerWire:
        return AboutWire(
            id=ask.id, version="0.1.0", name="maya", node="7f3c9a51" * 8, mixnet="nym", emulated=False,
            witnesses=self.account.witnesses,
            identity_key="0b6d1c2f" * 8, protected=True, recoveries=0, home="/home/maya/.local/share/usernym",
            backup_folder="/home/maya/usernym-backup",
        )  # fmt: skip
