"""The chat page by keys alone: what Tab and arrows reach, and a person who has no mouse."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page, expect

_BEGIN: Final = """() => {
    const scope = document.querySelector("[role=menu], dialog[open]") ?? document;
    const acts = "button, input, textarea, select, a[href], summary, [tabindex='0'], [role=menuitem]";
    // The buttons beside a text show themselves to a mouse: the menu of the text has the same, and more.
    window.wanted = new Set([...scope.querySelectorAll(acts)].filter((each) =>
      each.checkVisibility({ visibilityProperty: true }) && each.getBoundingClientRect().width > 0 &&
      !each.disabled && !each.closest(".text-actions")));
    window.faults = new Set();
}"""
_NOTE: Final = """() => {
    const here = document.activeElement;
    const same = here.type === "radio" ? document.querySelectorAll(`[name="${here.name}"]`) : [here];
    for (const each of same) window.wanted.delete(each);
    if (here === document.body) return false;
    const { left, right, top, bottom } = here.getBoundingClientRect();
    const isSeen = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
    const drawn = here.matches(".text") ? here.querySelector(".bubble") : here.closest(".composer-row") ?? here;
    const style = getComputedStyle(drawn);
    const isMarked = style.outlineStyle !== "none" || here.closest(".composer-row, .menu");
    const fault = isSeen ? "no ring" : "out of sight";
    if (!isSeen || !isMarked) window.faults.add(`${fault}: ${here.outerHTML.slice(0, 120)}`);
    return here.matches("[data-stop], [role=menuitem]");
}"""
_HERE: Final = "(document.activeElement.id ||= Math.random().toString())"
_LEFT: Final = """() => {
    const left = [...window.wanted].filter((each) => each.isConnected);
    return [...window.faults, ...left.map((each) => each.outerHTML.slice(0, 160))];
}"""
_NAME: Final = """() => {
    const here = document.activeElement;
    const words = here.getAttribute("aria-label") ?? here.labels?.[0]?.innerText ?? here.innerText ?? "";
    return words.replace(/\\s+/g, " ").trim();
}"""
_LOOKED: Final = """() => new Promise((looked) => setTimeout(
  () => requestAnimationFrame(() => requestAnimationFrame(looked)), 80))"""
"""Much less than a person takes."""
STEPS_MAX: Final = 200
"""Presses of Tab until a person would give up."""


def unreached(page: Page) -> list[str]:
    """What can be pressed, chosen or typed into, and Tab and arrows do not come to; and stops that can't be seen."""
    page.evaluate(_BEGIN)
    turned = page.locator("[role=menu]").count() > 0
    for _ in range(page.evaluate("window.wanted.size") + 5):
        if not turned:
            page.keyboard.press("Tab")
        if page.evaluate(_NOTE) and not turned:
            page.keyboard.press("Home")
        while page.evaluate(_NOTE):
            before = page.evaluate(_HERE)
            page.keyboard.press("ArrowDown")
            if page.evaluate(_HERE) == before or not page.evaluate("window.wanted.size"):
                break
        if not page.evaluate("window.wanted.size"):
            break
    left: list[str] = page.evaluate(_LEFT)
    return left


class Keys:
    """A person at the keyboard. Names are those that a screen reader speaks."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def at(self) -> str:
        """The name of what has the focus."""
        name: str = self.page.evaluate(_NAME)
        return name

    def to(self, name: str, key: str = "Tab") -> None:
        """Go there. The first words of its name are enough."""
        seen = []
        for _ in range(STEPS_MAX):
            seen.append(self.at)
            if seen[-1].startswith(name) and not seen[-1][len(name) :][:1].isalnum():
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{key} never comes to {name!r}, but to {sorted(set(seen))}")

    def look(self) -> None:
        """Look at what is there now, as a person does before the next key: answers come and dialogs close meanwhile."""
        self.page.evaluate(_LOOKED)

    def press(self, *keys: str) -> None:
        """One after the other."""
        for key in keys:
            self.look()
            self.page.keyboard.press(key)

    def choose(self, name: str, key: str = "Enter", by: str = "Tab") -> None:
        """Go there, and press it."""
        self.look()
        self.to(name, by)
        self.look()
        self.to(name, by)
        self.page.keyboard.press(key)

    def write(self, name: str, text: str) -> None:
        """Go to a field, and type into it what is there from now on."""
        self.to(name)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def open(self, name: str) -> None:
        """A person's conversation, from the list."""
        expect(self.page.locator(f"[data-name={name}]")).to_be_attached()
        self.press("Control+k", "ArrowDown")
        self.look()
        for _ in range(STEPS_MAX):
            if self.page.evaluate("document.activeElement.dataset.name") == name:
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Enter")
        expect(self.page.locator(f"[data-name={name}][aria-current]")).to_be_attached()
        expect(self.page.locator(".texts:not([aria-busy])")).to_be_visible()

    def menu(self, words: str, chosen: str) -> None:
        """One of the actions of a text that is loaded."""
        for _ in range(STEPS_MAX):
            if self.page.evaluate("document.activeElement.matches('[data-row]')"):
                break
            self.page.keyboard.press("Tab")
        self.page.keyboard.press("End")
        for _ in range(STEPS_MAX):
            if words in self.page.evaluate("document.activeElement.innerText"):
                break
            self.page.keyboard.press("ArrowUp")
        self.page.keyboard.press("Enter")
        self.choose(chosen, by="ArrowDown")
