"""Settings: one TOML file, then `USERNYM_…` environment variables, then flags; each overrides the one before.

The file is `<home>/usernym.toml`, or the one that is named. Keys at its top hold for all commands, those under `[node]`
and `[client]` for one kind. What a key may be is in the tables below; an unknown one is an error that names the key and
where it stands, since a setting that is silently not taken is worse than none.

The passphrase (`USERNYM_PASSPHRASE`) is not a setting: it stands in no file, and in no object made here.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

FILE_NAME: Final = "usernym.toml"
FILE_BYTES_MAX: Final = 64 * 1024
PREFIX: Final = "USERNYM_"
PASSPHRASE_VARIABLE: Final = "USERNYM_PASSPHRASE"  # noqa: S105 - its name, not its value
NEW_PASSPHRASE_VARIABLE: Final = "USERNYM_NEW_PASSPHRASE"  # noqa: S105 - its name, not its value
BACKUP_PASSPHRASE_VARIABLE: Final = "USERNYM_BACKUP_PASSPHRASE"  # noqa: S105 - its name, not its value
CARD_PREFIX: Final = "usernym-node:"

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LogFormat = Literal["text", "json"]
LOG_FORMATS: Final = ("text", "json")

TIMEOUT_S: Final = 60.0
"""Three unanswered tries of a request take 35 seconds."""
DURATION_S_MAX: Final = 366 * 86_400.0
WORK_BITS_RANGE: Final = (16, 26)
"""Less keeps nobody from taking names in bulk, more is refused by clients."""

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d|)")


class SettingsError(Exception):
    """The operator's mistake: its text is shown as it is, without a traceback."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a node runs with. `mixnet` is None if nobody ever named one, `metrics_port` where none is wanted."""

    mixnet: str | None = None
    former_mixnets: tuple[str, ...] = ()
    work_bits: int = WORK_BITS_RANGE[0]
    timeout: float = TIMEOUT_S
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    metrics_port: int | None = None


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a client runs with. `mixnet` and `node` are None where the home's own store is to know them."""

    mixnet: str | None = None
    node: str | None = None
    accept_strangers: bool | None = None
    """None: as the program that asks would have it. Commands accept; the chat page asks."""
    unprotected: bool = False
    timeout: float = TIMEOUT_S
    log_level: LogLevel = "warning"
    log_format: LogFormat = "text"


# -- values -----------------------------------------------------------------------------------------------------------


def duration(value: object) -> float:
    """Seconds from a number, or from a text such as `10s`, `1.5m`, `2h`. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration, such as 10s, 5m or 2h")
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("expected a duration, such as 10s, 5m or 2h")
        value = float(match[1]) * _UNITS[match[2]]
    if not math.isfinite(value) or not 0 < value <= DURATION_S_MAX:
        raise ValueError("a duration is longer than nothing, and at most a year")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text that is not empty")
    return value.strip()


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        raise ValueError("expected a list of texts")
    return tuple(_text(each) for each in value)


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError("expected true or false")


def _work_bits(value: object) -> int:
    low, high = WORK_BITS_RANGE
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"expected a whole number from {low} to {high}")
    return value


def _log_level(value: object) -> str:
    if not isinstance(value, str) or value.lower() not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return value.lower()


def _log_format(value: object) -> str:
    if not isinstance(value, str) or value.lower() not in LOG_FORMATS:
        raise ValueError(f"expected one of {', '.join(LOG_FORMATS)}")
    return value.lower()


def _port(value: object) -> int | None:
    """A port, or None for 0: a stronger layer can so undo what a weaker one says."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not (value == 0 or 1024 <= value <= 65_535):
        raise ValueError("expected a port from 1024 to 65535, or 0 for none")
    return value or None


Parser = Callable[[object], Any]

_COMMON: Final[dict[str, Parser]] = {"timeout": duration, "log_level": _log_level, "log_format": _log_format}
_NODE: Final[dict[str, Parser]] = {
    "mixnet": _text,
    "former_mixnets": _texts,
    "work_bits": _work_bits,
    "metrics_port": _port,
}
_CLIENT: Final[dict[str, Parser]] = {
    "mixnet": _text,
    "node": _text,
    "accept_strangers": _switch,
    "unprotected": _switch,
}
_SECTIONS: Final = {"node": _NODE, "client": _CLIENT}
_OTHER_VARIABLES: Final = frozenset(
    {PASSPHRASE_VARIABLE, NEW_PASSPHRASE_VARIABLE, BACKUP_PASSPHRASE_VARIABLE, "USERNYM_HOME", "USERNYM_CONFIG"}
)
_VARIABLES: Final = {PREFIX + key.upper(): key for key in (*_COMMON, *_NODE, *_CLIENT)}


