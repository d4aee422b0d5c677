"""What a window can ask before the main screen: node and mixnet, name, passphrase, recovery words."""

from __future__ import annotations

from typing import assert_never

from usernym.chat.person import Person, Stage
from usernym.chat.problems import PageRefused, refusal
from usernym.chat.requests import (
    CheckNameAsk,
    CreateAccountAsk,
    EntranceAsk,
    ForgetNetworkAsk,
    RegisterNameAsk,
    RestoreAccountAsk,
    SetNetworkAsk,
    ShowWordsAsk,
    StartOverAsk,
    UnlockAsk,
)
from usernym.chat.wire import AnswerWire, DoneWire, FailedWire, NameCheckedWire, WordsWire


async def answer_entrance(person: Person, ask: EntranceAsk) -> AnswerWire:
    """Carry it out. What it changes for all windows is shown by `Home`."""
    match ask:
        case SetNetworkAsk():
            await person.set_network(ask.node_card.strip(), ask.mixnet.strip() or "nym")
        case ForgetNetworkAsk():
            await person.forget_network()
        case CheckNameAsk():
            state = await person.name_state(ask.name)
            if state.reason is not None:
                return FailedWire(id=ask.id, problem=refusal(state.reason))
            return NameCheckedWire(id=ask.id, name=state.name)
        case CreateAccountAsk():
            return WordsWire(id=ask.id, words=await person.create(ask.name, ask.passphrase))
        case ShowWordsAsk():
            if person.stage is not Stage.UNREGISTERED or not person.words:
                raise PageRefused("not_possible_now")
            return WordsWire(id=ask.id, words=person.words)
        case RegisterNameAsk():
            await person.register()
        case StartOverAsk():
            await person.start_over()
        case RestoreAccountAsk():
            words = " ".join(ask.words.lower().split())
            await person.restore(ask.name, words, ask.passphrase, replace=ask.replace)
        case UnlockAsk():
            await person.unlock(ask.passphrase)
        case _:
            assert_never(ask)
    return DoneWire(id=ask.id)
