"""What stands before the page, request by request, without a browser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from usernym.chat.guard import Guard

HOST = "127.0.0.1:8123"
PAGE = b'<html><head><script type="module" src="/x.js"></script></head></html>'


async def behind(scope: Any, receive: Any, send: Any) -> None:
    """The application: a page, a script, and a websocket that is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    is_page = scope["path"] == "/"
    body = PAGE if is_page else b"<script>not a page</script>"
    headers = [
        (b"content-type", b"text/html; charset=utf-8" if is_page else b"text/javascript"),
        (b"content-length", str(len(body)).encode()),
        (b"server", b"somebody"),
        (b"access-control-allow-origin", b"*"),
        (b"content-security-policy", b"default-src *"),
        (b"cache-control", b"max-age=99"),
        (b"set-cookie", b"a=b"),
        (b"x-frame-options", b"SAMEORIGIN"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[:20], "more_body": True})
    await send({"type": "http.response.body", "body": body[20:]})


def ask(
    path: str = "/", method: str = "GET", kind: str = "http", **headers: str | list[str]
) -> tuple[int | str, dict[str, str], bytes]:
    """One request. `host` and so on are headers. Returns status (or the websocket's fate), headers, and body."""
    given = {"host": HOST} | headers
    pairs = [
        (name.replace("_", "-").encode(), each.encode())
        for name, value in given.items()
        for each in ([value] if isinstance(value, str) else value)
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "method": method, "path": path, "headers": pairs}
    asyncio.run(Guard(behind, HOST)(scope, receive, send))
    if kind == "websocket":
        return sent[0]["type"], {}, b""
    answer = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert len(answer) == len(sent[0]["headers"])
    return sent[0]["status"], answer, b"".join(each.get("body", b"") for each in sent[1:])


def test_the_page_itself_is_answered() -> None:
    status, headers, body = ask()
    assert status == 200
    assert body == PAGE
    assert headers["content-length"] == str(len(body))
    assert headers["cache-control"] == "max-age=99"
    assert not {"server", "access-control-allow-origin", "set-cookie"} & headers.keys()


@pytest.mark.parametrize("path", ["/", "/static/x.js"])
def test_the_policy_is_on_every_answer_and_allows_nothing_unsafe(path: str) -> None:
    _, headers, _ = ask(path)
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    directives = dict(each.strip().partition(" ")[::2] for each in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["font-src"] == "'self'"
    assert directives["img-src"] == "'self' blob:"  # pictures that the page has fetched with its key
    assert directives["trusted-types"] == "'none'"
    assert directives["connect-src"] == f"'self' ws://{HOST}"
    assert directives["frame-ancestors"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8123"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1:8124"},
        {"host": "evil.example:8123"},
        {"host": ""},
        {"host": []},
        {"host": [HOST, "evil.example"]},
        {"host": [HOST, HOST]},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://{HOST}"},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": [f"http://{HOST}", "http://evil.example"]},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_strange_hosts_and_pages_are_refused(kind: str, headers: dict[str, Any]) -> None:
    more = {"origin": f"http://{HOST}"} if kind == "websocket" else {}
    status, answer, body = ask(kind=kind, **(more | headers))
    if kind == "websocket":
        assert status == "websocket.close"
    else:
        assert (status, body) == (403, b""), "the browser has words for it, in its own language"
        assert answer["cache-control"] == "no-store"
        assert answer["content-security-policy"].startswith("default-src 'none';")


def test_a_websocket_needs_an_origin() -> None:
    assert ask(kind="websocket")[0] == "websocket.close"
    assert ask(kind="websocket", origin=f"http://{HOST}")[0] == "websocket.accept"
    assert ask(kind="websocket", origin=f"http://{HOST}", sec_fetch_site="same-origin")[0] == "websocket.accept"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get"])
def test_other_methods_are_refused(method: str) -> None:
    assert ask(method=method)[0] == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_typed_addresses_and_the_page_itself_are_let_in(site: str) -> None:
    assert ask(sec_fetch_site=site, origin=f"http://{HOST}")[0] == 200


def test_something_is_taken_on_one_path_and_from_the_page_itself_only() -> None:
    page = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    assert ask("/file", "POST", **page)[0] == 200
    for headers in ({}, page | {"origin": "http://evil.example"}, page | {"sec-fetch-site": "cross-site"}):
        assert ask("/file", "POST", **headers)[0] == 403
    for path, method in (
        ("/", "POST"),
        ("/files", "POST"),
        ("/file", "PUT"),
        ("/file", "DELETE"),
        ("/file", "OPTIONS"),
    ):
        assert ask(path, method, **page)[0] == 403
