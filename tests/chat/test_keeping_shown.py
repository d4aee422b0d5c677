"""What is kept, found, tried again, deleted and brought back, by the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.helpers.browser_people import People, Someone
from usernym.storage.client.store import ClientStore

pytestmark = [pytest.mark.browser, pytest.mark.processes]

LONG = 520


def act(person: Someone, text: str, action: str) -> None:
    """Choose something from a text's menu."""
    person.choose(text, action)


@pytest.fixture(scope="module")
def writer(company: People) -> Someone:
    """Someone with a long history, at a node that is there; most texts wait for a friend who never comes."""
    world = company.world
    names = world.name("writer"), world.name("friend")
    for name in names:
        world.register(name)
    world.acquaint(*names)
    with world.client(names[0]) as client:
        for number in range(LONG):
            client.send(names[1], f"text number {number:03}" + (" with a needle" if number == 7 else ""), wait="queued")
    person = company.someone(names[0]).begin()
    person.turn_to(names[1])
    return person


def numbers(person: Someone) -> list[int]:
    return [int(line.text.split()[2]) for line in person.lines()]


def test_paging_back_to_the_first_text_and_to_the_newest(people: People, writer: Someone) -> None:
    newest = LONG - 1
    writer.wait_until("the newest are shown", lambda: numbers(writer)[-1:] == [newest])
    assert len(numbers(writer)) < 100
    box = writer.page.get_by_role("region", name=re.compile("^Texts with"))
    while (first := numbers(writer)[0]) > 0:
        box.evaluate("one => one.scrollTop = 0")  # older ones come by themselves
        writer.wait_until("older ones are shown", lambda first=first: numbers(writer)[0] < first)  # type: ignore[misc]
        shown = numbers(writer)
        assert shown == list(range(shown[0], shown[-1] + 1))  # none left out, none twice
        assert len(shown) <= 500
    writer.press("Go to the newest text")
    writer.wait_until("the newest are shown", lambda: numbers(writer)[-1] == newest)
    writer.wait_until("the newest can be seen", lambda: bool(
        box.evaluate("one => one.scrollHeight - one.scrollTop - one.clientHeight < 5")))  # fmt: skip


def test_searching_opens_at_the_text(people: People, writer: Someone) -> None:
    search = writer.page.get_by_label("Search people and texts")
    search.fill("needle nowhere")
    expect(writer.page.get_by_text("Nothing found for “needle nowhere”.")).to_be_visible()
    search.fill("NEEDLE")
    found = writer.page.get_by_role("region", name="Texts", exact=True).get_by_role("button")
    expect(found).to_have_count(1)
    found.click()
    line = writer.page.locator("li.text.is-found")
    expect(line.locator(".words-of")).to_have_text("text number 007 with a needle")
    expect(line).to_be_in_viewport()
    search.fill("")
    expect(found).to_have_count(0)
    writer.press("Go to the newest text")
    expect(writer.page.locator("li.text.is-found")).to_have_count(0)


def test_waiting_texts_are_cancelled_tried_again_and_deleted(people: People) -> None:
    world = people.world
    names = world.name("alice"), world.name("bob")
    for name in names:
        world.register(name)
    world.acquaint(*names)
    alice, bob = (people.someone(name) for name in names)
    world.kill_node()
    try:
        alice.start()  # she is never connected, so not one try of hers is on its way
        alice.look()
        alice.turn_to(bob.home)
        for text in ("cancelled", "tried", "deleted"):
            alice.write(text)
            alice.expect_state(text, re.compile("^Waiting here"))
        act(alice, "cancelled", "Cancel sending")
        alice.expect_state("cancelled", "Cancelled (an earlier try may still arrive)")
        act(alice, "tried", "Try now")
        alice.expect_state("tried", re.compile("^Waiting here"))
        act(alice, "deleted", "Delete on this device")
        expect(alice.line("deleted")).to_have_count(0)
    finally:
        world.start_node()
    alice.stop()
    alice.start()
    with alice.cut_off():
        alice.look_again()
        alice.wait_online()
    bob.begin().turn_to(alice.home)
    alice.turn_to(bob.home)
    alice.expect_state("tried", "Delivered")
    bob.expect_text("tried")
    act(alice, "cancelled", "Send again")
    alice.expect_state("cancelled", "Delivered")
    bob.expect_text("cancelled")
    assert [line.text for line in alice.lines()] == ["tried", "cancelled"]
    assert [line.text for line in bob.lines()] == ["tried", "cancelled"]
    act(bob, "tried", "Delete on this device")
    expect(bob.line("tried")).to_have_count(0)
    assert alice.line("tried").count() == 1  # no one else's copy


