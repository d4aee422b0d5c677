"""The command line's grammar, and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from usernym._version import __version__
from usernym.cli import chat as cli_chat
from usernym.cli import client as cli_client
from usernym.cli import handshake as cli_handshake
from usernym.cli import history as cli_history
from usernym.cli import identity as cli_identity
from usernym.cli import keeping as cli_keeping
from usernym.cli import links as cli_links
from usernym.cli import listen as cli_listen
from usernym.cli import node as cli_node
from usernym.cli import node_store as cli_node_store
from usernym.cli import requests as cli_requests
from usernym.cli import simulate as cli_simulate
from usernym.cli.failures import MEANINGS
from usernym.cli.session import Options
from usernym.settings import LOG_FORMATS, LOG_LEVELS, WORK_BITS_RANGE, duration

Run = Callable[[Options, argparse.Namespace], None]

_EPILOG: Final = (
    "settings: <home>/usernym.toml, then USERNYM_… variables, then options; the passphrase comes from\n"
    "USERNYM_PASSPHRASE or is asked for on a terminal.\n\nexit codes: "
    + "; ".join(f"{int(code)} {meaning}" for code, meaning in MEANINGS.items())
)


def seconds(text: str) -> float:
    """A duration from the command line."""
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def probability(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError("expected a probability, from 0 to 1")
    return value


def count(text: str) -> int:
    """How many texts to show: 1 to 1,000, which is what fits a terminal and the control socket's patience."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("expected a number from 1 to 1000")
    return int(text)


def _common() -> argparse.ArgumentParser:
    """Options that every command takes, before its name or after it."""
    # Without defaults of their own, so that those given before a command's name survive the command's own parsing.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    common.add_argument("--home", type=Path, metavar="DIR", help="the folder with keys and data; one process holds it")
    common.add_argument("--config", type=Path, metavar="FILE", help="settings; default: usernym.toml in the home")
    common.add_argument("--timeout", type=seconds, metavar="TIME", help="how long to wait, e.g. 10s or 2m; default 60s")
    common.add_argument("--json", action="store_true", help="print JSON, one object a line")
    common.add_argument("--log-level", choices=LOG_LEVELS, help="how much is logged to the standard error")
    common.add_argument("--log-format", choices=LOG_FORMATS, help="text (default), or json: an object a line")
    return common


