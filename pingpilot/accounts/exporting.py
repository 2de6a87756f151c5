"""Exporting an account: all that is stored of it, as one JSON document, a page at a time.

The database writes the text of the document: a page of events with all their deliveries and attempts comes
as one value. Reading the rows, making objects of them and JSON of these took Python thirty times as long, and
the event loop with it. What an event's `fields` say goes in as it is stored, each number as it was sent.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import Field
from tortoise.models import Model

from models import (
    Account,
    ApiKey,
    Category,
    CategoryUsage,
    Delivery,
    DeliveryAttempt,
    Destination,
    Event,
    IdempotencyKey,
    LinkCode,
    MonthlyUsage,
    Session,
    SignInLink,
)
from models.database import aside
from models.ids import EVENT_PREFIX
from models.sql import is_postgres, query
from pingpilot.accounts.pieces import Pieces

SECTIONS: Mapping[str, type[Model]] = {
    "destinations": Destination,
    "keys": ApiKey,
    "categories": Category,
    "monthlyUsage": MonthlyUsage,
    "categoryUsage": CategoryUsage,
    "linkCodes": LinkCode,
    "idempotencyKeys": IdempotencyKey,
    "signInLinks": SignInLink,
    "sessions": Session,
}
"""What belongs to an account besides its events, which come last, and besides what only counts these."""
PAGE = 500
"""Rows read at once, at most."""
LONG = 512 * 1024
"""Characters of a page from which on the next ones have fewer rows: an event may have 64 KiB."""
SHARE = 0.30
"""Of the time, how much an export reads; the rest is everybody else's."""

# Hashes of keys and codes help nobody but a guesser, and a secret is shown once
_LEFT_OUT = {"account_id", "hash", "body_hash", "lane", "secret", "former_secret"}
_LISTS = {"channels", "categories"}  # see `models.names`
_RENAMED = {"fields_json": "fields", "fallback_for": "stands_in_for"}  # the latter as it was always exported
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes rows as JSON, in SQL. The databases differ in a text and an instant as JSON, and in joining."""

    text: str
    instant: str
    join: str

    def row(self, model: type[Model], more: Mapping[str, str] = _NOTHING) -> str:
        """Return a row as an object under the API's manner of names; `more` are further members, in SQL."""
        members = dict[str, str]()
        for name, column in model._meta.fields_db_projection.items():
            if name not in _LEFT_OUT:
                first, *rest = _RENAMED.get(name, name).split("_")
                value = self._value(name, f"{model._meta.db_table}.{column}", model._meta.fields_map[name])
                members[first + "".join(part.capitalize() for part in rest)] = f"coalesce({value}, 'null')"
        each = (f"""'"{name}": ' || {value}""" for name, value in {**members, **more}.items())
        return "'{' || " + " || ', ' || ".join(each) + " || '}'"

    def rows_of(self, parent: type[Model], model: type[Model], reference: str, row: str) -> str:
        """Return all rows that refer to one of the parent's, as a list."""
        table, its = model._meta.db_table, f"{parent._meta.db_table}.id"
        return (
            f"coalesce((SELECT '[' || {self.join}(text, ', ') || ']' FROM ("  # noqa: S608
            f"SELECT {row} AS text FROM {table} WHERE {table}.{reference} = {its} ORDER BY {table}.id"
            f") AS its_{table}), '[]')"
        )

    def page(self, model: type[Model], row: str, separator: str, column: str) -> str:
        """Return the query for an account's next rows in a column's order: all as one text, and the last."""
        table, key = model._meta.db_table, f"{model._meta.db_table}.{column}"
        if isinstance(model._meta.fields_map[column], fields.UUIDField):
            key = f"CAST({key} AS TEXT)"  # PostgreSQL knows no greatest UUID; of the texts it is the same
        return (
            f"SELECT {self.join}(text, '{separator}') AS text, max(key) AS last FROM ("  # noqa: S608
            f"SELECT {key} AS key, {row} AS text FROM {table} WHERE account_id = ? AND {column} > ? "
            f"ORDER BY {column} LIMIT ?) AS page"
        )

    def _value(self, name: str, column: str, field: Field[Any]) -> str:
        """Return a column as JSON; null, or the text of it, where the column is."""
        value = self.text.format(column)
        if name == "fields_json":
            value = column
        elif name in _LISTS:
            several = f"""'[' || replace({value}, ',', '", "') || ']'"""
            value = f"CASE WHEN {column} = '' THEN '[]' WHEN {column} > '' THEN {several} END"
        elif isinstance(field, fields.BooleanField):
            value = f"CASE WHEN {column} THEN 'true' WHEN NOT {column} THEN 'false' END"
        elif isinstance(field, fields.IntField):
            value = f"CAST({column} AS TEXT)"
        elif isinstance(field, fields.DatetimeField):
            value = self.instant.format(column)
        elif isinstance(field, fields.UUIDField):  # an event's, as all are
            value = f"""'"{EVENT_PREFIX}' || replace(CAST({column} AS TEXT), '-', '') || '"'"""
        return value


_ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_SQLITE = _Writer(
    text="json_quote({})",
    instant="""'"' || replace(replace({}, ' ', 'T'), '+00:00', 'Z') || '"'""",
    join="group_concat",
)
_POSTGRES = _Writer(
    text="CAST(to_json(CAST({} AS TEXT)) AS TEXT)",
    instant=f"""'"' || replace(to_char({{}} AT TIME ZONE 'UTC', '{_ISO}'), '.000000', '') || '"'""",
    join="string_agg",
)


async def export_account(account: Account) -> AsyncIterator[str]:
    """Yield the document piece by piece; an account may have more events than memory holds."""
    writer = _POSTGRES if is_postgres(aside()) else _SQLITE
    pieces = Pieces(share=SHARE, most=PAGE)
    of_account = f"SELECT {writer.row(Account)} AS text FROM accounts WHERE id = ?"  # noqa: S608
    [row] = await query(aside(), of_account, [account.id])
    yield '{"account": ' + row["text"]
    for name, model in SECTIONS.items():
        yield f',\n"{name}": ['
        # By what has an index: of a day's idempotency keys there may be as many as of its events
        column, first = ("key", "") if model is IdempotencyKey else ("id", 0)
        sql = writer.page(model, writer.row(model), ", ", column)
        async for text in _pages(sql, ", ", account, first, pieces):
            yield text
        yield "]"
    yield ',\n"events": [\n'
    attempts = writer.rows_of(Delivery, DeliveryAttempt, "delivery_id", writer.row(DeliveryAttempt))
    deliveries = writer.rows_of(Event, Delivery, "event_id", writer.row(Delivery, {"history": attempts}))
    sql = writer.page(Event, writer.row(Event, {"deliveries": deliveries}), ",\n", "id")
    async for text in _pages(sql, ",\n", account, UUID(int=0), pieces):
        yield text
    yield "\n]}\n"


async def _pages(
    sql: str, separator: str, account: Account, first: UUID | int | str, pieces: Pieces
) -> AsyncIterator[str]:
    """Yield what `_Writer.page` asks for, a piece at a time; `first` is below all of its column."""
    before, last = "", first
    while True:
        await pieces.rest()
        began, size = time.monotonic(), pieces.size
        [page] = await query(aside(), sql, [account.id, last, size])
        took, text = time.monotonic() - began, page["text"]
        if text is None:
            return
        pieces.done(took, most=size * LONG / len(text))
        yield before + text
        before, last = separator, type(last)(page["last"])
