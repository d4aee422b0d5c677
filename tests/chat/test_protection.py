"""Other users of the machine, other pages and thieves of the browser's files get nothing."""

from __future__ import annotations

import http.client
import re
import socket
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.helpers.browser_people import People, Someone

pytestmark = [pytest.mark.browser, pytest.mark.processes]

MARKER = "xylophone-quagmire-7391"
Pair = tuple[Someone, Someone]


@pytest.fixture(scope="module")
def pair(company: People) -> Pair:
    alice, bob = company.pair()
    alice.write(MARKER)
    bob.expect_text(MARKER)
    return alice, bob


def secrets_in(page: Page, *secrets: str) -> list[str]:
    """Which of them the page's document holds anywhere."""
    html = page.content() + str(page.evaluate("document.body.innerText"))
    return [secret for secret in secrets if secret in html]


def test_a_window_without_the_key_gets_nothing(people: People, pair: Pair) -> None:
    alice, bob = pair
    frames: list[str | bytes] = []

    def listen(websocket: WebSocket) -> None:
        websocket.on("framereceived", lambda payload: frames.append(payload))  # noqa: PLW0108 - it gets marked

    for fragment in ("", "#wrong", f"#{alice.address.partition('#')[2]}"):  # the last one was used, by alice's window
        context, watch = people.chromium.context("stranger", alice.host)
        page = context.new_page()
        page.on("websocket", listen)
        page.goto(f"http://{alice.host}/{fragment}")
        expect(page.get_by_text("This window is not allowed to show anything.")).to_be_visible()
        bob.write(f"{MARKER} once more")
        alice.wait_until("it has come", lambda: alice.last() == f"{MARKER} once more")
        # What the page says to the server after that is answered by nothing either.
        page.evaluate(
            "() => { new WebSocket(`ws://${location.host}/wire`).onopen = (event) =>"
            " event.target.send(JSON.stringify({type: 'list_contacts', id: 1, list: 'contacts'})) }"
        )
        page.keyboard.press("Alt+n")
        page.keyboard.press("Control+k")
        assert secrets_in(page, MARKER, alice.home, bob.home) == []
        assert page.evaluate("localStorage.length") == 0
        assert watch.problems == []
        context.close()
        people.chromium.watches.remove(watch)
    assert len(frames) >= 3
    held = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in frames)
    for secret in (MARKER, alice.home, bob.home):
        assert secret.encode() not in held


def test_the_key_is_all_that_the_browser_keeps(people: People, pair: Pair) -> None:
    alice, _ = pair
    alice.settings("Appearance").get_by_label("Dark").check()
    alice.page.keyboard.press("Escape")
    alice.page.wait_for_function("localStorage.getItem('usernym-theme') !== null")
    kept = alice.page.evaluate("Object.fromEntries(Object.entries(localStorage))")
    assert kept.keys() == {"usernym-key", "usernym-theme"}
    assert kept["usernym-theme"] == "dark"
    assert re.fullmatch(r"[\w-]{43}", kept["usernym-key"])
    assert alice.page.url == f"http://{alice.host}/"  # the token has gone from the address bar
    assert alice.context.cookies() == []
    assert alice.page.evaluate("indexedDB.databases().then((found) => found.length)") == 0
    stored = alice.page.evaluate("JSON.stringify(sessionStorage)")
    assert MARKER not in stored


def answer(host: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A request as any program can send it."""
    address, _, port = host.partition(":")
    connection = http.client.HTTPConnection(address, int(port), timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Host": host} | {key.replace("_", "-"): value for key, value in headers.items()}).items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    body = response.read()
    connection.close()
    return response.status, found, body


def test_the_html_holds_no_name_and_no_text(pair: Pair) -> None:
    alice, bob = pair
    status, _, body = answer(alice.host, "GET", "/")
    assert status == 200
    for secret in (MARKER, alice.home, bob.home):
        assert secret.encode() not in body


@pytest.mark.parametrize(
    "path", ["/", "/static/start.js", "/nothing", "/static/../serve.py", "/static/%2e%2e/serve.py", "/static/", "/wire"]
)
def test_every_answer_has_the_policy(pair: Pair, path: str) -> None:
    host = pair[0].host
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
        _, headers, body = answer(host, method, path)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "access-control-allow-origin" not in headers
        assert b"Traceback" not in body
        assert MARKER.encode() not in body


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/static/start.js", "/wire"])
def test_other_hosts_and_pages_are_refused(pair: Pair, path: str, headers: dict[str, str]) -> None:
    host = pair[0].host
    assert answer(host, "GET", "/")[0] == 200
    status, found, body = answer(host, "GET", path, **headers)
    assert status == 403
    assert b"<html" not in body
    assert "set-cookie" not in found


def upgrade(host: str, **headers: str) -> str:
    """The first line that a websocket's opening handshake is answered with."""
    address, _, port = host.partition(":")
    lines = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | headers
    with socket.create_connection((address, int(port)), timeout=30) as connection:
        head = "GET /wire HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        connection.sendall(head.encode())
        return connection.recv(4096).split(b"\r\n")[0].decode()


def test_a_websocket_of_another_page_is_refused(pair: Pair) -> None:
    host = pair[0].host
    assert " 101 " in upgrade(host, Origin=f"http://{host}")
    assert " 403 " in upgrade(host)
    for origin in ("http://evil.example", "null", f"https://{host}", "http://127.0.0.1", f"http://{host}.evil.example"):
        assert " 403 " in upgrade(host, Origin=origin)
    assert " 403 " in upgrade(host, Origin=f"http://{host}", Host="evil.example")


def test_only_this_machine_can_reach_it(pair: Pair) -> None:
    port = f"{pair[0].port:04X}"
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
    assert [line[1] for line in listening if line[1].endswith(f":{port}")] == [f"0100007F:{port}"]
    six = Path("/proc/net/tcp6")
    assert not six.exists() or not any(f":{port} " in line and " 0A " in line for line in six.read_text().splitlines())


def test_no_text_is_in_the_browsers_files(people: People, tmp_path: Path) -> None:
    world = people.world
    names = world.name("alice"), world.name("bob")
    for name in names:
        world.register(name)
    world.acquaint(*names)
    alice = people.someone(names[0])
    bob = people.someone(names[1]).begin()
    bob.turn_to(alice.home)
    alice.start()
    profile = tmp_path / "profile"
    alice._context, alice._watch = people.chromium.kept(profile, alice.home, alice.host)
    alice._page = alice.context.new_page()
    alice.page.goto(alice.address)
    alice.wait_online()
    alice.turn_to(bob.home)
    alice.write(f"{MARKER} written")
    bob.write(f"{MARKER} came")
    alice.expect_text(f"{MARKER} came")
    alice.box.press_sequentially(f"{MARKER} draft", delay=20)
    alice.page.reload()
    expect(alice.box).to_have_value(f"{MARKER} draft")
    alice.page.get_by_label("Search people and texts").fill(MARKER)
    expect(alice.page.get_by_role("region", name="Texts", exact=True)).to_be_visible()
    alice.context.new_page().goto("about:blank")
    alice.page.close()  # as in a session that may be brought back
    alice.context.close()
    alice._chromium.watches.remove(alice.watch)
    alice._context = None

    files = [path for path in profile.rglob("*") if path.is_file() and not path.is_symlink()]
    held = {path: path.read_bytes() for path in files}
    assert any(alice.host.encode() in content for content in held.values())  # what was visited is there
    for secret in (MARKER, bob.home):
        for form in (secret.encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be")):
            assert [path.relative_to(profile) for path, content in held.items() if form in content] == []
