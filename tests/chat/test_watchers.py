"""The watchers themselves: each of the things that no page may do is done here, and must be seen."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.helpers.browser import BrowserWatch, Chromium
from tests.helpers.browser_people import People, Someone
from tests.helpers.page_stage import Account, Stage
from tests.helpers.page_window import PageWindow

pytestmark = [pytest.mark.browser, pytest.mark.processes]


Window = tuple[Page, BrowserWatch]


@pytest.fixture(scope="module")
def alice(company: People) -> Someone:
    return company.registered("alice")


@pytest.fixture
def window(people: People, alice: Someone) -> Iterator[Window]:
    """A window of a new profile: it has no key, and the same policy."""
    context, watch = people.chromium.context("window", alice.host)
    page = context.new_page()
    page.goto(f"http://{alice.host}/")
    page.get_by_text("This window is not allowed to show anything.").wait_for()
    yield page, watch
    context.close()
    people.chromium.watches.remove(watch)


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """A port of this machine at which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def sees(window: Window, kind: str, about: str) -> None:
    """Wait until the watch has noted it."""
    page, watch = window
    for _ in range(200):
        if any(f": {kind}: " in problem and about in problem for problem in watch.problems):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{kind} was not seen, only {watch.problems}")


def test_a_request_to_another_host_is_seen(people: People, alice: Someone, window: Window, elsewhere: int) -> None:
    page, watch = window
    page.evaluate(f"fetch('http://127.0.0.1:{elsewhere}/').catch(() => 0)")
    sees(window, "console", "connect-src")  # the policy forbids it, so there is no request
    page = page.context.new_page()  # nothing forbids it here
    page.evaluate(f"void fetch('http://127.0.0.1:{elsewhere}/', {{mode: 'no-cors'}}).catch(() => 0)")
    sees(window, "outside request", f"http://127.0.0.1:{elsewhere}")
    page.evaluate(f"void new WebSocket('ws://127.0.0.1:{elsewhere}/')")
    sees(window, "outside request", f"ws://127.0.0.1:{elsewhere}")
    people.chromium.watches.append(watch)
    assert people.chromium.take_problems() != []  # as the fixture asks after each test
    people.chromium.watches.pop()


@pytest.mark.parametrize(
    ("does", "kind", "about"),
    [
        ("console.error('oh no')", "console", "oh no"),
        ("setTimeout(() => { throw new Error('thrown') }, 0)", "pageerror", "thrown"),
        ("setTimeout(() => alert('hello'), 0)", "dialog", "hello"),
        ("setTimeout(() => confirm('really'), 0)", "dialog", "really"),
        ("{ const s = document.createElement('style'); s.textContent = 'p {}'; document.head.append(s) }",
         "console", "style-src"),
        ("{ document.body.setAttribute('style', 'color: red') }", "console", "style-src"),
        ("{ const image = new Image(); image.src = 'https://usernym.invalid/x.png' }", "console", "img-src"),
        ("{ try { document.body.innerHTML = '<b>x</b>' } catch {} }", "console", "TrustedHTML"),
    ],
)  # fmt: skip
def test_what_no_page_may_do_is_seen(window: Window, does: str, kind: str, about: str) -> None:
    window[0].evaluate(does)
    sees(window, kind, about)


@pytest.mark.parametrize(
    "does",
    [
        "eval('1')",
        "new Function('return 1')()",
        "document.createElement('button').setAttribute('onclick', '1')",
        "document.createElement('script').text = '1'",
        "document.write('<b>x</b>')",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
    ],
)
def test_no_text_can_become_code(window: Window, does: str) -> None:
    # In a task of the page: what the driver itself evaluates stands outside the policy.
    outcome = window[0].evaluate(
        "() => new Promise((done) => setTimeout(() => {"
        f" try {{ {does}; done('done') }} catch (error) {{ done(error.name) }} }}))"
    )
    assert outcome in ("TypeError", "EvalError")


def test_a_page_in_which_nothing_happens_has_no_problems(people: People, alice: Someone) -> None:
    before = alice.watch.requests
    alice.page.reload()
    alice.wait_online()
    assert alice.watch.requests > before + 5  # its scripts, its styles, its websocket
    assert alice.watch.problems == []


def test_a_test_that_fails_leaves_no_window_and_no_complaint_to_the_next(browser: Chromium) -> None:
    with Stage(Account()) as stage:
        pages = []

        def fail() -> None:
            with browser.apart() as failing:
                pages.append(PageWindow(stage, failing).page)
                pages[0].evaluate("console.error('oh no')")
                raise AssertionError("it fails")

        with pytest.raises(AssertionError, match="it fails"):
            fail()
        assert pages[0].is_closed()
        with browser.apart() as following:
            PageWindow(stage, following).page.wait_for_timeout(50)
    assert following.take_problems() == browser.take_problems() == []
