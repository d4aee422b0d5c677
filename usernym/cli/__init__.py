"""The command line: `usernym COMMAND …`. Its grammar is in `cli_parser`, each command in a file of its own.

Expected failures end in one sentence on the standard error and an exit code with a meaning; with `--json` also in an
object with the key `error` on the standard output.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from usernym import log as logs
from usernym.cli.failures import CommandFailed, Exit, failure_of
from usernym.cli.parser import Grammar
from usernym.cli.session import Options
from usernym.cli.terminal import note, prepare_streams, printable_text, say_json
from usernym.logger import logger
from usernym.settings import LogFormat, client_settings, default_home, node_settings

_FLAGS: Final = (
    "timeout",
    "log_level",
    "log_format",
    "mixnet",
    "former_mixnets",
    "node",
    "work_bits",
    "metrics_port",
    "accept_strangers",
)
"""Options that are settings too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    prepare_streams()
    parsed = Grammar().build().parse_args(arguments)
    try:
        options = _options(parsed)
        logs.set_up(*_log_settings(options, parsed.kind))
        parsed.run(options, parsed)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Nobody reads on. What is still buffered would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(failure_of(error).exit_code)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost edge: every end has a code
        return _end(failure_of(error), error, as_json=getattr(parsed, "json", False))
    return int(Exit.OK)


def _options(parsed: argparse.Namespace) -> Options:
    given: dict[str, Any] = vars(parsed)
    home = given.get("home") or default_home("node" if parsed.kind == "node" else "client")
    return Options(
        home=home.expanduser().absolute(),
        config=given.get("config"),
        json=given.get("json", False),
        no_passphrase=given.get("no_passphrase", False),
        flags={flag: given[flag] for flag in _FLAGS if given.get(flag) is not None},
    )


def _log_settings(options: Options, kind: str) -> tuple[str, LogFormat]:
    if kind == "none":
        return options.flags.get("log_level", "warning"), options.flags.get("log_format", "text")
    # The card may still have to be read from the standard input, and only once.
    flags = {flag: value for flag, value in options.flags.items() if flag != "node"}
    read = node_settings if kind == "node" else client_settings
    settings = read(options.home, options.config, flags=flags)
    return settings.log_level, settings.log_format


def _end(failed: CommandFailed, error: BaseException, *, as_json: bool) -> int:
    if failed.exit_code is Exit.INTERNAL:
        logger.debug("the command failed by a bug", exc_info=error)
    note(f"usernym: {printable_text(failed.text)}")
    if as_json:
        say_json({"error": failed.kind, "text": failed.text, "exit": int(failed.exit_code), **failed.extra})
    return int(failed.exit_code)
