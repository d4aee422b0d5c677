"""Settings: three layers in rising order, and no key that is silently not taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from usernym.errors import SettingsError
from usernym.mixnets import parse_mixnets
from usernym.settings import (
    ClientSettings,
    NodeSettings,
    Seconds,
    card_argument,
    default_home,
    duration,
    read_settings,
    whole_number,
)

CARD = "usernym-node:AAAA"


def write(home: Path, text: str) -> Path:
    path = home / "usernym.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("key", "in_file", "in_environment", "as_flag", "values"),
    [
        (
            "mixnet",
            '"ws://127.0.0.1:1"',
            "ws://127.0.0.1:2",
            "ws://127.0.0.1:3",
            [f"ws://127.0.0.1:{n}" for n in (1, 2, 3)],
        ),
        ("timeout", "11", "12s", 13.0, [11.0, 12.0, 13.0]),
        ("log_level", '"info"', "error", "debug", ["info", "error", "debug"]),
        ("accept_strangers", "false", "yes", False, [False, True, False]),
        ("unprotected", "true", "off", True, [True, False, True]),
        (
            "witnesses",
            f'["{CARD}1"]',
            f"{CARD}2, {CARD}3",
            [f"{CARD}4"],
            [(f"{CARD}1",), (f"{CARD}2", f"{CARD}3"), (f"{CARD}4",)],
        ),
        ("witnesses_needed", "1", "2", 3, [1, 2, 3]),
        ("node", f'"{CARD}1"', f"{CARD}2", f"{CARD}3", [f"{CARD}{n}" for n in (1, 2, 3)]),
    ],
)
def test_each_layer_overrides_the_one_before(
    tmp_path: Path, key: str, in_file: str, in_environment: str, as_flag: object, values: list[Any]
) -> None:
    write(tmp_path, f"[client]\n{key} = {in_file}\n")
    environment = {"USERNYM_" + key.upper(): in_environment}
    flags = {key: as_flag}
    assert getattr(read_settings(ClientSettings, tmp_path, environment={}), key) == values[0]
    assert getattr(read_settings(ClientSettings, tmp_path, environment=environment), key) == values[1]
    assert getattr(read_settings(ClientSettings, tmp_path, environment=environment, flags=flags), key) == values[2]
    assert getattr(read_settings(ClientSettings, tmp_path, environment={}, flags={key: None}), key) == values[0]


def test_without_any_layer_the_defaults_hold(tmp_path: Path) -> None:
    assert read_settings(ClientSettings, tmp_path, environment={}) == ClientSettings()
    assert read_settings(NodeSettings, tmp_path, environment={}) == NodeSettings()


def test_a_section_overrides_the_top_and_sections_do_not_mix(tmp_path: Path) -> None:
    write(
        tmp_path, 'timeout = 5\n[node]\nmixnet = "ws://n"\nwork_bits = 20\n[client]\nmixnet = "ws://c"\ntimeout = 7\n'
    )
    assert read_settings(NodeSettings, tmp_path, environment={}) == NodeSettings(
        mixnet="ws://n", work_bits=20, timeout=Seconds(5.0)
    )
    assert read_settings(ClientSettings, tmp_path, environment={}) == ClientSettings(
        mixnet="ws://c", timeout=Seconds(7.0)
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('mixnets = "ws://x"', "mixnets"),
        ('mixnet = "ws://x"', "mixnet"),
        ("[client]\nwork_bits = 20", "client.work_bits"),
        ("[node]\nacept_strangers = true", "node.acept_strangers"),
        ("[clients]\ntimeout = 3", "clients"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_it_and_the_file(tmp_path: Path, text: str, key: str) -> None:
    path = write(tmp_path, text)
    for kind in (ClientSettings, NodeSettings):
        with pytest.raises(SettingsError) as error:
            read_settings(kind, tmp_path, environment={})
        assert repr(key) in str(error.value)
        assert str(path) in str(error.value)


def test_an_unknown_variable_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="USERNYM_MIXNETT"):
        read_settings(ClientSettings, tmp_path, environment={"USERNYM_MIXNETT": "ws://x"})


def test_variables_of_the_other_kind_are_left_alone(tmp_path: Path) -> None:
    environment = {"USERNYM_WORK_BITS": "20", "USERNYM_PASSPHRASE": "x", "USERNYM_HOME": "y"}
    assert read_settings(ClientSettings, tmp_path, environment=environment) == ClientSettings()
    assert read_settings(NodeSettings, tmp_path, environment=environment).work_bits == 20


@pytest.mark.parametrize(
    "text",
    [
        "timeout = true",
        'timeout = "soon"',
        "timeout = 0",
        "timeout = nan",
        'log_level = "loud"',
        "[client]\nmixnet = 5",
        '[client]\nmixnet = "  "',
        '[client]\naccept_strangers = "perhaps"',
        "[node]\nwork_bits = 27",
        "[node]\nwork_bits = 3",
        "client = 5",
        "this is not TOML",
        "x = 1\n" * 20_000,
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        read_settings(ClientSettings, tmp_path, environment={})
    assert str(path) in str(error.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        read_settings(ClientSettings, tmp_path, missing, environment={})
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        read_settings(ClientSettings, tmp_path, environment={"USERNYM_CONFIG": str(missing)})


def test_a_named_file_is_read_instead_of_the_homes(tmp_path: Path) -> None:
    write(tmp_path, "timeout = 1")
    other = tmp_path / "other.toml"
    other.write_text("timeout = 2")
    assert read_settings(ClientSettings, tmp_path, other, environment={}).timeout == 2.0


def test_a_cards_file_is_sought_beside_the_settings_that_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "node.card").write_text(f"{CARD}\n")
    write(tmp_path, '[client]\nnode = "node.card"\nwitnesses = ["node.card"]\n')
    settings = read_settings(ClientSettings, tmp_path, environment={})
    assert (settings.node, settings.witnesses) == (CARD, (CARD,))
    write(tmp_path, '[client]\nwitnesses = ["-"]\n')
    with pytest.raises(SettingsError, match="witnesses: name a file"):
        read_settings(ClientSettings, tmp_path, environment={})


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_a_card_that_is_not_there_is_said_to_be_missing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "node.card"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"node\.card"):
        read_settings(ClientSettings, tmp_path, environment={}, flags={"node": str(path)})


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("10s", 10), ("1.5m", 90), ("2h", 7200), ("250ms", 0.25), ("1d", 86_400), (7, 7)]
)
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1e3", "10 years", "0", "inf", "nan", "400d", "1s\n2s", None, True, []]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


def test_default_homes_differ_by_kind_and_follow_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_home("client", {}) == Path("/home/someone/.local/share/usernym")
    assert default_home("node", {}) == Path("/home/someone/.local/share/usernym-node")
    assert default_home("client", {"XDG_DATA_HOME": "/data"}) == Path("/data/usernym")
    assert default_home("client", {"XDG_DATA_HOME": "relative"}) == Path("/home/someone/.local/share/usernym")
    assert default_home("node", {"USERNYM_HOME": "/h", "XDG_DATA_HOME": "/data"}) == Path("/h")


def test_former_mixnets_are_a_list_however_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "usernym.toml").write_text('[node]\nformer_mixnets = ["ws://a", "ws://b"]\n')
    assert read_settings(NodeSettings, tmp_path, environment={}).former_mixnets == ("ws://a", "ws://b")
    environment = {"USERNYM_FORMER_MIXNETS": "ws://c, ws://d"}
    assert read_settings(NodeSettings, tmp_path, environment=environment).former_mixnets == ("ws://c", "ws://d")
    flags = {"former_mixnets": ["ws://e"]}
    assert read_settings(NodeSettings, tmp_path, environment=environment, flags=flags).former_mixnets == ("ws://e",)
    with pytest.raises(SettingsError, match="another one"):
        parse_mixnets("ws://127.0.0.1:1977", ["ws://127.0.0.1:1977"])


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"], ids=["UTF-8", "UTF-16LE", "UTF-16BE"])
def test_marks_of_editors_are_read_over(tmp_path: Path, mark: bytes) -> None:
    """As Windows' editors and shells write them, into settings and into a card's file."""
    encoding = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}[mark]
    (tmp_path / "card").write_bytes(mark + f"{CARD}\r\n".encode(encoding))
    (tmp_path / "usernym.toml").write_bytes(mark + '[client]\r\nnode = "card"\r\n'.encode(encoding))
    assert read_settings(ClientSettings, tmp_path, environment={}).node == CARD
    assert card_argument(f"\ufeff{CARD}") == CARD


@pytest.mark.parametrize(
    "content",
    [
        b"timeout = " + b"9" * 5000,
        b"a = " + b"[" * 20_000,
        b"\xff\xff",
        b"timeout = 1e999",
        b"[node]\nwork_bits = 99999999999999999999",
        b"[node]\nmetrics_port = 99999999999999999999",
    ],
)
def test_no_content_of_a_file_is_a_bug(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "usernym.toml").write_bytes(content)
    with pytest.raises(SettingsError):
        read_settings(NodeSettings, tmp_path, environment={})


@pytest.mark.parametrize("card", ["\0", "~no_such_user/card", "x" * 5000, "\udcff"])
def test_no_name_of_a_cards_file_is_a_bug(card: str) -> None:
    with pytest.raises(SettingsError):
        card_argument(card)


@pytest.mark.parametrize("value", ["7", 7])
def test_whole_numbers(value: object) -> None:
    assert whole_number(value, 0, 9) == 7


@pytest.mark.parametrize("value", ["", "-1", "10", "7.0", "1e0", "٣", " 7", True, None, 7.0, 10, "9" * 5000, 10**400])
def test_what_is_no_whole_number(value: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number from 0 to 9"):
        whole_number(value, 0, 9)
