"""The real program in processes of its own: the daemon, and the commands beside it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

import aiohttp

from models import Plan
from models.database import open_database
from pingpilot.accounts import accounts
from pingpilot.channels import direct_channels
from tests.support.fork_server import Forked, fork
from tests.support.metrics import Samples
from tests.support.waiting import comes_true

STARTS_WITHIN = ENDS_WITHIN = 30.0  # seconds, on a machine that is busy
_OF_THE_TESTS = ("PINGPILOT_", "PTB_TIMEDELTA")
_OF_THE_PROGRAM = ("PINGPILOT_", "TERM")
Process = asyncio.subprocess.Process | Forked


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that was read to its end."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Daemon:
    """`pingpilot run` over one database and one port; may be started again after its end.

    `settings` are environment variables; those of the test's own process are left out. All lives
    write to one log.
    """

    MODULE = "pingpilot"
    """What is run, as by `python -m`."""

    def __init__(self, settings: Mapping[str, str], *, database_url: str, folder: Path) -> None:
        self._port = free_port()
        own = {"PINGPILOT_DATABASE_URL": database_url, "PINGPILOT_HTTP_PORT": str(self._port)}
        self.settings = {**settings, **own}
        self.folder = folder
        self._log_file = folder / "daemon.log"
        self._process: Process | None = None
        self._http = aiohttp.ClientSession()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """What the daemon has written to standard error, in all its lives."""
        return self._log_file.read_text()

    @property
    def pid(self) -> int:
        return self._running.pid

    async def start(self) -> Self:
        """Run it, and return once it accepts events."""
        await self.launch()
        await comes_true(self._is_ready, "the daemon to be ready", timeout=STARTS_WITHIN)
        return self

    async def launch(self) -> None:
        """Run it, and return at once."""
        with self._log_file.open("a") as log:
            self._process = await started(
                self.MODULE, "run", settings=self.settings, folder=self.folder, files=(0, 1, log.fileno())
            )

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM)."""
        self._running.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """End it without a warning (SIGKILL)."""
        self._running.kill()
        await self._running.wait()

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        async with asyncio.timeout(ENDS_WITHIN):
            return await self._running.wait()

    async def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.terminate()
        return await self.wait()

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process and self._process.returncode is None:
            await self.kill()
        await self._http.close()

    async def get(self, path: str, *, key: str = "") -> Answer:
        """Send a GET request."""
        return await self._ask("GET", path, {"Authorization": f"Bearer {key}"})

    async def post(self, key: str, body: Mapping[str, Any], **headers: str) -> Answer:
        """Post an event; `idempotency_key="x"` becomes the header `idempotency-key: x`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._ask("POST", "/api/v1/event", {"Authorization": f"Bearer {key}", **named}, body)

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> Answer:
        url = self.base_url + path
        async with self._http.request(method, url, json=body, headers=headers) as response:
            return Answer(response.status, await response.json(), response.headers)

    async def metrics(self) -> Samples:
        """Return what `/metrics` shows."""
        async with self._http.get(self.base_url + "/metrics") as response:
            return Samples(await response.text())

    async def parts(self) -> dict[str, str]:
        """Return the state of each part, as `/readyz` has it."""
        answer = await self.get("/readyz")
        return dict(answer.body["parts"])

    async def wait_for_part(self, name: str, state: str) -> None:
        """Return once `/readyz` shows this part in this state."""

        async def shown() -> bool:
            return (await self.parts()).get(name) == state

        await comes_true(shown, f"{name} to be {state}")

    async def wait_until_stopping(self) -> None:
        """Return once `/readyz` tells that the daemon stops."""

        async def told() -> bool:
            return (await self.get("/readyz")).status == 503

        await comes_true(told, "the daemon to stop accepting")

    async def command(self, *words: str) -> Ended:
        """Run another `pingpilot` command over the same settings, to its end."""
        return await command(*words, settings=self.settings, folder=self.folder)

    async def create_account(
        self,
        email: str = "alice@example.com",
        *,
        plan: Plan = Plan.FREE,
        monthly_events: int | None = None,
        channels: Collection[str] | None = None,
    ) -> str:
        """Return the API key of a new account, on every channel unless some are named.

        Made as `pingpilot account create` makes it, which has tests of its own, beside the daemon but in the
        test's process: a command's start takes half a second.
        """

        async def create() -> str:
            async with open_database(self.settings["PINGPILOT_DATABASE_URL"], patience=STARTS_WITHIN):
                chosen = direct_channels() if channels is None else channels
                new = await accounts.create_account(
                    email, plan=plan, monthly_events=monthly_events, channels=chosen, now=datetime.now(UTC)
                )
                return new.api_key

        # On a loop of its own: the test may have this database, or another one, open
        return await asyncio.get_running_loop().run_in_executor(None, asyncio.run, create())

    async def _is_ready(self) -> bool:
        if self._running.returncode is not None:
            raise AssertionError(f"the daemon ended with {self._running.returncode}:\n{self.log}")
        try:
            return (await self.get("/readyz")).status == 200
        except aiohttp.ClientError:
            return False

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise AssertionError("the daemon was never started")
        return self._process


@asynccontextmanager
async def a_daemon(settings: Mapping[str, str], *, database_url: str, folder: Path) -> AsyncIterator[Daemon]:
    """A daemon that is yet to be started, and ends with the block at the latest."""
    daemon = Daemon(settings, database_url=database_url, folder=folder)
    try:
        yield daemon
    finally:
        await daemon.close()


async def command(
    *words: str, settings: Mapping[str, str], folder: Path, standard_input: bytes | None = None
) -> Ended:
    """Run a `pingpilot` command in a process of its own, to its end."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(standard_input or b"")
        given.seek(0)
        files = (0 if standard_input is None else given.fileno(), out.fileno(), err.fileno())
        process = await started("pingpilot", *words, settings=settings, folder=folder, files=files)
        async with _ending(process):
            code = await process.wait()
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read().decode(), err.read().decode())


