"""The real PgBouncer in front of a PostgreSQL server."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.support.daemon import free_port
from tests.support.executables import executable_of
from tests.support.waiting import comes_true

_USER = "postgres"
_PASSWORD = "#/?[]@% :&+=é"
_CONFIGURATION = """
[databases]
* = host={server} port={server_port}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
server_login_retry = {retry:g}
log_connections = 0
log_disconnections = 0
"""


class PgBouncer:
    """One that shares a few connections to a server, in transaction mode; it may be killed and started again.

    `server` is a socket's folder, whose owner it becomes where no `user` is named, or an address. It asks a
    server that was away again after `retry` seconds.
    """

    def __init__(
        self,
        server: str,
        folder: Path,
        *,
        server_port: int = 5432,
        host: str = "127.0.0.1",
        user: str | None = None,
        pool_size: int = 2,
        retry: float = 15,
    ) -> None:
        self._host, self._port = host, free_port()
        self._process: asyncio.subprocess.Process | None = None
        user = user or (Path(server).owner() if server.startswith("/") else None)
        users, file = folder / "users", folder / "pgbouncer.ini"
        users.write_text(f'"{_USER}" "{_PASSWORD}"\n')
        file.write_text(
            _CONFIGURATION.format(
                server=server,
                server_port=server_port,
                host=host,
                port=self._port,
                users=users,
                pool_size=pool_size,
                retry=retry,
            )
        )
        # It refuses to be root, and reads its files before it becomes somebody else
        somebody = ["--user", user] if user and os.geteuid() == 0 else []
        self._command = [executable_of("pgbouncer"), "--quiet", *somebody, str(file)]

    def through(self, url: str) -> str:
        """Return the URL of a database of the server's as one that goes through here."""
        place = f"{_USER}:{quote(_PASSWORD, safe='')}@{self._host}:{self._port}"
        return f"postgresql://{place}{urlsplit(url).path}"

    async def start(self) -> None:
        """Run it, and return once it takes connections."""
        self._process = await asyncio.create_subprocess_exec(*self._command)
        await comes_true(self._takes_connections, "pgbouncer to take connections")

    async def kill(self) -> None:
        """End it without a warning, if it runs."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _takes_connections(self) -> bool:
        assert self._process
        if self._process.returncode is not None:
            pytest.fail(f"pgbouncer ended with {self._process.returncode}")
        try:
            _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@asynccontextmanager
async def a_pgbouncer(
    server: str, folder: Path, *, pool_size: int = 2
) -> AsyncIterator[Callable[[str], str]]:
    """Run one in front of the server with this socket's folder.

    Gives what turns the URL of a database of the server's into one that goes through here.
    """
    pooler = PgBouncer(server, folder, pool_size=pool_size)
    try:
        await pooler.start()
        yield pooler.through
    finally:
        await pooler.kill()
