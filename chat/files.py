"""The page's own files, served from memory: a quarter of a megabyte, read once. No path of a request reaches a disk.

Each catalogue in `words/` is a language of the page: the settings list what is there.
"""

from __future__ import annotations

import hashlib
import html
import importlib.resources
import mimetypes
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

STATIC: Final = Path(str(importlib.resources.files("usernym.chat") / "static"))
_TYPES: Final = {".js": "text/javascript", ".md": "text/plain", "": "text/plain"}
"""What Python's table of types gets wrong, or takes from the machine."""
_CHECKED: Final = {"cache-control": "no-cache"}
"""A browser asks each time whether a file has changed: another version may be served next."""


class PageFiles:
    """All files below a folder like `static/`, by their path."""

    def __init__(self, folder: Path = STATIC) -> None:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): _answer(path) for path in found}
        languages = {path.stem: _language(path) for path in found if path.parent == folder / "words"}
        page = (folder / "index.html").read_text()
        page = page.replace("LANGUAGES", html.escape(msgspec.json.encode(languages).decode()))
        # A browser that knows each module fetches them side by side, and not as it comes upon them.
        links = "".join(
            f'<link rel="modulepreload" href="/static/{name}">\n' for name in self._files if name.endswith(".js")
        )
        self._page = page.replace("</head>", f"{links}</head>")

    async def page(self, _request: Request) -> Response:
        """The page itself. It holds nothing that is anyone's."""
        return HTMLResponse(self._page, headers={"cache-control": "no-store"})

    async def file(self, request: Request) -> Response:
        """One of the files."""
        found = self._files.get(request.path_params["path"])
        if found is None:
            return Response(status_code=404)
        body, kind, mark = found
        headers = {"etag": mark} | _CHECKED
        if request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=kind, headers=headers)


def _language(catalogue: Path) -> str:
    """What a language calls itself."""
    return msgspec.json.decode(catalogue.read_bytes(), type=dict[str, str])["language"]


def _answer(path: Path) -> tuple[bytes, str, str]:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return body, kind, f'"{hashlib.sha256(body).hexdigest()}"'
