"""What work yields, as PostgreSQL's statements; rows go in as arrays.

Table and columns come from our code, never from a user.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import count
from typing import Any, TypeAlias

from tortoise import Tortoise

from models.sql import numbered
from models.work import Ask, AskAll, Asked, Charge, Insert

_Kinds: TypeAlias = tuple[tuple[str, tuple[str, ...], str], ...]


def statement(asked: Asked | AskAll) -> list[Any]:
    """Return a statement and its values. Its text is the same for any number of rows: it stays prepared."""
    if isinstance(asked, Ask):
        return [numbered(asked.sql), *asked.values]
    if isinstance(asked, AskAll):
        values = [value for each in asked.asks for value in each.values]
        return [_together(tuple(each.sql for each in asked.asks)), *values]
    if isinstance(asked, Charge):
        counts = [list(column) for column in zip(*asked.counts, strict=True)]
        return [_charge(_kinds(asked.then)), asked.month, *counts, *_columns(asked.then)]
    inserts = (asked,) if isinstance(asked, Insert) else asked
    *first, last = _inserts(_kinds(inserts), 1)
    named = ", ".join(f"part{number} AS ({text})" for number, text in enumerate(first))
    return [f"WITH {named} {last}" if named else last, *_columns(inserts)]


@lru_cache
def _together(questions: Sequence[str]) -> str:
    """Return one statement for several questions, whose rows come as composite values with their place."""
    parts = [f"SELECT {place}, ROW(q.*) FROM ({sql}) q" for place, sql in enumerate(questions)]  # noqa: S608
    return numbered(" UNION ALL ".join(parts))


def _kinds(inserts: Sequence[Insert]) -> _Kinds:
    return tuple((each.table, each.columns, each.then) for each in inserts)


def _columns(inserts: Sequence[Insert]) -> list[list[Any]]:
    return [list(column) for each in inserts for column in zip(*each.rows, strict=True)]


@lru_cache
def _inserts(kinds: _Kinds, first: int, where: str = "") -> list[str]:
    """Return a text for each of several inserts, whose values begin with the one of that number.

    As parts of one statement, their foreign keys are looked at when all are done.
    """
    places, texts = count(first), []
    for table, columns, then in kinds:
        types = _column_types(table)
        arrays = ", ".join(f"${next(places)}::{types[name]}[]" for name in columns)
        names = ", ".join(columns)
        texts.append(
            f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) AS given({names}) {where} {then}"  # noqa: S608
        )
    return texts


@lru_cache
def _charge(kinds: _Kinds) -> str:
    """Return one statement that adds to counters, and inserts what is of accounts whose stood as expected.

    It waits for no counter that somebody else holds: that one is about to change. So two daemons never wait
    for each other, in whatever order each takes its accounts.
    """
    given = "unnest($2::BIGINT[], $3::BIGINT[], $4::BIGINT[]) AS given(account_id, expected, added)"
    # As an array: a join would put the rows in another order, and deliveries are numbered by theirs
    inserts = _inserts(kinds, 5, "WHERE account_id = ANY (ARRAY (SELECT account_id FROM charged))")
    parts = "".join(f", part{number} AS ({text})" for number, text in enumerate(inserts))
    return f"""
        WITH held AS (
            SELECT u.id, given.added FROM {given} JOIN monthly_usage u USING (account_id)
            WHERE u.month = $1 AND u.events = given.expected FOR NO KEY UPDATE OF u SKIP LOCKED
        ), added AS (
            UPDATE monthly_usage u SET events = u.events + held.added FROM held WHERE u.id = held.id
            RETURNING u.account_id
        ), begun AS (
            INSERT INTO monthly_usage (account_id, month, events)
            SELECT account_id, $1, added FROM {given} WHERE expected IS NULL
            ON CONFLICT (account_id, month) DO NOTHING RETURNING account_id
        ), charged AS (SELECT account_id FROM added UNION ALL SELECT account_id FROM begun){parts}
        SELECT account_id FROM charged
    """  # noqa: S608


@cache
def _column_types(table: str) -> dict[str, str]:
    """Return the types of a table's columns as our models have them; texts without their longest length,
    since a cast to that would cut them, and silently.
    """
    [model] = [each for each in Tortoise.describe_models().values() if each["table"] == table]
    found = {}
    for column in (model["pk_field"], *model["data_fields"]):
        types = column["db_field_types"]
        kind = types.get("postgres", types[""])
        found[column["db_column"]] = "TEXT" if "CHAR" in kind else kind
    return found
