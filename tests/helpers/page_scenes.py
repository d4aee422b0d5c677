"""A made-up account with people of many kinds, for the pictures and for looking at every screen."""

from __future__ import annotations

from tests.helpers.page_stage import MINUTE, Account, contact, written_text
from usernym.chat.wire import FilePart, HomeWire

HOUR = 60 * MINUTE
DAY = 24 * HOUR


def full_account() -> Account:
    """Maya's account: nine people, one of them a stranger who asks, one whose identity has changed."""
    account = Account()
    rows = iter(range(1, 10_000))

    def text(words: str, ago: int, **more: object) -> object:
        return written_text(next(rows), words, ago, **more)

    def add(line: object, *texts: object) -> None:
        account.add(line, *texts)  # type: ignore[arg-type]

    add(contact("ostap", state="declined", list="refused"), text("Hi, want to earn money fast?", 9 * DAY))
    add(contact("beatriz", list="archived"), text("Até logo!", 40 * DAY))
    add(
        contact("noor", nickname="Noor (choir)", muted=True, unread=3),
        text("Rehearsal is at seven on Thursday", 3 * DAY),
    )
    add(contact("jonas_w", trust="changed"), text("New phone, sorry for the silence", 2 * DAY))
    add(
        contact("yuki", trust="verified"),
        text("お誕生日おめでとう 🎂", DAY + 3 * HOUR),
        text("ありがとう", DAY + 2 * HOUR, out=True),
    )
    add(contact("samuel", has_draft=True), text("Did you find the recipe?", 26 * HOUR))
    add(contact("library_bot"), text("Your book is due on Friday: https://library.example/renew?id=4711.", 7 * HOUR))
    add(
        contact("amara", trust="verified", route="active", pinned=True, disappears_after=7 * 24 * 3600),
        text("Did the seedlings survive the night?", 25 * HOUR, route="direct"),
        text("All but two. I covered them with the old curtain.", 25 * HOUR - 70, out=True, route="direct"),
        text("The blue one from the kitchen?", 25 * HOUR - 140, route="direct"),
        text("That one. It has found its calling.", 25 * HOUR - 200, out=True, route="direct"),
        text("Good morning!", 42 * MINUTE, route="direct"),
        text("Are we still on for the market on Saturday?", 42 * MINUTE - 20, route="direct"),
        text("I would bring the big basket", 42 * MINUTE - 30, route="direct"),
        text("Yes! Ten o’clock at the fountain?", 39 * MINUTE, out=True, route="direct"),
        text("Perfect", 38 * MINUTE, route="direct"),
        text("Tomás says there will be early strawberries", 37 * MINUTE + 30, route="direct"),
        text(
            "> Tomás says there will be early strawberries\nThen I bring two baskets.",
            31 * MINUTE,
            out=True,
            route="direct",
        ),
        text("🍓🍓", 30 * MINUTE, route="direct"),
        text("Here is the stall he meant: https://market.example/stalls/17", 12 * MINUTE, route="direct"),
        text("Thank you! I’ll have a look tonight.", 4 * MINUTE, out=True, route="direct"),
        text("And bring a jumper, they said it will be windy.", MINUTE, out=True, state="accepted", route="direct"),
    )
    add(contact("li_wei", unread=2), text("The train arrives at 18:04", 20 * MINUTE), text("Platform 3", 19 * MINUTE))
    add(
        contact("rosalind", state="pending", list="requests"),
        text("Hello! We met at the lecture. May I write to you here?", 5 * MINUTE),
    )
    return account


def harbour_account() -> Account:
    """Ingrid's account: files in a conversation, one of them on its way."""
    account = Account()
    account.home = HomeWire(screen="main", name="ingrid")
    photo = FilePart(picture=True, size=412_000, done=412_000, state="complete")
    film = FilePart(picture=False, size=8_300_000, done=3_100_000, state="under_way")
    account.add(contact("priya_k"), written_text(1, "See you at the lighthouse", 3 * HOUR, out=True))
    account.add(
        contact("tomas", pinned=True, trust="verified"),
        written_text(2, "What is the harbour like tonight?", 9 * MINUTE),
        written_text(3, "harbour.jpg", 7 * MINUTE, out=True, file=photo),
        written_text(4, "I can nearly hear it. Here is the street, with the band:", 2 * MINUTE),
        written_text(5, "street-band.ogg", 2 * MINUTE - 10, file=film),
    )
    return account


def evening_account() -> Account:
    """Tomás's account, with other people: for pictures beside those of Maya's."""
    account = Account()
    account.home = HomeWire(screen="main", name="tomas")
    rows = iter(range(1, 10_000))
    account.add(
        contact("ingrid", pinned=True, trust="verified"),
        written_text(next(rows), "The moon is up over the harbour", 3 * HOUR),
    )
    account.add(contact("priya_k", unread=1), written_text(next(rows), "Page 41, second paragraph", 2 * HOUR))
    account.add(
        contact("oluwaseun", nickname="Seun"),
        written_text(next(rows), "Which bulbs did you order?", 2 * HOUR, out=True),
        written_text(next(rows), "Tulips, and one I can’t pronounce", 2 * HOUR - 3 * MINUTE),
        written_text(next(rows), "I will send a photograph in April", 2 * HOUR - 3 * MINUTE - 20),
        written_text(next(rows), "I’ll hold you to that", 100 * MINUTE, out=True),
        written_text(next(rows), "> Which bulbs did you order?\nThe list is on your table, by the way.", 30 * MINUTE),
        written_text(next(rows), "Found it. Thank you!", 12 * MINUTE, out=True),
        written_text(next(rows), "Supper at eight?", 2 * MINUTE, out=True, state="waiting"),
    )
    return account
