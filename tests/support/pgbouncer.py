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

_PASSWORD = "#/?[]@% :&+=é"
_CONFIGURATION = """
[databases]
* = host={server} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
log_connections = 0
log_disconnections = 0
"""


@asynccontextmanager
async def a_pgbouncer(
    server: str, folder: Path, *, pool_size: int = 2
) -> AsyncIterator[Callable[[str], str]]:
    """Run one that shares a few connections, to the server with this socket's folder.

    Gives what turns the URL of a database of the server's into one that goes through here.
    """
    port = free_port()
    process = await asyncio.create_subprocess_exec(*_command(server, folder, port, pool_size))

    def through(url: str) -> str:
        return f"postgresql://postgres:{quote(_PASSWORD, safe='')}@127.0.0.1:{port}{urlsplit(url).path}"

    async def takes_connections() -> bool:
        if process.returncode is not None:
            pytest.fail(f"pgbouncer ended with {process.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    try:
        await comes_true(takes_connections, "pgbouncer to take connections")
        yield through
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(server: str, folder: Path, port: int, pool_size: int) -> list[str]:
    users, file = folder / "users", folder / "pgbouncer.ini"
    users.write_text(f'"postgres" "{_PASSWORD}"\n')
    file.write_text(_CONFIGURATION.format(server=server, port=port, users=users, pool_size=pool_size))
    # It refuses to be root, and reads its files before it becomes somebody else
    somebody = ["--user", Path(server).owner()] if os.geteuid() == 0 else []
    return [executable_of("pgbouncer"), "--quiet", *somebody, str(file)]