def test_disappearing_is_set_and_shown_and_all_texts_can_go(people: People) -> None:
    alice, bob = people.pair()
    alice.write("kept for now")
    bob.expect_text("kept for now")
    alice.about(bob.home).get_by_role("button", name="Disappearing texts").click()
    expect(alice.dialog.get_by_label("Never")).to_be_checked()
    alice.dialog.get_by_label("After an hour").click()
    alice.press("Apply")  # closes the dialog
    expect(alice.page.get_by_role("button", name="Disappearing texts After an hour")).to_be_visible()
    alice.page.reload()
    alice.turn_to(bob.home)
    expect(alice.about(bob.home).get_by_role("button", name="Disappearing texts After an hour")).to_be_visible()
    alice.about(bob.home).get_by_role("button", name="Disappearing texts").click()
    expect(alice.dialog.get_by_label("After an hour")).to_be_checked()
    expect(alice.dialog).to_contain_text("own copy always stays")
    alice.dialog.get_by_label("Never").click()
    alice.press("Apply")
    expect(alice.page.get_by_role("button", name="Disappearing texts Never")).to_be_visible()
    expect(alice.line("kept for now")).to_have_count(1)
    alice.about(bob.home).get_by_role("button", name="Disappearing texts").click()
    alice.page.keyboard.press("Escape")
    alice.about(bob.home).get_by_role("button", name="Delete all texts").click()
    alice.button("Delete all texts", alice.dialog).click()
    expect(alice.page.get_by_text("No texts yet.")).to_be_visible()
    expect(alice.dialog).to_have_count(0)
    alice.press("Undo")
    expect(alice.line("kept for now")).to_have_count(1)
    alice.about(bob.home).get_by_role("button", name="Delete all texts").click()
    alice.button("Delete all texts", alice.dialog).click()
    expect(alice.page.get_by_text("No texts yet.")).to_be_visible()
    assert bob.line("kept for now").count() == 1
    alice.write("a new beginning")
    bob.expect_text("a new beginning")


def test_old_texts_go_from_the_page_when_their_time_is_over(people: People) -> None:
    alice, bob = people.pair()
    for number in range(2):
        alice.write(f"an old one {number}")
        alice.expect_state(f"an old one {number}", "Delivered")
        bob.write(f"an old answer {number}")
        alice.expect_text(f"an old answer {number}")
    alice.stop()
    store = ClientStore.open(people.world.folder / alice.home, None, unprotected=True)
    with store.transaction():  # as though it had been two hours ago
        store.database.run("UPDATE message SET stored_at = stored_at - 7200, shown_at = shown_at - 7200")
    store.close()
    alice.start()
    with alice.cut_off():
        alice.look_again()
        alice.wait_online()
    alice.turn_to(bob.home)
    alice.write("a new one")
    alice.expect_state("a new one", "Delivered")
    assert len(alice.lines()) == 5
    alice.about(bob.home).get_by_role("button", name="Disappearing texts").click()
    alice.dialog.get_by_label("After an hour").click()
    alice.press("Apply")
    alice.wait_until("the old ones are gone", lambda: [line.text for line in alice.lines()] == ["a new one"])
    assert len(bob.lines()) == 5


