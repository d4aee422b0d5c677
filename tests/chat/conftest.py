"""What the tests of the chat page stand on: processes, and a Chromium that is watched (tests/helpers/browser*.py)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers import browser as browsers

if TYPE_CHECKING:
    from tests.helpers.browser_people import BrowserWorld, People

FAILED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need Chromium say why they are skipped, where there is none."""
    why = browsers.missing()
    for item in items:
        if why and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Remember whether a test failed, for what is printed then."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserWorld]:
    """A mixnet and a node; names and homes are new for each test."""
    from tests.helpers.browser_people import BrowserWorld

    with BrowserWorld(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="module")
def browser() -> Iterator[browsers.Chromium]:
    """One browser for a file of tests; no longer, since its event loop would be in the way of asyncio's tests."""
    with browsers.launched() as browser:
        yield browser


@pytest.fixture
def chromium(browser: browsers.Chromium, request: pytest.FixtureRequest) -> Iterator[browsers.Chromium]:
    """What one test opens in it. It is closed when the test ends, and must have done nothing that no page may do."""
    with browser.apart() as chromium:
        yield chromium
    if not request.node.stash.get(FAILED, False):
        assert chromium.take_problems() == []


@pytest.fixture(scope="module")
def company(world: BrowserWorld, browser: browsers.Chromium) -> Iterator[People]:
    """People who stay for a whole file of tests."""
    from tests.helpers.browser_people import People

    company = People(world, browser)
    yield company
    company.leave()


@pytest.fixture
def people(
    world: BrowserWorld, chromium: browsers.Chromium, company: People, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[People]:
    """People for one test. After it, what no browser may do must not have been done by anyone's."""
    from tests.helpers.browser_people import People

    people = People(world, chromium)
    yield people
    problems = [*chromium.take_problems(), *company.chromium.take_problems()]
    if problems or request.node.stash.get(FAILED, False):
        for person in (*people.present, *company.present):
            person.tell(tmp_path)
    people.leave()
    assert problems == []
