"""Checks every request before the page: only this machine's browser, showing this page, gets an answer.

docs/threat-model.md, "The chat page". `Host` must be the address that was opened (which rejects a DNS name that was
rebound to 127.0.0.1). `Origin`, where a browser sends one, must be the page's own, and a websocket must have one. Every
answer restricts the page: only its own scripts, styles and connections, no evaluation of text as code, no frame around
it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self' ws://{host}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""All that the page needs is in its own files: nothing inline, no evaluation, and no way to declare a text safe.
`blob:` is for pictures that were drawn here, and fetched with the window's key."""
_FIXED: Final = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(self), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), payment=()",
    ),
)
"""The camera is for QR codes: the browser asks the user first."""
_NOTHING: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
"""A refusal page may load and run nothing."""
_REPLACED: Final = frozenset(
    {b"server", b"set-cookie", b"access-control-allow-origin", _NOTHING[0], *(name for name, _ in _FIXED)}
)
_METHODS: Final = frozenset({"GET", "HEAD"})
_TAKES: Final = "/file"
"""The one path to which something is sent; from the page's own origin only, as a websocket is."""


class Guard:
    """An ASGI application around another one. `host` is what the browser's address bar has: `127.0.0.1:PORT`."""

    def __init__(self, app: App, host: str) -> None:
        self._app = app
        self._host = host.encode()
        self._origin = b"http://" + self._host
        self._policy = _POLICY.format(host=host).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._admits(scope["headers"], needs_origin=True):
                await self._app(scope, receive, send)
            else:
                await receive()  # websocket.connect
                await send({"type": "websocket.close", "code": 1008})
            return
        reads = scope["method"] in _METHODS
        is_allowed = reads or (scope["method"], scope["path"]) == ("POST", _TAKES)
        if is_allowed and self._admits(scope["headers"], needs_origin=not reads):
            await self._app(scope, receive, _Labelled(send, self._policy))
        else:
            await _refuse(send)

    def _admits(self, headers: Iterable[tuple[bytes, bytes]], *, needs_origin: bool) -> bool:
        found: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            found.setdefault(name.lower(), []).append(value)
        if found.get(b"host") != [self._host]:
            return False  # this is not the address of this page
        origins = found.get(b"origin", [])
        if origins != [self._origin] and (origins or needs_origin):
            return False
        return found.get(b"sec-fetch-site", [b"none"])[0] in (b"none", b"same-origin") or _is_visit(found)


def _is_visit(headers: dict[bytes, list[bytes]]) -> bool:
    """Whether a window opens the page, for example by a link. That is allowed, since only the user sees it: the page is
    never in a frame, has no connection to the window that it came from (COOP), and needs the key that the browser
    stores for this origin."""
    wanted = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}
    return all(headers.get(name) == [value] for name, value in wanted.items())


async def _refuse(send: Send) -> None:
    """Without words: a browser says what the status means, in its user's language."""
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store"), _NOTHING, *_FIXED]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class _Labelled:
    """Adds the page's headers to an answer, and takes those out that would weaken them."""

    def __init__(self, send: Send, policy: bytes) -> None:
        self._send = send
        self._policy = (b"content-security-policy", policy)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in _REPLACED]
            message["headers"] = [*kept, self._policy, *_FIXED]
        await self._send(message)