async def started(
    module: str, *words: str, settings: Mapping[str, str], folder: Path, files: Sequence[int]
) -> Process:
    """Run `python -m MODULE WORDS…` with these files as its standard input, output and error.

    It is forked from one that has loaded the program already. Where a setting is Python's own or a
    library's, it starts from nothing.
    """
    env = environment(settings)
    if all(name.startswith(_OF_THE_PROGRAM) for name in settings):
        return await fork(module, *words, environment=env, folder=folder, files=files)
    standard_input, out, err = files
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *words),
        env=env,
        cwd=folder,
        stdin=standard_input,
        stdout=out,
        stderr=err,
    )


async def command_of_a_user(*words: str, settings: Mapping[str, str], folder: Path) -> Ended:
    """Run a command as `command` does; root's right to open any file is given up before."""
    return await execute(*_as_a_user(), *_PINGPILOT, *words, settings=settings, folder=folder)


def _as_a_user() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    capabilities = "-dac_override,-dac_read_search"
    return "setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}", "--"


async def execute(
    *words: str, settings: Mapping[str, str], folder: Path, standard_input: bytes | None = None
) -> Ended:
    """Run any program in a process of its own, to its end; without an input it has this process's."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words,
        env=environment(settings),
        cwd=folder,
        stdout=pipe,
        stderr=pipe,
        stdin=None if standard_input is None else pipe,
    )
    async with _ending(process):
        out, err = await process.communicate(standard_input)
    return Ended(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def _ending(process: Process) -> AsyncIterator[None]:
    """Give a process so long to end, and leave none that has not."""
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            yield
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def running(
    *words: str, settings: Mapping[str, str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a `pingpilot` command that does not end by itself; it is ended with the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *_PINGPILOT, *words, env=environment(settings), cwd=folder, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody is given as long as this process lives.

    A socket stays bound to it, so that Linux hands it to no other test, outgoing connections included,
    also while a daemon restarts. As that socket allows it (SO_REUSEADDR) and does not listen, a server
    that asks for this very port gets it; until then, connections are refused.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port = int(holder.getsockname()[1])
    holder.detach()  # open to the process's end, without a warning then
    return port


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings in place of its own.

    The usual port need not be free on this machine: it is another one, unless a setting names one.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_TESTS)}
    return {**kept, "PINGPILOT_HTTP_PORT": str(_usual_port()), **settings}


@cache
def _usual_port() -> int:
    return free_port()


_PINGPILOT = (sys.executable, "-m", "pingpilot")