def test_a_lost_machine_is_made_whole_again(people: People) -> None:
    world = people.world
    alice = people.someone(world.name("alice"))
    alice.start_new()
    alice.look()
    words = alice.first_run(passphrase="the first passphrase")
    bob = people.registered("bob")
    bob.find(alice.home)
    bob.write("hello")
    alice.turn_to(bob.home)
    alice.press("Accept")
    alice.write("to be kept")
    bob.expect_text("to be kept")
    alice.press("Confirmed by the node")
    number = alice.dialog.get_by_role("group", name="Safety number").inner_text()
    alice.press("They are the same")
    expect(alice.button("Verified")).to_be_visible()

    dialog = alice.settings("Passphrase")
    dialog.get_by_label("Current passphrase").fill("not this one")
    dialog.get_by_label("New passphrase").fill("the second passphrase")
    dialog.get_by_label("Repeat the passphrase").fill("the second passphrase")
    alice.press("Change passphrase")
    expect(dialog.get_by_text("This is not the passphrase.")).to_be_visible()
    dialog.get_by_label("Current passphrase").fill("the first passphrase")
    alice.press("Change passphrase")
    expect(dialog.get_by_text("The passphrase is changed.")).to_be_visible()
    alice.page.keyboard.press("Escape")
    dialog = alice.settings("Backup")
    folder = world.folder / f"backup-{alice.home}"
    dialog.get_by_label("New folder on this machine").fill(str(folder))
    dialog.get_by_label("A passphrase for the backup").fill("backup passphrase")
    dialog.get_by_label("Repeat the passphrase").fill("backup passphrase")
    alice.press("Create backup")
    expect(dialog.get_by_text(f"The backup is in {folder}.")).to_be_visible()
    assert all(b"to be kept" not in path.read_bytes() for path in folder.rglob("*") if path.is_file())

    alice.stop()
    alice.start()
    with alice.cut_off():
        alice.look_again()
        alice.page.get_by_label("Passphrase", exact=True).fill("the second passphrase")
        alice.press("Open")
        alice.wait_online()
    alice.leave()  # the machine is gone; what comes now waits at the node
    bob.write("while you were away")
    bob.expect_state("while you were away", "Accepted by the node")

    again = people.someone(f"new-machine-of-{alice.home}")
    again.start_new()
    page = again.look()
    again.begin_choosing()
    page.get_by_label("Name", exact=True).fill(alice.home)
    expect(page.locator(".field-said.is-bad")).to_contain_text("taken")
    again.press("I have recovery words")
    page.get_by_label("Name", exact=True).fill(alice.home)
    page.get_by_label("A new passphrase for this machine").fill("the third passphrase")
    page.get_by_label("Repeat the passphrase").fill("the third passphrase")
    page.get_by_label("Recovery words").fill(" ".join(words[:-1]))
    again.press("Restore")
    expect(page.get_by_text("These are not twelve recovery words.")).to_be_visible()
    page.get_by_label("Recovery words").fill("  ".join(words).upper())
    again.press("Restore")
    again.wait_online()
    dialog = again.settings("Backup")
    dialog.get_by_label("Folder of the backup").fill(str(folder))
    dialog.get_by_label("Passphrase of the backup").fill("a wrong passphrase")
    again.press("Restore from a backup")
    expect(dialog.get_by_text("This is not the passphrase.")).to_be_visible()
    dialog.get_by_label("Passphrase of the backup").fill("backup passphrase")
    again.press("Restore from a backup")
    expect(dialog.get_by_text(re.compile("Restored: "))).to_be_visible()
    page.keyboard.press("Escape")
    again.stop()  # at the next login, or heartbeat, the node tells what waits for people who are contacts again
    again.start()
    with again.cut_off():
        again.look_again()
        page.get_by_label("Passphrase", exact=True).fill("the third passphrase")
        again.press("Open")
        again.wait_online()
    again.turn_to(bob.home)
    again.expect_text("to be kept")
    # Its sender has to seal it again, for the key that is new here: they may hear of that by their next heartbeat only.
    expect(again.line("while you were away")).to_have_count(1, timeout=150_000)
    expect(again.button("Verified")).to_be_visible()
    again.press("Verified")
    expect(again.dialog.get_by_role("group", name="Safety number").locator("span")).to_have_count(12)
    assert again.dialog.get_by_role("group", name="Safety number").inner_text() == number
    page.keyboard.press("Escape")
    bob.expect_state("while you were away", "Delivered")
    again.write("back again")
    bob.expect_text("back again")
    expect(bob.button("Confirmed by the node")).to_be_visible()  # nothing has changed for them


def test_an_account_is_deleted_by_typing_its_name(people: People) -> None:
    alice = people.registered("alice")
    dialog = alice.settings("Delete this account")
    dialog.get_by_label(f"Type {alice.home} to continue").fill("someone")
    expect(alice.button("Delete my account")).to_be_disabled()
    dialog.get_by_label(f"Type {alice.home} to continue").fill(alice.home)
    alice.press("Delete my account")
    expect(dialog.get_by_text(re.compile("account is deleted"))).to_be_visible()
    carol = people.registered("carol")
    carol.find(alice.home)
    expect(carol.dialog.locator(".field-said.is-bad")).not_to_have_text("")
    newcomer = people.someone(people.world.name("newcomer"))
    newcomer.start_new()
    newcomer.look()
    newcomer.begin_choosing()
    newcomer.page.get_by_label("Name", exact=True).fill(alice.home)
    expect(newcomer.page.locator(".field-said.is-bad")).to_contain_text("reserved for its former owner")
