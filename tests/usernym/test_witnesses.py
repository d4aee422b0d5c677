"""Witnesses as users name them: by cards, in options, in settings and to a handle; and what then counts no more."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import Handles
from usernym.actors.directory import node as directory
from usernym.actors.registration.witness_watch import UNWITNESSED_S
from usernym.cli.terminal import clock
from usernym.errors import SettingsError
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.directory.witnesses import NO_WITNESSES, WitnessPolicy
from usernym.protocol.signing import SigningKey
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, InDirectory, Trust
from usernym.storage.client.witnessed import SignaturesSeen
from usernym.witnesses import NAMED_MAX, witness_policy

NOWHERE = "ws://127.0.0.1:9"


def key_of(number: int) -> bytes:
    return SigningKey.from_seed(bytes((number,)) * 32).public


def card_of(number: int, sequence: int = 1) -> str:
    key = SigningKey.from_seed(bytes((number,)) * 32)
    return card_text(make_card(key, [bytes(96)], sequence, 1))


@pytest.mark.parametrize(
    ("named", "needed", "wanted"), [(1, None, 1), (3, None, 3), (8, None, 3), (3, 2, 2), (8, 1, 1)]
)
def test_all_that_are_named_must_sign_or_as_many_as_a_node_shows_if_not_said_otherwise(
    named: int, needed: int | None, wanted: int
) -> None:
    policy = witness_policy([card_of(number) for number in range(named)], needed)
    assert policy == WitnessPolicy(tuple(map(key_of, range(named))), wanted)


def test_no_witnesses_are_no_policy() -> None:
    assert witness_policy([], None).needed == NO_WITNESSES.needed


@pytest.mark.parametrize(("named", "needed"), [(2, 3), (0, 1), (4, 4), (2, 0), (2, -1), (NAMED_MAX + 1, None)])
def test_what_can_never_be_met_is_a_wrong_setting(named: int, needed: int | None) -> None:
    with pytest.raises(SettingsError):
        witness_policy([card_of(number) for number in range(named)], needed)


def test_one_witness_who_is_named_twice_is_one() -> None:
    assert witness_policy([card_of(1), card_of(1, 2)], None) == WitnessPolicy((key_of(1),), 1)
    with pytest.raises(SettingsError, match="1 different"):
        witness_policy([card_of(1), card_of(1, 2)], 2)


# -- where the setting goes --


@pytest.fixture
def home(handles: Handles) -> Path:
    """A home with a contact whose key the node has shown to be in its directory."""
    handles.client("alice").close()
    home = handles.home("alice")
    with closing(ClientStore.open(home, None, unprotected=True)) as store:
        store.contacts.add("bob", bytes(32), b"record", Trust.CONFIRMED, Consent.ACCEPTED, log_size=1)
    return home


def test_a_client_goes_by_the_witnesses_that_it_is_opened_with(home: Path, handles: Handles) -> None:
    def opened(**more: Any) -> InDirectory:
        with usernym.Client.open(home, mixnet=handles.mixnet.transport(), **more) as client:
            return client.contact("bob").directory

    assert opened() is InDirectory.SHOWN
    assert opened(witnesses=[card_of(1)]) is InDirectory.NOT_WITNESSED
    assert opened() is InDirectory.SHOWN

    async def opened_too() -> InDirectory:
        settings: usernym.ClientOptions = {"mixnet": handles.mixnet.transport(), "witnesses": [card_of(1)]}
        async with usernym.AsyncClient(home, **settings) as client:
            return (await client.contact("bob")).directory

    assert asyncio.run(opened_too()) is InDirectory.NOT_WITNESSED


@pytest.mark.seconds
def test_its_lookups_go_by_them_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(directory, "EPOCH_S", 0.2)
    with closing(Handles(tmp_path)) as handles:
        alice = handles.client("alice", witnesses=[card_of(1)])
        handles.client("bob")
        not_yet = (InDirectory.NOT_SHOWN, InDirectory.PROMISED)
        handles.wait_for(lambda: alice.look_up("bob").directory not in not_yet)
        assert alice.contact("bob").directory is InDirectory.NOT_WITNESSED


def test_a_wrong_policy_opens_nothing(home: Path, handles: Handles, tmp_path: Path) -> None:
    mixnet = handles.mixnet.transport()
    for home_or_new, more in ((home, {}), (tmp_path / "new", handles.settings("bob"))):
        with pytest.raises(SettingsError, match="its own witness"):
            usernym.Client.open(home_or_new, **{"mixnet": mixnet, **more, "witnesses": [handles.card]})
        with pytest.raises(SettingsError, match="2 signatures"):
            usernym.Client.open(
                home_or_new, **{"mixnet": mixnet, **more, "witnesses": [card_of(1)], "witnesses_needed": 2}
            )
        with pytest.raises(usernym.RemoteProtocolError):
            usernym.Client.open(home_or_new, **{"mixnet": mixnet, **more, "witnesses": ["usernym-node:x"]})
    assert not (tmp_path / "new").exists()


def test_the_command_line_takes_witnesses_from_options_and_from_settings(
    home: Path, tmp_path: Path, typed: Any
) -> None:
    (home / "two.card").write_text(card_of(2))
    of_bob = ("contacts", "--home", home, "--mixnet", NOWHERE, "--json")

    def word(*more: str) -> str:
        done = typed(*of_bob, *more)
        assert done.code == 0, done.err
        return str(json.loads(done.out)["contacts"][0]["directory"])

    assert word() == InDirectory.SHOWN
    assert word("--witness", card_of(1), "--witness", str(home / "two.card")) == InDirectory.NOT_WITNESSED
    assert word() == InDirectory.SHOWN
    (home / "usernym.toml").write_text(f'[client]\nwitnesses = ["{card_of(1)}", "two.card"]\nwitnesses_needed = 1\n')
    assert word() == InDirectory.NOT_WITNESSED
    done = typed(*of_bob, "--witnesses-needed", "3")
    assert (done.code, "2 different witnesses" in done.err) == (2, True)
    assert typed(*of_bob, "--witnesses-needed", "4").code == 2


def test_the_chat_page_takes_the_same_options(home: Path, typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("usernym.chat.serve.serve", lambda settings, **_: served.append(settings))
    options = ("--home", home, "--witness", card_of(1), "--witness", card_of(2))
    assert typed("chat", *options, "--witnesses-needed", "1").code == 0
    (settings,) = served
    assert (settings.witnesses, settings.witnesses_needed) == ((card_of(1), card_of(2)), 1)
    assert typed("chat", *options, "--witnesses-needed", "3").code == 2
    assert len(served) == 1, "a mistake is for the terminal"


def test_whoami_says_what_the_witnesses_have_signed(home: Path, typed: Any) -> None:
    def who(*more: str) -> Any:
        return typed("whoami", "--home", home, "--mixnet", NOWHERE, *more)

    def seen(signatures: SignaturesSeen) -> None:
        with closing(ClientStore.open(home, None, unprotected=True)) as store:
            store.witnessed.note(signatures)

    assert "witnesses" not in who().out
    assert json.loads(who("--json").out)["witnesses"] is None
    named = ("--witness", card_of(1), "--witness", card_of(2), "--witness", card_of(3), "--witnesses-needed", "2")
    assert "2 of 3 must sign; the node has shown no log since they were named" in who(*named).out
    seen(SignaturesSeen(2, 1_700_000_000, 1_700_000_060, 0))
    assert f"2 have signed what was shown last; enough had signed last at {clock(1_700_000_060)}" in who(*named).out
    assert json.loads(who(*named, "--json").out)["witnesses"] == {
        "named": 3, "needed": 2, "signed": 2, "met_at": 1_700_000_060, "unmet_since": None,
    }  # fmt: skip
    seen(SignaturesSeen(1, 1_700_000_000, None, UNWITNESSED_S))
    said = " ".join(who(*named).out.split())
    assert "1 have signed what was shown last; enough had signed never yet" in said
    assert f"! since {clock(1_700_000_000)} the node shows a log that your witnesses have not signed" in said
    assert json.loads(who(*named, "--json").out)["witnesses"]["unmet_since"] == 1_700_000_000
