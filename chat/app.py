"""The page's application: its files, and the websocket of each window."""

from __future__ import annotations

from typing import get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from usernym.chat.account import answer_account
from usernym.chat.entrance import answer_entrance
from usernym.chat.file_door import FileDoor
from usernym.chat.files import PageFiles
from usernym.chat.news import News
from usernym.chat.person import Person, Stage
from usernym.chat.problems import PageRefused
from usernym.chat.relation import Relation
from usernym.chat.requests import AccountAsk, EntranceAsk, FromWindow, PersonAsk, TalkAsk
from usernym.chat.talk import Talk
from usernym.chat.windows import Window, Windows
from usernym.chat.wire import AnswerWire

_ENTRANCE, _TALK, _PERSON, _ACCOUNT = (get_args(kinds) for kinds in (EntranceAsk, TalkAsk, PersonAsk, AccountAsk))


class ChatPage:
    """The application and what it holds. Made in a running event loop."""

    def __init__(self, person: Person, windows: Windows) -> None:
        self.windows = windows
        self.news = News(person, windows)
        self._person = person
        self._talk = Talk(person, windows, self.news)
        self._relation = Relation(person, windows, self.news)
        files = PageFiles()
        self.application = Starlette(
            routes=[
                Route("/", files.page),
                *FileDoor(person, windows, self.news).routes,
                WebSocketRoute("/wire", self._window),
                Route("/static/{path:path}", files.file),
            ],
            exception_handlers={HTTPException: _wordless},
        )

    async def close(self) -> None:
        """Empty all windows, and finish what they began."""
        await self.windows.end()
        await self.news.close()

    async def _window(self, socket: WebSocket) -> None:
        await self.windows.serve(socket, self.news.begin, self._answer)

    async def _answer(self, window: Window, ask: FromWindow) -> AnswerWire:
        if isinstance(ask, _ENTRANCE):
            return await answer_entrance(self._person, ask)
        if self._person.stage is not Stage.READY:
            raise PageRefused("not_possible_now")
        if isinstance(ask, _TALK):
            return await self._talk.answer(window, ask)
        if isinstance(ask, _PERSON):
            return await self._relation.answer(ask)
        if isinstance(ask, _ACCOUNT):
            return await answer_account(self._person, self.windows, ask)
        raise PageRefused("not_possible_now")


async def _wordless(_request: Request, error: Exception) -> Response:
    """All words are in the catalogue: the browser has its own for a status."""
    assert isinstance(error, HTTPException)
    return Response(status_code=error.status_code)
