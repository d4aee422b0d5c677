"""What a person may write for a mixnet."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym.mixnet import nym_sdk
from usernym.mixnets import InProcess, moving_transport, parse_in_process, transport_to
from usernym.settings import SettingsError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nym", InProcess()),
        ("nym:https://directory.example/api", InProcess("https://directory.example/api")),
        ("nym:http://127.0.0.1:8080/", InProcess("http://127.0.0.1:8080/")),
        ("nym:http://[::1]:8080", InProcess("http://[::1]:8080")),
        ("nym?cover=off", InProcess(cover=False)),
        ("nym?cover=on", InProcess()),
        ("nym?", InProcess()),
        (
            "nym:http://localhost:1?cover=off&gateway=Key1&storage=second",
            InProcess("http://localhost:1", False, "Key1", "second"),
        ),
    ],
)
def test_clients_in_this_process(text: str, meant: InProcess) -> None:
    assert parse_in_process(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
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
        transport_to(text, tmp_path)
    assert not list(tmp_path.iterdir()), "a refused mixnet leaves nothing behind"


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ImportError("No module named 'nym_python_sdk'")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(SettingsError, match="make nym"):
        transport_to("nym", tmp_path)
    assert not nym_sdk.installed()


def test_two_clients_in_this_process_are_told_apart_by_their_storage(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="another one"):
        moving_transport("nym?cover=off", ["nym"], tmp_path)