# -- layers -----------------------------------------------------------------------------------------------------------


def node_settings(
    home: Path,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    remembered: Mapping[str, Any] | None = None,
) -> NodeSettings:
    """The settings of the node in `home`; `remembered` is what an earlier run left there, the weakest layer."""
    values = _layers("node", home, config, environment, flags)
    return NodeSettings(**(dict(remembered or {}) | values))


def client_settings(
    home: Path,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> ClientSettings:
    """The settings of the client in `home`, with the node's card as its text, whatever way it was named."""
    settings = ClientSettings(**_layers("client", home, config, environment, flags))
    return settings if settings.node is None else dataclasses.replace(settings, node=card_argument(settings.node))


def _layers(
    kind: str,
    home: Path,
    config: Path | None,
    environment: Mapping[str, str] | None,
    flags: Mapping[str, object] | None,
) -> dict[str, Any]:
    keys = _COMMON | _SECTIONS[kind]
    variables = os.environ if environment is None else environment
    merged = _from_file(kind, *_settings_file(home, config, variables))
    for variable, raw in variables.items():
        if not variable.startswith(PREFIX) or variable in _OTHER_VARIABLES:
            continue
        key = _VARIABLES.get(variable)
        if key is None:
            raise SettingsError(f"{variable} in the environment: no such setting")
        if key in keys:
            merged[key] = _parsed(keys[key], raw, f"{variable} in the environment")
    for key, value in (flags or {}).items():
        if value is not None and key in keys:
            merged[key] = _parsed(keys[key], value, f"--{key.replace('_', '-')}")
    return merged


def _settings_file(home: Path, config: Path | None, environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The file to read, and whether it must be there."""
    named = environment.get("USERNYM_CONFIG")
    if config is not None:
        return config, True
    if named:
        return Path(named).expanduser(), True
    return home / FILE_NAME, False


def _from_file(kind: str, path: Path, must_exist: bool) -> dict[str, Any]:
    content = _read_file(path, must_exist)
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key not in _SECTIONS:
            _take(found, key, value, _COMMON, path, key)
            continue
        if not isinstance(value, dict):
            raise SettingsError(f"{path}: {key} is a section: write [{key}]")
        # The other kind's section is checked too: a mistake there should not wait for its day.
        section: dict[str, Any] = {}
        for inner, inner_value in value.items():
            _take(section, inner, inner_value, _COMMON | _SECTIONS[key], path, f"{key}.{inner}")
        if key == kind:
            found |= section | ({"node": _beside(path, section["node"])} if "node" in section else {})
    return found


def _take(found: dict[str, Any], key: str, value: object, keys: Mapping[str, Parser], path: Path, shown: str) -> None:
    if key not in keys:
        raise SettingsError(f"{path}: unknown key {shown!r}; known here: {', '.join(sorted(keys))}")
    found[key] = _parsed(keys[key], value, f"{path}: {shown}")


def _parsed(parser: Parser, value: object, where: str) -> Any:
    try:
        return parser(value)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None


def _read_file(path: Path, must_exist: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            raise SettingsError(f"{path}: no such file") from None
        return {}
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"{path} is longer than {FILE_BYTES_MAX} bytes: that is no settings file")
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _beside(path: Path, node: str) -> str:
    """A card's file that a settings file names is sought beside that file, wherever the command is typed."""
    if node == "-":
        raise SettingsError(f"{path}: node: name a file, or write the card's text")
    if node.startswith(CARD_PREFIX):
        return node
    return str(path.parent / Path(node).expanduser())


def card_argument(value: str) -> str:
    """The card's text from what was given for it: the text itself, or the name of a file that holds it."""
    if value.startswith(CARD_PREFIX):
        return value
    path = Path(value).expanduser()
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"the node's card, {value}: {(error.strerror or 'unreadable').lower()}") from None
    if not text:
        raise SettingsError(f"the node's card, {value}: the file is empty; `usernym node card` prints a card")
    return text


# -- homes ------------------------------------------------------------------------------------------------------------


def default_home(kind: Literal["node", "client"], environment: Mapping[str, str] | None = None) -> Path:
    """`USERNYM_HOME`, or a folder of its own for each kind where the system keeps a user's data.

    One process holds a home, so a node and a client that both run with their defaults must not share one.
    """
    variables = os.environ if environment is None else environment
    if named := variables.get("USERNYM_HOME"):
        return Path(named).expanduser()
    data = variables.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path there is to be ignored.
    base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return base / ("usernym" if kind == "client" else "usernym-node")
