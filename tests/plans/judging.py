"""What a statement reads of a table that grows, as its database plans it, and as it was when it ran."""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from .recording import Recording

_NAMED = re.compile(
    r'\b(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(?!ON\b|WHERE\b|SET\b)(\w+)"?)?', re.IGNORECASE
)
# The planner goes through a table of a thousand rows where it would not through one of a million
_SEEM_LARGE = """
SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', relname::text, 'relpages', relpages,
    'reltuples', (reltuples * 100)::real)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') AND reltuples > 0
"""
_ANALYZE = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON)"


_PLANNED_FOR_VALUES = 5  # times


@dataclass(slots=True)
class Found:
    """What was found about the statements of one shape. `scans` are the tables it goes through from end to
    end, each with the database's words; `work` is how much it did at most: steps of SQLite's machine, or rows
    that PostgreSQL read of one table.
    """

    scans: dict[str, str] = field(default_factory=dict)
    work: int = 0
    most: str = ""


def on_sqlite(path: Path, recording: Recording, growing: set[str]) -> dict[str, Found]:
    """Return what SQLite does for each statement, without statistics, as in a program's database."""
    found = defaultdict[str, Found](Found)
    with closing(sqlite3.connect(path)) as database:
        partial = {
            row[0]
            for row in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
            )
        }
        for shape, statement in recording.statements.items():
            own = found[shape]
            own.work = statement.steps
            for sql, _ in statement.examples:
                tables = {alias or table: table for table, alias in _NAMED.findall(sql)}
                tables |= {table: table for table in tables.values()}
                for row in database.execute(f"EXPLAIN QUERY PLAN {sql}"):
                    verb, _, rest = row[3].partition(" ")
                    table = tables.get(rest.split()[0], "") if rest else ""
                    if verb == "SCAN" and table in growing and rest.split()[-1] not in partial:
                        own.scans[table] = row[3]
    return dict(found)


async def on_postgres(url: str, recording: Recording, growing: set[str]) -> dict[str, Found]:
    """Return what PostgreSQL does for each statement: planned with its values, and as after five times, when
    a connection plans for any values. Each is executed, and rolled back.
    """
    found = defaultdict[str, Found](Found)
    database = await asyncpg.connect(url, statement_cache_size=0)
    try:
        await database.execute(_SEEM_LARGE)
        whole, partial = dict[str, str](), set[str]()
        for row in await database.fetch("SELECT tablename, indexname, indexdef FROM pg_indexes"):
            whole[row["indexname"]] = row["tablename"]
            if " WHERE " in row["indexdef"]:
                partial.add(row["indexname"])
        for shape, statement in recording.statements.items():
            for sql, values in statement.examples:
                for plan in await _plans(database, sql, values):
                    _judge(plan, found[shape], growing, whole, partial)
    finally:
        await database.close()
    return dict(found)


async def _plans(database: Any, sql: str, values: tuple[str, ...]) -> list[Any]:
    """Return the plans of a connection's first time with a statement, and of a later one: PostgreSQL plans
    for the values five times, then for any values where it takes that for no worse.
    """
    plans = []
    await database.execute(f"PREPARE it AS {sql}")
    try:
        execute = f"EXECUTE it({', '.join(values)})" if values else "EXECUTE it"
        for earlier in (0, _PLANNED_FOR_VALUES):
            for _ in range(earlier):
                await database.execute(f"EXPLAIN {execute}")
            plans.append(await _explained(database, execute))
    finally:
        await database.execute("DEALLOCATE it")
    return plans


async def _explained(database: Any, execute: str) -> Any:
    for explain in (_ANALYZE, "EXPLAIN (FORMAT JSON)"):
        transaction = database.transaction()
        await transaction.start()
        try:
            return json.loads(await database.fetchval(f"{explain} {execute}"))[0]["Plan"]
        except asyncpg.IntegrityConstraintViolationError:  # the row is there by now: only look
            continue
        finally:
            await transaction.rollback()
    raise AssertionError(execute)


def _judge(plan: Any, found: Found, growing: set[str], indexes: Mapping[str, str], partial: set[str]) -> None:
    read = defaultdict[str, int](int)
    for node, is_limited in _nodes(plan, is_limited=False):
        table = node.get("Relation Name") or indexes.get(node.get("Index Name", ""), "")
        kind = node["Node Type"]
        if table not in growing or kind in ("ModifyTable",):
            continue
        loops = node.get("Actual Loops", 0)
        rows = node.get("Actual Rows", 0) + sum(
            node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck")
        )
        if kind != "Bitmap Index Scan":  # the rows it finds are read by what is above it
            read[table] += round(rows * loops)
        is_bound = "Index Cond" in node or kind == "Bitmap Heap Scan" or node.get("Index Name") in partial
        if not is_bound and not (is_limited and "Filter" not in node):
            found.scans[table] = f"{kind} {node.get('Index Name', '')} {node.get('Filter', '')}"
    for table, rows in read.items():
        if rows > found.work:
            found.work, found.most = rows, table


def _nodes(node: Any, *, is_limited: bool) -> Iterator[tuple[Any, bool]]:
    """Yield the plan's nodes; what is limited gives no more rows than are asked for."""
    yield node, is_limited
    passes_on = node["Node Type"] in ("Limit", "LockRows", "Result", "Subquery Scan")
    limited = node["Node Type"] == "Limit" or (is_limited and passes_on)
    for child in node.get("Plans", []):
        yield from _nodes(child, is_limited=limited)
