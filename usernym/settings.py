"""Settings: one TOML file, then `USERNYM_…` environment variables, then options; each overrides the one before.

The file is `<home>/usernym.toml`, or the one that is named. Keys at its top apply to all commands, those under `[node]`
and `[client]` to one kind. An unknown key is an error that names the key and the file: a setting that is silently
ignored is worse than none.

The passphrase (`USERNYM_PASSPHRASE`) is not a setting: it is in no file, and in no object made here.
"""

from __future__ import annotations

import codecs
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from usernym.errors import SettingsError

FILE_NAME: Final = "usernym.toml"
NODE_MIXNET_NAME: Final = "node-mixnet"
"""An owner-only file in a node's home with the mixnet that it last ran with, so that it need not be named again."""
NODE_STORE_NAME: Final = "node-store"
"""The same, with the database that it last had its store in."""
WORKERS_FOLDER: Final = "workers"
"""In a node's home: the homes of its workers from the second on, by their numbers."""
FILE_BYTES_MAX: Final = 64 * 1024
PREFIX: Final = "USERNYM_"
PASSPHRASE_VARIABLE: Final = "USERNYM_PASSPHRASE"  # noqa: S105 - its name, not its value
NEW_PASSPHRASE_VARIABLE: Final = "USERNYM_NEW_PASSPHRASE"  # noqa: S105 - its name, not its value
BACKUP_PASSPHRASE_VARIABLE: Final = "USERNYM_BACKUP_PASSPHRASE"  # noqa: S105 - its name, not its value
PASSPHRASE_VARIABLES: Final = frozenset({PASSPHRASE_VARIABLE, NEW_PASSPHRASE_VARIABLE, BACKUP_PASSPHRASE_VARIABLE})
CARD_PREFIX: Final = "usernym-node:"
CARD_FILE_BYTES_MAX: Final = 4096
"""Of a file with a card; a card has 1,220 characters at most, and two bytes for each of them in UTF-16."""
BYTE_ORDER_MARK: Final = "\ufeff"

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)
LogFormat = Literal["text", "json"]
LOG_FORMATS: Final[tuple[LogFormat, ...]] = get_args(LogFormat)

TIMEOUT_S: Final = 60.0
"""Three unanswered tries of a request take 35 seconds, and eight silent addresses 50."""
DURATION_S_MAX: Final = 366 * 86_400.0
WORK_BITS_RANGE: Final = (16, 26)
"""With less, names can be taken in bulk; clients refuse more."""
WORKERS_RANGE: Final = (1, 8)
"""A card names eight addresses."""
PORT_MIN: Final = 1024
"""Lower ports belong to the system."""

INTEGER_MAX: Final = 2**63 - 1
"""What a machine's integer, and SQLite's, holds."""

_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(ms|s|m|h|d|)")
_SWITCHES: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Words that a person may write where msgspec takes true, false, 1 and 0."""
_TYPE_WORDS: Final = {"int": "a whole number", "str": "a text", "bool": "true or false", "array": "a list"}
_OTHER_VARIABLES: Final = PASSPHRASE_VARIABLES | {"USERNYM_HOME", "USERNYM_CONFIG"}


class Seconds(float):
    """A duration in seconds; written as a number, or as a text such as `10s`."""


class Port(int):
    """A port from `PORT_MIN` to 65535, or 0 for none: so a stronger layer can undo what a weaker one says."""


Text = Annotated[str, Meta(min_length=1)]


class CommonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every command takes."""

    timeout: Seconds = Seconds(TIMEOUT_S)
    log_level: LogLevel = "warning"
    log_format: LogFormat = "text"


