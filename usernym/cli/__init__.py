"""The command line: `usernym COMMAND …`. The table of commands is in `grammar`, each group of commands in its module.

Expected failures end in one sentence on the standard error and an exit code with a meaning; with `--json` also in an
object with the key `error` on the standard output.
"""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from usernym.cli import grammar
from usernym.cli.command import Invocation, Kind
from usernym.cli.failures import CommandFailed, Exit, failure_of
from usernym.cli.hints import Hint
from usernym.cli.inherited import put_right
from usernym.cli.terminal import OutputFailed, output, prepare_streams, print_err_marked, print_json
from usernym.dumps import forbid_dumps
from usernym.log import set_up
from usernym.logger import logger
from usernym.settings import (
    BYTE_ORDER_MARK,
    ClientSettings,
    CommonSettings,
    NodeSettings,
    absolute_path,
    default_home,
    flag_settings,
    read_settings,
)

_SETTINGS: Final[dict[Kind, type[CommonSettings]]] = {"client": ClientSettings, "node": NodeSettings}
_CARD_CHARACTERS_MAX: Final = 4096
TEXT_MAX: Final = 1_500
"""Characters of a failure: less than a screen, whatever was typed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code.

    Without `arguments` it is that of this process, whose memory is then protected. With `arguments` the process is the
    caller's, and stays as it is: debuggers and profilers can attach.
    """
    if arguments is None:
        put_right()
    prepare_streams()
    as_json, hint = False, Hint("")
    try:
        if arguments is None:
            forbid_dumps()
        entry, given = grammar.parse(arguments)
        as_json = getattr(given, "json", False)
        hint = Hint.of(given, entry.kind)
        if "json" in (getattr(given, "log_format", None), os.environ.get("USERNYM_LOG_FORMAT")):
            # A mistake in the other settings is found before they are read.
            set_up("warning", "json", only_json=entry.kind == "node")
        typed = _invocation(entry.kind, given)
        set_up(typed.settings.log_level, typed.settings.log_format, only_json=entry.kind == "node")
        entry.run(typed)
        with output():
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost edge: every end has a code
        return _end(failure_of(error), error, as_json=as_json, hint=hint)
    return int(Exit.OK)


def _invocation(kind: Kind, given: Namespace) -> Invocation[CommonSettings]:
    """What was typed, with the settings of its kind."""
    from usernym.protocol.names import canonical

    flags: dict[str, Any] = vars(given)
    if flags.get("name") is not None:
        flags["name"] = canonical(flags["name"])
    if flags.get("node") == "-":
        flags["node"] = sys.stdin.readline(_CARD_CHARACTERS_MAX).removeprefix(BYTE_ORDER_MARK).strip() or "-"
    if kind == "none":
        return Invocation(Path(), flag_settings(flags), given, flags.get("json", False))
    home = absolute_path(flags.get("home") or default_home(kind))
    settings = read_settings(_SETTINGS[kind], home, flags.get("config"), flags=flags)
    return Invocation(home, settings, given, flags.get("json", False))


def _end(failed: CommandFailed, error: BaseException, *, as_json: bool, hint: Hint) -> int:
    """Say how the command failed, on the streams that can still be written; its exit code."""
    with contextlib.suppress(OutputFailed, BrokenPipeError), output():
        sys.stdout.flush()  # what can't be written must not fail again when the interpreter ends
    if failed.exit_code is Exit.PIPE_CLOSED:
        return int(failed.exit_code)
    if failed.exit_code is Exit.INTERNAL:
        logger.debug("the command failed by a bug", exc_info=error)
    text = hint.put_in(failed.text)
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]} …"
    print_err_marked(f"usernym: {text}", "error")
    if as_json:
        with contextlib.suppress(OutputFailed, BrokenPipeError):
            print_json({"error": failed.kind, "text": text, "exit": int(failed.exit_code), **failed.extra})
    return int(failed.exit_code)
