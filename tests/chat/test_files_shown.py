"""Files and pictures on the page: chosen, dropped and pasted; sent, interrupted, shown when whole, saved, ended."""

from __future__ import annotations

import base64
import io
import os
import urllib.request
from collections.abc import Iterator
from typing import Any, Final
from urllib.error import HTTPError

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import expect

from tests.helpers.browser import Chromium
from tests.helpers.browser_people import BrowserWorld, People, Someone
from usernym.mixnet.nym_sdk import installed

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SIDE: Final = 600
"""Of a picture of noise, which no format makes smaller: 1.08 MB."""
RESUMED_S: Final = 240
"""How long a file may rest after a death: what was on its way then is sent again after minutes at most."""
PLACE: Final = b"taken at 52.3702 north"
HANDED: Final = """([kind, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const place = document.querySelector(".composer textarea");
  const fields = { bubbles: true, cancelable: true };
  if (kind === "paste") place.dispatchEvent(new ClipboardEvent("paste", { ...fields, clipboardData: data }));
  for (const each of kind === "drop" ? ["dragover", "drop"] : []) {
    place.dispatchEvent(new DragEvent(each, { ...fields, dataTransfer: data }));
  }
}"""


def noise(side: int = SIDE) -> bytes:
    """A picture with something of its camera's in it."""
    out = io.BytesIO()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", PLACE.decode())
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(out, "PNG", pnginfo=notes)
    return out.getvalue()


def attach(person: Someone, name: str, kind: str, content: bytes) -> None:
    person.page.locator(".composer input[type=file]").set_input_files(
        {"name": name, "mimeType": kind, "buffer": content}
    )
    expect(person.page.locator(".tray-file", has_text=name)).to_be_visible()


def hand(person: Someone, way: str, name: str, kind: str, content: bytes) -> None:
    """Drop or paste a file."""
    person.page.evaluate(HANDED, [way, name, kind, base64.b64encode(content).decode()])
    expect(person.page.locator(".tray-file", has_text=name)).to_be_visible()


def saved(person: Someone, name: str) -> bytes:
    with person.page.expect_download() as taken:
        person.line(name).get_by_role("button", name=f"Save {name}").click()
    assert taken.value.suggested_filename == name
    return taken.value.path().read_bytes()