class ClientSettings(CommonSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client runs with. `mixnet` and `node` are None where the home's own store knows them."""

    mixnet: Text | None = None
    node: Text | None = None
    """The node's card, as its text; in a layer also the name of a file that has it."""
    accept_strangers: bool | None = None
    """None leaves it to the program: commands accept, the chat page asks."""
    unprotected: bool = False
    witnesses: tuple[Text, ...] = ()
    """Other nodes' cards, each as its text; in a layer also the name of a file that has it."""
    witnesses_needed: int | None = None
    """How many of them must sign; None: all, but at most three."""


class NodeSettings(CommonSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a node runs with. `mixnet` is None where none was named."""

    mixnet: Text | None = None
    store: Text | None = None
    """A database of PostgreSQL; None for a file in the home."""
    workers: Annotated[int, Meta(ge=WORKERS_RANGE[0], le=WORKERS_RANGE[1])] = 1
    former_mixnets: tuple[Text, ...] = ()
    work_bits: Annotated[int, Meta(ge=WORK_BITS_RANGE[0], le=WORK_BITS_RANGE[1])] = WORK_BITS_RANGE[0]
    log_level: LogLevel = "info"
    metrics_port: Port = Port(0)
    """Of 127.0.0.1."""


S = TypeVar("S", bound=CommonSettings)
_SECTIONS: Final[dict[str, type[CommonSettings]]] = {"client": ClientSettings, "node": NodeSettings}
_ALL_KEYS: Final = frozenset(ClientSettings.__struct_fields__ + NodeSettings.__struct_fields__)


def read_settings(
    kind: type[S],
    home: Path,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> S:
    """The settings of one kind for `home`. `flags` are options by a setting's name; None is one that was not given.

    Cards come as their text, however they were named. Raises `SettingsError`.
    """
    variables = os.environ if environment is None else environment
    values = _of_file(kind, *_settings_file(home, config, variables))
    values |= _of_environment(kind, variables) | _of_flags(kind, flags or {})
    if values.get("node") is not None:
        values["node"] = card_argument(values["node"])
    if "witnesses" in values:
        values["witnesses"] = tuple(map(card_argument, values["witnesses"]))
    return kind(**values)


def flag_settings(flags: Mapping[str, object]) -> CommonSettings:
    """For a command without a home: the settings from its options alone. Raises `SettingsError`."""
    return CommonSettings(**_of_flags(CommonSettings, flags))


# -- layers -----------------------------------------------------------------------------------------------------------


def _of_file(kind: type[CommonSettings], path: Path, must_exist: bool) -> dict[str, Any]:
    content = _read_file(path, must_exist)
    sections = {name: content.pop(name) for name in _SECTIONS if name in content}
    found = _of_table(CommonSettings, content, path, "", also=tuple(_SECTIONS))
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise SettingsError(f"{path}: {name} is a section: write [{name}]")
        # The other kind's section is checked too: a mistake there should be found now, not when it is used.
        values = _of_table(_SECTIONS[name], section, path, f"{name}.")
        if _SECTIONS[name] is kind:
            found |= values
            if "node" in values:
                found["node"] = _beside(path, values["node"], "node")
            if "witnesses" in values:
                found["witnesses"] = [_beside(path, card, "witnesses") for card in values["witnesses"]]
    return found


def _of_table(
    kind: type[CommonSettings], table: dict[str, object], path: Path, prefix: str, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    known = (*kind.__struct_fields__, *also)
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"
            raise SettingsError(f"{path}: unknown key {prefix + key!r}; {hint}")
    return {key: _value(kind, key, value, f"{path}: {prefix}{key}") for key, value in table.items()}


def _of_environment(kind: type[CommonSettings], variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, value in variables.items():
        if not variable.startswith(PREFIX) or variable in _OTHER_VARIABLES:
            continue
        key = variable.removeprefix(PREFIX).lower()
        if key not in _ALL_KEYS or not variable.isupper():
            raise SettingsError(f"{variable} in the environment: no such setting")
        if key in kind.__struct_fields__:
            found[key] = _value(kind, key, value, f"{variable} in the environment")
    return found


def _of_flags(kind: type[CommonSettings], flags: Mapping[str, object]) -> dict[str, Any]:
    return {
        key: _value(kind, key, value, f"--{key.replace('_', '-')}")
        for key, value in flags.items()
        if value is not None and key in kind.__struct_fields__
    }


def _settings_file(home: Path, config: Path | None, environment: Mapping[str, str]) -> tuple[Path, bool]:
    """The file to read, and whether it must be there."""
    if config is not None:
        return config, True
    if named := environment.get("USERNYM_CONFIG"):
        return user_path(named), True
    return home / FILE_NAME, False


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
    import tomllib  # noqa: PLC0415 - most homes have no such file

    try:
        return tomllib.loads(text_of(content))
    except (ValueError, RecursionError) as error:  # not TOML, not text, a number without end, or nested too deep
        raise SettingsError(f"{path} is not TOML: {error}") from None


# -- values -----------------------------------------------------------------------------------------------------------


def _value(kind: type[CommonSettings], key: str, value: object, where: str) -> Any:
    """One value as its field wants it. Raises `SettingsError` that begins with `where`."""
    wanted = next(field.type for field in msgspec.structs.fields(kind) if field.name == key)
    if isinstance(value, str):
        value = value.strip()
        if get_origin(wanted) is tuple:
            value = [each.strip() for each in value.split(",")]
        elif bool in (wanted, *get_args(wanted)):
            value = _SWITCHES.get(value.lower(), value)
    try:
        return msgspec.convert(value, wanted, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        text = str(error).partition(" - at ")[0]
        for name, words in _TYPE_WORDS.items():
            text = text.replace(f"`{name}`", words)
        if text.startswith("Integer value out of range"):
            text = "expected a whole number that a machine can hold"
        if text.startswith("Invalid enum value"):
            text = f"expected one of {', '.join(get_args(wanted))}"
        raise SettingsError(f"{where}: {text[:1].lower()}{text[1:]}") from None


def _decode(kind: type, value: object) -> object:
    """What msgspec does not know by itself."""
    if kind is Seconds:
        return Seconds(duration(value))
    if kind is Port:
        return _port(value)
    raise NotImplementedError(kind)


def duration(value: object) -> float:
    """Seconds from a number, or from a text such as `10s`, `1.5m`, `2h`. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration, such as 10s, 5m or 2h")
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("expected a duration, such as 10s, 5m or 2h")
        value = float(match[1]) * _UNITS[match[2]]
    if not 0 < value <= DURATION_S_MAX:  # nan is not
        raise ValueError("expected a duration above zero, of at most a year")
    return float(value)


def whole_number(value: object, low: int, high: int = INTEGER_MAX) -> int:
    """A whole number from `low` to `high`, both included, from a number or from its digits. Raises `ValueError`.

    For all options and settings that are whole numbers: none takes one that a machine's integer does not hold.
    """
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"expected a whole number from {low} " + ("on" if high == INTEGER_MAX else f"to {high}"))
    return value


def _port(value: object) -> Port:
    try:
        port = whole_number(value, 0, 65_535)
    except ValueError:
        port = 1
    if 0 < port < PORT_MIN:
        raise ValueError(f"expected a port from {PORT_MIN} to 65535, or 0 for none")
    return Port(port)


def _beside(path: Path, card: str, key: str) -> str:
    """A card's file that a settings file names is beside that file, wherever the command is typed."""
    if card == "-":
        raise SettingsError(f"{path}: {key}: name a file, or write the card's text")
    if card.startswith(CARD_PREFIX):
        return card
    return str(path.parent / user_path(card))


def card_argument(value: str) -> str:
    """The card's text from what was given for it: the text itself, or the name of a file that has it."""
    value = value.removeprefix(BYTE_ORDER_MARK)
    if value.startswith(CARD_PREFIX):
        return value
    path = user_path(value)
    try:
        with path.open("rb") as file:
            text = text_of(file.read(CARD_FILE_BYTES_MAX)).strip()
    except OSError as error:
        raise SettingsError(f"the node's card, {value}: {(error.strerror or 'unreadable').lower()}") from None
    except ValueError:  # not text; or a path with a NUL in it
        raise SettingsError(f"the node's card, {value}: this is no text file") from None
    if not text:
        raise SettingsError(f"the node's card, {value}: the file is empty; `usernym node card` prints a card")
    return text


def text_of(content: bytes) -> str:
    """The text of a file, in UTF-8, or in UTF-16 if it begins with that byte order mark. Raises `UnicodeDecodeError`.

    Editors and shells of Windows write such marks; they are no part of the text.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def user_path(text: str | os.PathLike[str]) -> Path:
    """A path as a person gave it, with `~` for a home folder. Raises `SettingsError`."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise SettingsError(f"{text}: there is no such user's home folder") from None


def absolute_path(text: str | os.PathLike[str]) -> Path:
    """The same from the root. Raises `SettingsError` if it depends on a current folder that is gone."""
    path = user_path(text)
    try:
        return path.absolute()
    except OSError as error:
        why = (error.strerror or "gone").lower()
        raise SettingsError(f"{path}: the current folder can't be used ({why}): give the whole path") from None


def default_home(kind: Literal["node", "client"], environment: Mapping[str, str] | None = None) -> Path:
    """`USERNYM_HOME`, or a folder of its own for each kind where the system keeps a user's data.

    One process holds a home, so a node and a client that both run with their defaults must not share one.
    """
    variables = os.environ if environment is None else environment
    if named := variables.get("USERNYM_HOME"):
        return user_path(named)
    data = variables.get("XDG_DATA_HOME", "")
    # The XDG specification says to ignore a relative path there.
    base = Path(data) if data.startswith("/") else _own_folder(variables) / ".local" / "share"
    return base / ("usernym" if kind == "client" else "usernym-node")


def _own_folder(variables: Mapping[str, str]) -> Path:
    """The user's home folder, as the system knows it. Raises `SettingsError` if it knows none."""
    try:
        folder = Path.home()
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute() or variables.get("HOME") == "":
        raise SettingsError(
            "this user has no home folder (HOME is not set): name a folder with --home, or in USERNYM_HOME"
        )
    return folder
