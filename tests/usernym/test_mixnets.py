"""What a person may write for a mixnet."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym.errors import SettingsError
from usernym.mixnet import nym_sdk
from usernym.mixnets import NymClientAt, NymInProcess, node_transport, parse_mixnet, parse_mixnets


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nym", NymInProcess()),
        ("nym:https://directory.example/api", NymInProcess("https://directory.example/api")),
        ("nym:http://127.0.0.1:8080/", NymInProcess("http://127.0.0.1:8080/")),
        ("nym:http://[::1]:8080", NymInProcess("http://[::1]:8080")),
        ("nym?cover=off", NymInProcess(cover=False)),
        ("nym?cover=on", NymInProcess()),
        ("nym?", NymInProcess()),
        (
            "nym:http://localhost:1?cover=off&gateway=Key1&storage=second",
            NymInProcess("http://localhost:1", False, "Key1", "second"),
        ),
    ],
)
def test_clients_in_this_process(text: str, meant: NymInProcess) -> None:
    assert parse_mixnet(text) == meant


def test_a_nym_client_that_runs_beside() -> None:
    spec = parse_mixnet("ws://127.0.0.1:1977")
    assert spec == NymClientAt("ws://127.0.0.1:1977")
    spec.check()
    spec.transport(None).close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ws://",
        "ws://mixnet.example:1977",
        "ws://name@127.0.0.1:1977",
        "nym:",
        "nymph",
        "http://127.0.0.1:8080",
        "nym:directory.example",
        "nym:ftp://directory.example",
        "nym:http://directory.example",
        "nym:http://10.0.0.1:8080",
        "nym:https://user@directory.example",
        "nym:https://",
        "nym?cover",
        "nym?cover=maybe",
        "nym?cover=off&cover=on",
        "nym?gateway=",
        "nym?delay=1",
        "nym?storage=../elsewhere",
        "nym?storage=" + 33 * "a",
    ],
)
def test_what_is_no_mixnet_is_refused_with_a_reason(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        parse_mixnet(text)
    assert not list(tmp_path.iterdir()), "a refused mixnet leaves nothing behind"


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ImportError("No module named 'nym_python_sdk'")

    monkeypatch.setattr("importlib.import_module", missing)
    for use in (NymInProcess().check, lambda: NymInProcess().transport(tmp_path)):
        with pytest.raises(SettingsError, match="make nym"):
            use()
    assert not nym_sdk.installed()


def test_two_clients_in_this_process_are_told_apart_by_their_storage(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="another one"):
        parse_mixnets("nym?cover=off", ["nym"])
    with pytest.raises(SettingsError, match="another one"):
        node_transport("nym?cover=off", ["nym"], tmp_path)
