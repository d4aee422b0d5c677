"""A thread's connection to PostgreSQL, and how a statement gets there and its rows come back.

psycopg's cursors do this too, for three times the processor time: a node's workers run a dozen statements for a message
that comes alone. So the statements go to libpq directly (`psycopg.pq`); what values and rows look like there stays
psycopg's matter.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result

from usernym.storage.engine import Connection, Done, Parameters

PREPARED_MAX: Final = 200
"""Statements that a connection has prepared, each with the types of its values: then it forgets all. There are some
fifty; those with lists come in several lengths."""

_MARK: Final = re.compile(r"\?(\d*)|(?<![:\w]):([a-z_]\w*)")
_OUTSIDE: Final = (pq.TransactionStatus.IDLE, pq.TransactionStatus.UNKNOWN)
"""UNKNOWN: the connection is lost."""


@lru_cache(maxsize=512)
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2`… for its marks; and the names that they stand for, if they have names."""
    names: list[str] = []
    last = 0

    def number(mark: re.Match[str]) -> str:
        nonlocal last
        given, name = mark.groups()
        if name:
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        last = int(given) if given else last + 1
        return f"${last}"

    return _MARK.sub(number, sql), tuple(names)


class PostgresConnection(Connection):
    """`raw` is psycopg's connection, in autocommit."""

    __slots__ = ("_libpq", "_names", "_prepared", "_values")

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        super().__init__(raw)
        self._libpq = raw.pgconn
        self._values = Transformer(raw)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        """Names of prepared statements, by statement and types; no name for one that was run once."""
        self._names = count()

    def _in_transaction(self) -> bool:
        return self._libpq.transaction_status not in _OUTSIDE

    def _execute(self, sql: str, params: Parameters) -> Done:
        """Raises `psycopg.Error`s."""
        statement, names = numbered(sql)
        text = statement.encode()
        given: Any = [params[name] for name in names] if names else params  # type: ignore[call-overload]
        values = self._values
        bound: Any = values.dump_sequence(given, [PyFormat.AUTO] * len(given))
        name = self._name_of(text, values.types or ())
        if name:
            result = self._libpq.exec_prepared(name, bound, values.formats, pq.Format.BINARY)
        else:
            result = self._libpq.exec_params(text, bound, values.types, values.formats, pq.Format.BINARY)
        self._check(result)
        rows: list[tuple[Any, ...]] = []
        if result.status == pq.ExecStatus.TUPLES_OK:
            values.set_pgresult(result)
            rows = values.load_rows(0, result.ntuples, tuple)
        return rows, result.command_tuples or 0

    def _name_of(self, text: bytes, types: tuple[int, ...]) -> bytes:
        """By which the statement is prepared: from its second time on."""
        if len(self._prepared) > PREPARED_MAX and self._libpq.transaction_status == pq.TransactionStatus.IDLE:
            self._check(self._libpq.exec_(b"DEALLOCATE ALL"))
            self._prepared.clear()
        name = self._prepared.get((text, types))
        if name is None:
            name = b""
        elif not name:
            name = b"s%d" % next(self._names)
            self._check(self._libpq.prepare(name, text, types))
        self._prepared[text, types] = name
        return name

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            return
        if result.error_field(pq.DiagnosticField.SQLSTATE) is None:
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)