class Grammar:
    """Builds the parser. Each command sets `run`, and `kind`: whose home it works on."""

    def __init__(self) -> None:
        self._common = _common()
        self._client = argparse.ArgumentParser(
            add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False, parents=[self._common]
        )
        self._client.add_argument("--mixnet", metavar="URL", help="this client's nym-client, as ws://127.0.0.1:1978")
        self._client.add_argument("--node", metavar="CARD", help="the node's card: its text, a file, or - to read it")
        self._client.add_argument(
            "--no-passphrase", action="store_true", help="choose to keep a new home without a passphrase"
        )
        self._client.add_argument(
            "--accept-strangers",
            action=argparse.BooleanOptionalAction,
            help="whether a stranger's first message makes them a contact at once (default), or waits as a request",
        )

    def build(self) -> argparse.ArgumentParser:
        """The whole command line."""
        parser = argparse.ArgumentParser(
            prog="usernym",
            description="Find people by username on the Nym mixnet, and write to them.",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[self._common],
            allow_abbrev=False,
        )
        parser.add_argument("--version", action="version", version=f"usernym {__version__}")
        commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        self._users(commands)
        self._operators(commands)
        return parser

    def _add(
        self, commands: Any, name: str, run: Run, text: str, parent: argparse.ArgumentParser, kind: str
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, parents=[parent], allow_abbrev=False
        )
        parser.set_defaults(run=run, kind=kind)
        return parser

    def _users(self, commands: Any) -> None:
        def add(name: str, run: Run, text: str) -> argparse.ArgumentParser:
            return self._add(commands, name, run, text, self._client, "client")

        register = add("register", cli_client.register, "register a name; a new home gets its keys and recovery words")
        register.add_argument("name", metavar="NAME")
        add("login", cli_client.login, "check that the account works; with --node, take the node's newer card")
        restore = add("restore", cli_identity.restore, "bring a name back in a new home, by its recovery words")
        restore.add_argument("name", metavar="NAME")
        restore.add_argument(
            "--replace", action="store_true", help="with a new identity, since the old one's key may have been stolen"
        )
        text = "make a new identity by the recovery words, after a theft of this home's keys"
        add("replace-identity", cli_identity.replace_identity, text)
        delete = add("delete-account", cli_identity.delete_account, "delete the account; its name is held for you")
        delete.add_argument("--yes", action="store_true", help="do not ask")
        text = "change the passphrase of this home (USERNYM_NEW_PASSPHRASE, or asked for); --no-passphrase: to none"
        add("passphrase", cli_keeping.passphrase, text)
        text = "back contacts and messages up, encrypted (USERNYM_BACKUP_PASSPHRASE, or asked for); without any key"
        add("export", cli_keeping.export, text).add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
        text = "add the contacts and messages of a backup to this home"
        add("import", cli_keeping.import_, text).add_argument("folder", type=Path, metavar="FOLDER", help="the backup")
        add("whoami", cli_client.whoami, "show who this home belongs to")
        link = add("link", cli_links.link, "print the link with which friends verify you; give it to them yourself")
        link.add_argument("--qr", action="store_true", help="draw it, too")
        text = "ask a node (--node, --mixnet) whether a name is free, and can be had at all"
        add("check-name", cli_links.check_name, text).add_argument("name", metavar="NAME")
        lookup = add("lookup", cli_client.lookup, "look a name up at the node; a friend's link verifies them")
        lookup.add_argument("name", metavar="NAME|LINK")
        verify = add("verify", cli_client.verify, "compare safety numbers with a contact")
        verify.add_argument("name", metavar="NAME")
        without = verify.add_mutually_exclusive_group()
        text = "the safety number that they see, or what a scanner read off their screen, instead of a question"
        without.add_argument("--number", metavar="DIGITS", help=text)
        without.add_argument("--qr", action="store_true", help="only draw the safety number, for them to scan")
        without.add_argument("--undo", action="store_true", help="take it back")
        without.add_argument(
            "--seen", action="store_true", help="their identity has changed, and you go on without comparing"
        )
        send = add("send", cli_client.send, "send a text")
        send.add_argument("name", metavar="NAME")
        send.add_argument("text", metavar="TEXT", help="the text, or - to read it from the standard input")
        send.add_argument(
            "--wait",
            choices=("queued", "accepted", "delivered"),
            default="accepted",
            help="until it is on disk here, accepted by the node (default), or delivered to its recipient",
        )
        listen = add("listen", cli_listen.listen, "show messages and events as they come")
        listen.add_argument(
            "--for", dest="duration", type=seconds, metavar="TIME", help="end after this time, e.g. 10s"
        )
        self._chat(add("chat", cli_chat.chat, "serve the chat page to this machine's browser, until it is stopped"))
        self._handshake(add("handshake", cli_handshake.handshake, "talk directly to a contact: reveals your address"))
        add("contacts", cli_client.contacts, "list the contacts")
        self._history(add)
        requests = add("requests", cli_requests.requests, "list the strangers who wrote and wait for your word")
        requests.add_argument("--declined", action="store_true", help="those whom you declined, instead")
        for decision, text in (
            ("accept", "accept somebody's request; undoes `decline` and `block`"),
            ("decline", "decline somebody's request: nothing is shown, and they are not told"),
            ("block", "keep nothing of what somebody sends; they are not told"),
        ):
            decide = add(decision, cli_requests.decide, text)
            decide.set_defaults(decision=decision)
            decide.add_argument("name", metavar="NAME")

    @staticmethod
    def _chat(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--port",
            type=int,
            choices=range(65536),
            default=0,
            metavar="PORT",
            help="of 127.0.0.1; default: any free one",
        )
        parser.add_argument(
            "--browser", action=argparse.BooleanOptionalAction, default=True, help="open the page in the browser"
        )
        parser.add_argument(
            "--emulated", action="store_true", help="say on the page that its mixnet is an emulated one"
        )

    @staticmethod
    def _history(add: Callable[[str, Run, str], argparse.ArgumentParser]) -> None:
        history = add("history", cli_history.history, "show a conversation, the newest page of it")
        history.add_argument("name", metavar="NAME")
        history.add_argument("--before", type=int, metavar="ROW", help="the page before this text")
        search = add("search", cli_history.search, "find texts, the newest first")
        search.add_argument("text", metavar="TEXT")
        search.add_argument("--with", dest="name", metavar="NAME", help="with this contact only")
        for parser in (history, search):
            parser.add_argument("--limit", type=count, default=50, metavar="N", help="at most so many; default 50")
        for again, run, text in (
            ("retry", cli_history.retry, "send a text of yours now that waits, or once more if it failed"),
            ("cancel", cli_history.cancel, "give a text of yours up that still waits here"),
        ):
            parser = add(again, run, text)
            parser.add_argument("name", metavar="NAME")
            parser.add_argument("id", metavar="ID", help="the text's id as `history` shows it, or all of it")
        disappear = add(
            "disappear",
            cli_history.disappear,
            "erase texts with a contact after a time, in this home only: they keep their copies, and are not told",
        )
        disappear.add_argument("name", metavar="NAME")
        disappear.add_argument("time", metavar="TIME", help="such as 1h or 7d, a minute to a year; or: off")
        erase = add("erase", cli_history.erase, "erase all texts with a contact, or one, in this home only")
        erase.add_argument("name", metavar="NAME")
        erase.add_argument("--text", metavar="ID", help="this one: 8 digits of its id at least (history --json has it)")
        erase.add_argument("--yes", action="store_true", help="do not ask")

    @staticmethod
    def _handshake(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        steps = parser.add_mutually_exclusive_group()
        for step, text in (
            ("accept", "take their offer, and reveal your address to them"),
            ("revoke", "end it, or decline their offer"),
            ("status", "only show where it stands"),
        ):
            steps.add_argument(f"--{step}", dest="step", action="store_const", const=step, help=text)
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument(
            "--direct-only",
            dest="direct_only",
            action="store_const",
            const=True,
            help="let messages wait while the direct way is silent",
        )
        ways.add_argument(
            "--fall-back",
            dest="direct_only",
            action="store_const",
            const=False,
            help="send them through the node meanwhile (default)",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before the address is revealed")

    def _operators(self, commands: Any) -> None:
        node = commands.add_parser("node", help="run a discovery node", allow_abbrev=False, parents=[self._common])
        parts = node.add_subparsers(title="commands", metavar="COMMAND", required=True)
        run = self._add(parts, "run", cli_node.node_run, "run a node until it is stopped", self._common, "node")
        run.add_argument("--mixnet", metavar="URL", help="the node's nym-client, as ws://127.0.0.1:1977; remembered")
        run.add_argument(
            "--former-mixnet",
            dest="former_mixnets",
            action="append",
            metavar="URL",
            help="a nym-client of before a move: clients that still write to its address are told the new one",
        )
        low, high = WORK_BITS_RANGE
        run.add_argument("--work-bits", metavar="BITS", help=f"proof of work for a registration, {low} to {high}")
        run.add_argument(
            "--metrics-port", metavar="PORT", help="serve Prometheus on this port of 127.0.0.1; default: no"
        )
        self._add(parts, "card", cli_node.node_card, "print the running node's card", self._common, "node")
        self._add(parts, "status", cli_node.node_status, "show the running node's counters", self._common, "node")
        self._stores(parts)
        text = "run an emulated mixnet for trying and testing: it gives no anonymity"
        self._emulator(self._add(commands, "mixnet", cli_node.mixnet, text, self._common, "none"))
        text = "play the whole story on this machine: mixnet, node, Alice and Bob"
        show = self._add(commands, "demo", _demo, text, self._common, "none")
        show.add_argument("--chat", action="store_true", help="instead: two people's chat pages to play with")
        show.add_argument(
            "--browser", action=argparse.BooleanOptionalAction, default=True, help="with --chat: open both pages"
        )
        text = "let users, node and mixnet go through disasters in a simulation, and judge what they were shown"
        cli_simulate.add_options(self._add(commands, "simulate", cli_simulate.simulate, text, self._common, "none"))

    def _stores(self, parts: Any) -> None:
        text = "copy the node's store, while it runs or not; encrypted under a passphrase, or with --no-passphrase not"
        save = self._add(parts, "backup", cli_node_store.node_backup, text, self._common, "node")
        save.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder for it")
        save.add_argument("--no-passphrase", action="store_true", help="choose not to encrypt it")
        text = "make a node from a backup, in a home that has none"
        restore = self._add(parts, "restore", cli_node_store.node_restore, text, self._common, "node")
        restore.add_argument("folder", type=Path, metavar="FOLDER", help="the backup")
        text = "check the node's store, or a backup, for damage"
        check = self._add(parts, "check", cli_node_store.node_check, text, self._common, "node")
        check.add_argument("folder", type=Path, metavar="FOLDER", nargs="?", help="a backup; default: the home's store")

    @staticmethod
    def _emulator(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--first-port", type=int, default=1977, metavar="PORT", help="default 1977; 0: any free ones"
        )
        parser.add_argument("--clients", type=int, default=3, metavar="N", help="emulated nym-clients; default 3")
        parser.add_argument("--control-port", type=int, metavar="PORT", help="default: the one below the first")
        parser.add_argument("--seed", type=int, metavar="N", help="repeat a run's addresses, delays and faults")
        parser.add_argument("--loss", type=probability, default=0.0, metavar="P", help="lost packets")
        parser.add_argument("--silent-loss", type=probability, default=0.0, metavar="P", help="messages lost for good")
        parser.add_argument(
            "--duplication", type=probability, default=0.0, metavar="P", help="messages that come twice"
        )
        parser.add_argument("--hop-delay", type=float, default=0.015, metavar="SECONDS", help="mean delay of each hop")
        parser.add_argument("--surb-minimum", type=int, default=0, metavar="N", help="reply blocks kept back")


def _demo(options: Options, arguments: argparse.Namespace) -> None:
    if arguments.chat:
        from usernym.demo.pages import demo_chat  # noqa: PLC0415 - only this command needs it

        demo_chat(as_json=options.json, browser=arguments.browser)
        return
    from usernym.demo.story import demo  # noqa: PLC0415 - as above

    demo(options.json)
