"""The migrations lead to the models' own schema, on both databases, however they are run."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from tortoise import Tortoise

from models.database import connection, open_database
from tests.support.databases import PostgresCopies

OF_MIGRATIONS = "tortoise_migrations"


async def test_on_sqlite_the_migrated_schema_is_that_of_the_models(sqlite_url: str, tmp_path: Path) -> None:
    migrated, generated = Path(sqlite_url.removeprefix("sqlite://")), tmp_path / "generated.sqlite3"

    await _generate(f"sqlite://{generated}")

    assert _sqlite_schema(migrated) == _sqlite_schema(generated)


async def test_on_postgres_the_migrated_schema_is_that_of_the_models(
    postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    migrated, generated = postgres_copies.new(tmp_path), postgres_copies.new_empty()

    await _generate(generated)

    assert await _postgres_schema(migrated) == await _postgres_schema(generated)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_several_processes_may_migrate_at_once(
    kind: str, tmp_path: Path, postgres_copies: PostgresCopies
) -> None:
    url = f"sqlite://{tmp_path / 'shared.sqlite3'}" if kind == "sqlite" else postgres_copies.new_empty()
    script = f"import asyncio; from models.database import migrate; asyncio.run(migrate({url!r}))"

    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(3)]
    codes = [await process.wait() for process in processes]

    assert codes == [0, 0, 0]


async def test_an_accepted_event_is_on_the_disk(sqlite: str) -> None:
    rows = await connection().execute_query_dict("PRAGMA synchronous")
    mode = await connection().execute_query_dict("PRAGMA journal_mode")

    assert rows[0]["synchronous"] == 2  # FULL
    assert mode[0]["journal_mode"] == "wal"


async def test_on_postgres_a_commit_waits_for_the_disk(
    postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    async with open_database(postgres_copies.new(tmp_path)):
        rows = await connection().execute_query_dict("SHOW synchronous_commit")

    assert rows[0]["synchronous_commit"] == "on"


async def _generate(url: str) -> None:
    async with open_database(url):
        await Tortoise.generate_schemas()


def _sqlite_schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return each table's columns, foreign keys and indexes; a column that was added later stands last."""
    with closing(sqlite3.connect(path)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: _described(database, name)
            for name in names
            if name not in (OF_MIGRATIONS, "sqlite_sequence")
        }


def _described(database: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    columns = [row[1:] for row in database.execute(f"PRAGMA table_info({table})")]
    keys = [row[2:] for row in database.execute(f"PRAGMA foreign_key_list({table})")]
    indexes = [
        (*row[2:], tuple(part[2] for part in database.execute(f"PRAGMA index_info({row[1]})")))
        for row in database.execute(f"PRAGMA index_list({table})")
    ]
    return sorted([*columns, *keys, *indexes], key=repr)


async def _postgres_schema(url: str) -> list[tuple[object, ...]]:
    database = await asyncpg.connect(url)
    try:
        columns = await database.fetch(
            "SELECT table_name, column_name, data_type, is_nullable, column_default, "
            "character_maximum_length FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        indexes = await database.fetch(
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        )
        checks = await database.fetch(
            "SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace"
        )
    finally:
        await database.close()
    rows = [tuple(row) for row in (*columns, *sorted(indexes), *sorted(checks))]
    return [row for row in rows if row[0] != OF_MIGRATIONS]
