"""Tables from one definition: a peewee model gives a table's SQL, its columns, and how its values are stored.

`Table` pairs a model with the frozen dataclass that its rows become. A new column is defined in the model; the
dataclass names it if it is read. The hot paths run plain SQL that `Table` writes: peewee takes ten times as long to
write a statement as SQLite takes to run it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import peewee

from usernym.storage.engine import DIALECT, Engine, Parameters
from usernym.storage.migrations import Schema
from usernym.storage.words import StoredWord

R = TypeVar("R")


class Row(peewee.Model):
    """A row of a table, which is named after the class: `HpkeKeyRow` is of `hpke_key`."""

    class Meta:  # noqa: D106 - where peewee looks for it
        table_function = staticmethod(lambda model: re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__[:-3]).lower())


class WordField(peewee.IntegerField):
    """A column that holds the number of a `StoredWord`."""

    def __init__(self, words: type[StoredWord], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def db_value(self, value: StoredWord | int) -> int:
        return value.number if isinstance(value, StoredWord) else value

    def python_value(self, value: int) -> StoredWord:
        return self.words.of_number(value)


def length(column: str, size: int) -> Any:
    """A rule for a column: its blob has `size` bytes."""
    return peewee.Check(f"length({column}) = {size}")


ONLY_ROW: Final = peewee.Check("id = 1")
"""A rule for the key of a table that has one row."""

NEVER_AGAIN: Final = peewee.SQL("AUTOINCREMENT")
"""A rule for a key that counts up: a number never comes back for another row."""


def part_of(table: str) -> peewee.SQL:
    """A rule for a column: it is a name in this table, and its row goes when that one goes."""
    return peewee.SQL(f"REFERENCES {table} (name) ON DELETE CASCADE")


def table_name(model: type[peewee.Model]) -> str:
    """The name of a model's table."""
    return str(model._meta.table_name)  # noqa: SLF001 - peewee's documented place for it


def columns_of(model: type[peewee.Model]) -> tuple[str, ...]:
    """The columns of a model's table, in their order."""
    return tuple(model._meta.columns)  # noqa: SLF001 - peewee's documented place for them


def keys_of(model: type[peewee.Model]) -> tuple[str, ...]:
    """The columns of a model's primary key, in their order."""
    key: Any = model._meta.primary_key  # noqa: SLF001 - see `columns_of`
    return tuple(key.field_names) if isinstance(key, peewee.CompositeKey) else (key.column_name,)


def counted_key_of(model: type[peewee.Model]) -> str | None:
    """The column of a model's table that counts up, and whose numbers never come back; None if there is none."""
    key: Any = model._meta.primary_key  # noqa: SLF001 - see `columns_of`
    rules = getattr(key, "constraints", None) or ()
    return key.column_name if any(rule is NEVER_AGAIN for rule in rules) else None


def creation_of(base: type[Row], dialect: peewee.Database) -> tuple[str, ...]:
    """SQL that makes the tables, which are the subclasses of `base`."""
    statements: list[str] = []
    for model in base.__subclasses__():
        manager: Any = peewee.SchemaManager(model, dialect)
        made = [manager._create_table(safe=False), *manager._create_indexes(safe=False)]  # noqa: SLF001 - without running it
        # peewee names indices after the class; here they are named after the table.
        named = f'INDEX "{model.__name__.lower()}_', f'INDEX "{table_name(model)}_'
        statements += [each.query()[0].replace(*named) for each in made]
    return tuple(statements)


def schema_of(mark: bytes, base: type[Row], *more: str) -> Schema:
    """The schema whose tables are the subclasses of `base`; `more` is SQL for a new file. The mark has four bytes."""
    tables = tuple(table_name(model) for model in base.__subclasses__())
    return Schema(int.from_bytes(mark, "big"), tables, creation_of(base, DIALECT), filling=more)


class Table(Generic[R]):
    """A model's table, read as values of the dataclass `kind`, whose fields are columns by name."""

    def __init__(self, model: type[peewee.Model], kind: type[R]) -> None:
        self.name = table_name(model)
        self.names = tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]  # a dataclass
        fields = [model._meta.columns[name] for name in self.names]  # noqa: SLF001 - see `columns_of`
        self._kind: Callable[..., R] = kind
        self._converted: Final = [
            (place, field.python_value)
            for place, field in enumerate(fields)
            if isinstance(field, WordField | peewee.BooleanField)
        ]
        self.columns = ", ".join(f"{self.name}.{name}" for name in self.names)

    def select(self, rest: str) -> str:
        """SQL for rows: `rest` is what follows the table's name."""
        return f"SELECT {self.columns} FROM {self.name} {rest}"  # noqa: S608 - constants

    def first(self, database: Engine, sql: str, params: Parameters = ()) -> R | None:
        """The first row that the statement gives, as a value."""
        row = database.row(sql, params)
        return None if row is None else self.of_row(row)

    def all(self, database: Engine, sql: str, params: Parameters = ()) -> list[R]:
        """All rows that the statement gives, as values."""
        return [self.of_row(row) for row in database.rows(sql, params)]

    def of_row(self, row: Sequence[Any]) -> R:
        """The value of a row of `columns`."""
        if not self._converted:
            return self._kind(*row)
        values = list(row)
        for place, convert in self._converted:
            values[place] = convert(values[place])
        return self._kind(*values)


def stored(value: Any) -> Any:
    """A value as it stands in a column."""
    return value.number if isinstance(value, StoredWord) else value


def defaults_of(model: type[peewee.Model]) -> dict[str, Any]:
    """All columns of a model's table, with their values in a row that names no others."""
    fields = model._meta.columns  # noqa: SLF001 - see `columns_of`
    return {name: stored(field.default) for name, field in fields.items()}


def update_one(database: Engine, model: type[peewee.Model], key: Any, columns: Mapping[str, Any]) -> bool:
    """Set these columns of the row with this key, which is one column; False if there is none."""
    (key_name,) = keys_of(model)
    chosen = ", ".join(f"{name} = ?" for name in columns)
    sql = f"UPDATE {table_name(model)} SET {chosen} WHERE {key_name} = ?"  # noqa: S608 - constants
    return database.run(sql, (*map(stored, columns.values()), key)) > 0


def insertion(model: type[peewee.Model], columns: Sequence[str] | None = None) -> str:
    """SQL that adds a row of these columns, or of all: the values are bound by the columns' names."""
    names = columns_of(model) if columns is None else columns
    values = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table_name(model)} ({', '.join(names)}) VALUES ({values})"  # noqa: S608 - constants


def selection(model: type[peewee.Model], rest: str) -> str:
    """SQL for all columns of a table: `rest` is what follows the table's name."""
    return f"SELECT {', '.join(columns_of(model))} FROM {table_name(model)} {rest}"  # noqa: S608 - constants
