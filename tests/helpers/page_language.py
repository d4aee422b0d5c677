"""A language that is made up: long words from right to left; what is cut by them, and what is still said in English."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from tests.helpers.page_stage import LINK, Account
from usernym.chat.files import STATIC

OTHER: Final = "he"
LETTERS: Final = "אבגדהוזחטיכלמנסעפצקרשת"
SPEAKS_OTHER: Final = """() => {
    Object.defineProperty(navigator, "languages", { get: () => ["xx", "he-IL", "en"] });
    window.dispatchEvent(new Event("languagechange"));
}"""
CUT: Final = r"""() => {
    const faults = [];
    const shown = (each) => each.checkVisibility({ visibilityProperty: true }) && !each.closest(".unseen, .avatar");
    const describe = (each) => `${each.className || each.tagName}: ${each.textContent.trim().slice(0, 60)}`;
    // A person's own words may be shortened where a list shows them; those of the catalogue may not.
    const ofPeople = ".line-name, .line-last, .bar-name, bdi, [dir=auto], blockquote, textarea, .vanishing";
    for (const each of document.querySelectorAll("#page *")) {
      if (!shown(each) || each.matches("svg, svg *")) continue;
      const { left, right, width, height } = each.getBoundingClientRect();
      if (width < 2 || height < 2 || each.closest(ofPeople)) continue;
      if (left < -1 || right > innerWidth + 1) faults.push(`outside: ${describe(each)}`);
      const { overflowX, overflowY } = getComputedStyle(each);
      const isWide = overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1;
      const isHigh = overflowY === "hidden" && each.scrollHeight > each.clientHeight + 1;
      if ((isWide || isHigh) && each.innerText.trim()) faults.push(`cut: ${describe(each)}`);
      const words = [...each.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      const button = each.closest("button, label, .chip, .notice, .warning, .panel-row");
      for (const node of button ? words : []) {
        const range = document.createRange();
        range.selectNodeContents(node);
        const [inner, outer] = [range.getBoundingClientRect(), button.getBoundingClientRect()];
        const isOver = inner.left < outer.left - 2 || inner.right > outer.right + 2 || inner.bottom > outer.bottom + 3;
        if (isOver) faults.push(`over its edge: ${describe(button)}`);
      }
    }
    return [...new Set(faults)];
}"""
SAID: Final = r"""() => {
    // A toast keeps the words that it came with; the title of the window is the program's name.
    const data = ".toast, bdi, .words-of, blockquote, [dir=auto], .host, .avatar, .digits, .words span, mark";
    const said = [document.title];
    const walker = document.createTreeWalker(document.getElementById("page"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (!parent.closest(data)) said.push(walker.currentNode.textContent);
    }
    for (const name of ["title", "aria-label", "placeholder", "alt", "aria-description", "label"]) {
      for (const each of document.querySelectorAll(`#page [${name}]`)) said.push(each.getAttribute(name));
    }
    return said.map((each) => each.trim()).filter(Boolean);
}"""


def other(sentence: str) -> str:
    """The same in letters from right to left, each word half as long again; what is put in stays."""

    def word(match: re.Match[str]) -> str:
        letters = [LETTERS[(ord(letter) * 7) % len(LETTERS)] for letter in match[0]]
        return "".join(letters + letters[: (len(letters) + 1) // 2])

    return "".join(
        part if part.startswith("{") else re.sub(r"[^\W\d_]+", word, part) for part in re.split(r"(\{\w+\})", sentence)
    )


def with_other(folder: Path) -> Path:
    """The page's files in a new folder, with one catalogue more."""
    shutil.copytree(STATIC, folder)
    english = json.loads((folder / "words" / "en.json").read_text())
    words = {key: other(sentence) for key, sentence in english.items()} | {"language": "עברית", "direction": "rtl"}
    (folder / "words" / f"{OTHER}.json").write_text(json.dumps(words))
    return folder


def people_and_data(account: Account) -> list[str]:
    """What stands inside sentences and is no word of the page: names, texts, an address; the longest first."""
    names = {name for line in account.people.values() for name in (line.name, line.nickname)}
    texts = {text.text[:length] for every in account.texts.values() for text in every for length in (60, 80, 120, 999)}
    others = {"maya", "/home/maya/usernym-backup", "nonesuch", "zzz", "a.png", "b.bin", LINK}
    return sorted({*names, *texts, *others} - {""}, key=len, reverse=True)


def english_left(page: Page, account: Account) -> list[str]:
    """Sentences with a Latin word that is no one's name or text."""
    found = []
    for said in page.evaluate(SAID):
        rest = said
        for data in people_and_data(account):
            rest = rest.replace(data, "")
        if re.search(r"[A-Za-z]{2,}", re.sub(r"[0-9a-f]{32,}|\d+\.\d+\.\d+|\b(user)?nym\b|\b[kM]B\b", "", rest)):
            found.append(said)
    return found


def cut(page: Page) -> list[str]:
    """What is cut, or outside of the window."""
    found: list[str] = page.evaluate(CUT)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [*found, f"{overflow} px too wide"] if overflow > 0 else found
