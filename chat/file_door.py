"""The way of files between a window and the client: by HTTP, beside the websocket, since they are large.

- `POST /file?name=…&called=…`, the body is the file: sends it, and answers when it is on the disk. A picture is redrawn
  before it leaves, so that nothing of the camera is in it; with `as_it_is=1` it is not.
- `GET /file?name=…&id=…&mine=0|1`: a file that is whole, as bytes of no kind, for the browser to save.
- `GET /picture?…`, the same: the pixels of a picture, drawn again here. A browser never gets to decode what another
  person made.

Each request shows the window's key (`Authorization: Bearer …`). The answer to what can't be
done is a `Problem`, as JSON; no file is sent as that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from usernym import Client
from usernym.chat.news import News
from usernym.chat.person import Person, Stage
from usernym.chat.problems import PageRefused, problem_of
from usernym.chat.windows import Windows
from usernym.chat.wire import Problem
from usernym.protocol.limits import FILE_BYTES_MAX

AT_ONCE_MAX: Final = 2
"""Files that are in memory at once: a picture of 40 million pixels takes 160 MB while it is drawn."""
_PRIVATE: Final = {"cache-control": "no-store"}
_SAVED: Final = {"content-disposition": "attachment"} | _PRIVATE
_BYTES: Final = "application/octet-stream"
_JSON: Final = "application/json"
_SCHEME: Final = "Bearer "

T = TypeVar("T")
_Work = Callable[[Client, Request], Awaitable[Response]]


class FileDoor:
    """Answers the requests."""

    def __init__(self, person: Person, windows: Windows, news: News) -> None:
        self._person = person
        self._windows = windows
        self._news = news
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self.routes = (
            Route("/file", self._send, methods=["POST"]),
            Route("/file", self._file),
            Route("/picture", self._picture),
        )

    async def _send(self, request: Request) -> Response:
        return await self._answer(request, self._take)

    async def _file(self, request: Request) -> Response:
        return await self._answer(request, self._give)

    async def _picture(self, request: Request) -> Response:
        return await self._answer(request, self._draw)

    async def _answer(self, request: Request, work: _Work) -> Response:
        shown = request.headers.get("authorization", "")
        if not shown.startswith(_SCHEME) or not self._windows.admits(shown.removeprefix(_SCHEME)):
            return Response(status_code=403, headers=_PRIVATE)
        try:
            if self._person.stage is not Stage.READY:
                raise PageRefused("not_possible_now")
            async with self._room:
                return await work(self._person.client, request)
        except Exception as error:  # noqa: BLE001 - any error is shown in the window
            return _failed(problem_of(error))

    async def _take(self, client: Client, request: Request) -> Response:
        name, called = (request.query_params.get(each, "") for each in ("name", "called"))
        content = await _body(request)
        if not content:
            raise PageRefused("file_empty")
        contact = await self._person.run(client.contact, name)  # never a stranger: that would look the name up
        async with self._person.order(contact.name):
            sent = await self._person.run(
                client.files.send,
                contact.name,
                content,
                called=called,
                redraw=request.query_params.get("as_it_is") != "1",
                wait="queued",
            )
        self._news.note_text(contact.name, sent.file_id, mine=True)
        return Response("{}", media_type=_JSON, headers=_PRIVATE)

    async def _give(self, client: Client, request: Request) -> Response:
        return Response(await self._content(client.files.content, request), media_type=_BYTES, headers=_SAVED)

    async def _draw(self, client: Client, request: Request) -> Response:
        drawn = await self._content(client.files.picture, request)
        return Response(drawn.content, media_type=drawn.media_type, headers=_PRIVATE)

    async def _content(self, read: Callable[..., T], request: Request) -> T:
        name, file, mine = (request.query_params.get(each, "") for each in ("name", "id", "mine"))
        return await self._person.run(read, name, file, outgoing=mine == "1")


def _failed(problem: Problem) -> Response:
    return Response(msgspec.json.encode(problem), media_type=_JSON, headers=_PRIVATE)


async def _body(request: Request) -> bytes:
    """All of a request's body; no more of it is read than a file may have."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > FILE_BYTES_MAX:
            raise PageRefused("file_too_large", most=FILE_BYTES_MAX)
        parts.append(part)
    return b"".join(parts)