def asked(person: Someone, path: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer to a request that does not come from the page."""
    request = urllib.request.Request(f"http://{person.host}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, b""


@pytest.fixture(scope="module")
def pair(company: People) -> tuple[Someone, Someone]:
    return company.pair("anne", "boris")


def test_a_picture_outlives_the_death_of_node_and_both_programs_and_is_shown_whole_only(people: People) -> None:
    alice, bob = people.pair()
    picture = noise()
    assert 1_000_000 < len(picture) < 1_200_000
    attach(alice, "holiday.png", "image/png", picture)
    expect(alice.page.locator(".tray-file")).to_contain_text("without place, time and camera")
    alice.box.press("Enter")
    expect(alice.page.locator(".tray-file")).to_have_count(0)
    line = bob.line("holiday.png")
    part = line.get_by_role("progressbar")

    def come(least: int) -> None:
        """Wait until so much of a hundred is there; nothing of it is shown."""
        for _ in range(RESUMED_S * 10):
            if int(part.get_attribute("value") or 0) >= least:
                break
            bob.page.wait_for_timeout(100)
        assert int(part.get_attribute("value") or 0) >= least
        assert line.locator("img").count() == 0
        assert line.get_by_role("button", name="Save").count() == 0

    come(5)
    with alice.cut_off(), bob.cut_off():
        people.world.kill_node()
        people.world.start_node()
        come(20)
        for person, peer in ((alice, bob), (bob, alice)):
            person.kill()
            person.start()
            person.look_again()
            person.wait_online()
            person.turn_to(peer.home)
        come(25)
    shown = line.locator("img")
    expect(shown).to_be_visible(timeout=RESUMED_S * 1000)
    expect(part).to_have_count(0)
    assert shown.evaluate("one => one.decode().then(() => [one.naturalWidth, one.naturalHeight])") == [SIDE, SIDE]
    expect(alice.line("holiday.png").locator("img")).to_be_visible()
    got = saved(bob, "holiday.png")
    assert PLACE in picture
    assert PLACE not in got
    assert Image.open(io.BytesIO(got)).tobytes() == Image.open(io.BytesIO(picture)).tobytes()
    line.get_by_role("button", name="Look at holiday.png").click()
    expect(bob.dialog.get_by_role("img")).to_be_visible()
    bob.page.keyboard.press("Escape")
    expect(bob.dialog).to_have_count(0)


@pytest.fixture(scope="module")
def on_nym(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserWorld]:
    with BrowserWorld(tmp_path_factory.mktemp("nym"), "nym") as world:
        yield world


def picture_comes(alice: Someone, bob: Someone) -> None:
    """A megabyte from page to page."""
    attach(alice, "holiday.png", "image/png", noise())
    alice.box.press("Enter")
    shown = bob.line("holiday.png").locator("img")
    expect(shown).to_be_visible(timeout=RESUMED_S * 1000)
    assert shown.evaluate("one => one.decode().then(() => [one.naturalWidth, one.naturalHeight])") == [SIDE, SIDE]
    assert saved(bob, "holiday.png") == saved(alice, "holiday.png")


def test_a_picture_comes_directly(people: People) -> None:
    alice, bob = people.pair()
    alice.agree_on_a_direct_route(bob)
    picture_comes(alice, bob)
    assert alice.route_of("holiday.png") == "Direct route"


@pytest.mark.nym
@pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`")
@pytest.mark.parametrize("direct", [False, True])
def test_a_picture_comes_over_a_real_nym_network(on_nym: BrowserWorld, chromium: Chromium, direct: bool) -> None:
    people = People(on_nym, chromium)
    try:
        alice, bob = people.pair()
        if direct:
            alice.agree_on_a_direct_route(bob)
        picture_comes(alice, bob)
    finally:
        people.leave()
    assert chromium.take_problems() == []


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_file_that_is_dropped_or_pasted_is_sent_as_it_is(
    people: People, pair: tuple[Someone, Someone], way: str
) -> None:
    alice, bob = pair
    content = os.urandom(30_000)
    name = f"{way}.bin"
    hand(alice, way, name, "", content)
    expect(alice.page.locator(".tray-file")).to_contain_text("leaves as it is")
    alice.box.fill(f"here it is, by {way}")
    alice.box.press("Enter")
    bob.expect_text(f"here it is, by {way}")
    expect(bob.line(name).locator(".file-state")).to_have_text("30 kB")
    assert saved(bob, name) == content
    # Each kind is in its order; which of the two comes first is the mixnet's choice.
    assert {line.text for line in bob.lines()[-2:]} == {name, f"here it is, by {way}"}


def test_a_file_is_taken_back_before_it_leaves_and_cancelled_after(
    people: People, pair: tuple[Someone, Someone]
) -> None:
    alice, bob = pair
    attach(alice, "never.bin", "", b"never")
    alice.press("Do not send never.bin")
    expect(alice.page.locator(".tray-file")).to_have_count(0)
    attach(alice, "long.bin", "", os.urandom(2_000_000))
    alice.press("Send")
    expect(bob.line("long.bin").get_by_role("progressbar")).to_be_visible()
    bob.button("Cancel", bob.line("long.bin")).click()
    expect(bob.line("long.bin").locator(".file-state")).to_contain_text("cancelled here")
    expect(alice.line("long.bin").locator(".file-state")).to_contain_text("ended by the other side")
    assert bob.line("never.bin").count() == 0
    bob.choose("long.bin", "Delete on this device")
    expect(bob.line("long.bin")).to_have_count(0)


def test_what_can_not_be_sent_is_said_before(people: People, pair: tuple[Someone, Someone]) -> None:
    alice, _ = pair
    attach(alice, "huge.bin", "", bytes(10 * 1024 * 1024 + 1))
    expect(alice.page.locator(".tray-file")).to_contain_text("too large")
    expect(alice.button("Send")).to_have_attribute("aria-disabled", "true")
    alice.press("Do not send huge.bin")
    attach(alice, "broken.png", "image/png", b"\x89PNG\r\n\x1a\n and then nothing")
    alice.press("Send")
    expect(alice.page.locator(".composer-said")).to_contain_text("This picture is damaged")
    alice.page.get_by_label("Send it as it is").check()
    alice.press("Send")
    expect(alice.line("broken.png").locator(".file-state").first).to_be_visible()
    expect(alice.line("broken.png")).to_contain_text("This picture is damaged")
    expect(alice.line("broken.png").locator("img")).to_have_count(0)


def test_no_one_gets_a_file_without_the_key_of_the_page(people: People, pair: tuple[Someone, Someone]) -> None:
    alice, bob = pair
    attach(alice, "secret.bin", "", b"for boris only")
    alice.press("Send")
    expect(bob.line("secret.bin").get_by_role("button", name="Save secret.bin")).to_be_visible()
    sent: list[Any] = []
    bob.page.on("request", lambda request: sent.append(request) if "/file?" in request.url else None)
    assert saved(bob, "secret.bin") == b"for boris only"
    (request,) = sent
    path = request.url.partition(bob.host)[2]
    key = request.headers["authorization"]
    assert asked(bob, path, Authorization=key) == (200, b"for boris only")
    for header in ("", "Bearer ", "Bearer x" + key[8:], key.removeprefix("Bearer ")):
        assert asked(bob, path, Authorization=header) == (403, b"")
    assert asked(bob, path, Authorization=key, Origin="http://evil.example") == (403, b"")
    other = path.replace("mine=0", "mine=1")
    assert asked(bob, other, Authorization=key) == (200, b'{"code":"no_such_file","data":{}}')


def test_a_strangers_file_comes_when_the_request_is_accepted(people: People) -> None:
    alice, mallory = people.registered("alice"), people.registered("mallory")
    mallory.find(alice.home)
    attach(mallory, "offer.bin", "", b"take me")
    mallory.press("Send")
    alice.turn_to(mallory.home)
    state = alice.line("offer.bin").locator(".file-state")
    expect(state).to_contain_text("comes when you accept the request")
    assert alice.line("offer.bin").get_by_role("button", name="Save").count() == 0
    alice.press("Accept")
    expect(state).to_have_text("7 bytes")
    assert saved(alice, "offer.bin") == b"take me"


def test_a_file_that_is_dropped_where_no_one_is_opens_nothing(people: People) -> None:
    alice = people.registered("alice")
    address = alice.page.url
    expect(alice.page.get_by_text("Find someone").first).to_be_visible()
    prevented = alice.page.evaluate(
        """() => ["dragover", "drop"].map((kind) => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "x.html", { type: "text/html" }));
          return !document.body.dispatchEvent(
            new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
        })"""
    )
    assert prevented == [True, True]
    assert alice.page.url == address
