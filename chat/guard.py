"""Checks every request before the page: only this machine's browser, showing this page, gets an answer.

docs/threat-model.md, "The chat page". `Host` must be the address that was opened (which rejects a DNS name that was
rebound to 127.0.0.1). `Origin`, where a browser sends one, must be the page's own, and a websocket must have one. Every
answer restricts the page: only its own scripts, styles and connections, no evaluation of text as code, no frame around
it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NONCE_BYTES: Final = 16
"""128 bits, as the CSP specification recommends (W3C CSP3, section 7.1)."""
_TAGS: Final = re.compile(rb"<(?:script|style)(?=[\s>])")
_HIDDEN: Final = b' style="display: none"'
"""NiceGUI's one inline style, which the policy forbids; the attribute `hidden` says the same."""
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'nonce-{nonce}'",
        "style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self' ws://{host}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""`data:` is for QR codes. No `unsafe-eval`, no `unsafe-inline`: NiceGUI's own inline scripts carry the nonce."""
_FIXED: Final = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_NOTHING: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
"""A refusal page may load and run nothing."""
_LEFT_OUT: Final = frozenset({b"content-length", b"server", b"access-control-allow-origin", b"content-security-policy"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})


class Guard:
    """An ASGI application around another one. `host` is what the browser's address bar has: `127.0.0.1:PORT`."""

    def __init__(self, app: App, host: str) -> None:
        self._app = app
        self._host = host.encode()
        self._origin = b"http://" + self._host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._refusal(scope["headers"], needs_origin=True) is None:
                await self._app(scope, receive, send)
            else:
                await receive()  # websocket.connect
                await send({"type": "websocket.close", "code": 1008})
        elif (refusal := self._refusal(scope["headers"], needs_origin=False)) is not None:
            await _refuse(send, refusal)
        elif scope["method"] not in _METHODS:
            await _refuse(send, b"this method is not allowed")
        else:
            await self._app(scope, receive, _Labelled(send, self._host.decode()))

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]], *, needs_origin: bool) -> bytes | None:
        found: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            found.setdefault(name.lower(), []).append(value)
        if found.get(b"host") != [self._host]:
            return b"this is not the address of this page"
        origins = found.get(b"origin", [])
        if origins != [self._origin] and (origins or needs_origin):
            return b"requests from another page are refused"
        if found.get(b"sec-fetch-site", [b"none"])[0] not in (b"none", b"same-origin") and not _is_visit(found):
            return b"requests from another page are refused"
        return None


def _is_visit(headers: dict[bytes, list[bytes]]) -> bool:
    """Whether a window opens the page, for example by a link. That is allowed, since only the user sees it: the page is
    never in a frame, has no connection to the window that it came from (COOP), and needs the key that the browser
    stores for this origin."""
    wanted = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}
    return all(headers.get(name) == [value] for name, value in wanted.items())


async def _refuse(send: Send, why: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), _NOTHING, *_FIXED]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": why})


class _Labelled:
    """Adds the page's headers to an answer; the page's own scripts and styles get the answer's nonce."""

    def __init__(self, send: Send, host: str) -> None:
        self._send = send
        self._nonce = secrets.token_urlsafe(NONCE_BYTES)
        self._policy = _POLICY.format(nonce=self._nonce, host=host).encode()
        self._start: Message | None = None
        self._page = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._start is None:
            await self._send(message)
        else:
            self._page += message.get("body", b"")
            if not message.get("more_body"):
                await self._send(self._start)
                mark = b' nonce="' + self._nonce.encode() + b'"'
                body = _TAGS.sub(lambda tag: tag[0] + mark, bytes(self._page).replace(_HIDDEN, b" hidden"))
                await self._send({"type": "http.response.body", "body": body})

    async def _begin(self, message: Message) -> None:
        headers = [(name, value) for name, value in message["headers"] if name.lower() not in _LEFT_OUT]
        is_page = any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers)
        if not is_page:
            headers += [(name, value) for name, value in message["headers"] if name.lower() == b"content-length"]
        else:
            headers = [(name, value) for name, value in headers if name.lower() != b"cache-control"]
            headers.append((b"cache-control", b"no-store"))
        message["headers"] = [*headers, (b"content-security-policy", self._policy), *_FIXED]
        if is_page:
            self._start = message
        else:
            await self._send(message)
