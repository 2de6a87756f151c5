"""The daemons: `pingpilot run` in processes of their own, each at its place, with a clock of its own."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tests.cluster.faults.network import Place
from tests.support.daemon import environment
from tests.support.waiting import comes_true

_STARTS_WITHIN = _ENDS_WITHIN = 60.0  # seconds, on a machine that is busy
_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""Debian's libfaketime answers for the wall clock, as a file says. The monotonic clock stays."""
CLOCK_CAN_BE_SET = _LIBRARY is not None


class Daemon:
    """One of several on one database; may be started again after its end. All its lives write to one log."""

    def __init__(
        self, place: Place, settings: Mapping[str, str], *, databases: Mapping[str, str], folder: Path
    ) -> None:
        self.place = place
        self.number = place.number
        self.name = f"daemon-{place.number}"
        """By which PostgreSQL knows its connections."""
        self.folder = folder
        self._clock = folder / "clock"
        self._settings = {
            **settings,
            **{name: f"{url}?application_name={self.name}" for name, url in databases.items()},
            "PINGPILOT_HTTP_HOST": place.host,
            "PINGPILOT_HTTP_PORT": str(place.port),
        }
        self._process: asyncio.subprocess.Process | None = None
        self.set_clock(0)

    @property
    def url(self) -> str:
        """Where it takes events."""
        return f"http://{self.place.host}:{self.place.port}"

    @property
    def log(self) -> str:
        """What it has written, in all its lives."""
        return (self.folder / "daemon.log").read_text()

    @property
    def process(self) -> psutil.Process:
        """Its present process."""
        return psutil.Process(self._running.pid)

    async def launch(self, *, own_clock: bool) -> None:
        """Run it, and return at once. With an `own_clock`, `set_clock` has an effect on it."""
        faked = self._faked() if own_clock else {}
        with (self.folder / "daemon.log").open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*self.place.prefix, sys.executable, "-m", "pingpilot", "run"),
                env=environment({**self._settings, **faked}),
                cwd=self.folder,
                stderr=log,
            )

    async def wait_until_ready(self, http: aiohttp.ClientSession) -> None:
        """Return once it says that it is ready."""

        async def is_ready() -> bool:
            if self._running.returncode is not None:
                raise AssertionError(
                    f"{self.name} ended with {self._running.returncode}:\n{self.log[-4000:]}"
                )
            return (await self.parts(http)).get("status") == 200

        await comes_true(is_ready, f"{self.name} to be ready", timeout=_STARTS_WITHIN)

    async def parts(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        """Return what `/readyz` says, with the answer's `status`; nothing where no answer comes."""
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return {**await answer.json(), "status": answer.status}
        except (aiohttp.ClientError, OSError, TimeoutError):
            return {}

    @property
    def has_ended(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._running.returncode

    @property
    def last_words(self) -> str:
        """The last line of its log that says anything."""
        return next(
            (line.strip(" |+-") for line in reversed(self.log.splitlines()) if line.strip(" |+-")), ""
        )

    async def kill(self) -> None:
        """End it without a warning (SIGKILL)."""
        self._running.kill()
        await self._running.wait()

    async def stop(self) -> int:
        """Ask it to stop (SIGTERM), and return its exit code."""
        self._running.terminate()
        async with asyncio.timeout(_ENDS_WITHIN):
            return await self._running.wait()

    def freeze(self) -> None:
        """Let it do nothing at all (SIGSTOP)."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if no time had passed."""
        self._running.send_signal(signal.SIGCONT)

    def set_clock(self, seconds: int) -> None:
        """Let its wall clock be so far ahead, or behind, within a second."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._clock)  # it may be reading just now

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process and self._process.returncode is None:
            await self.kill()

    def _faked(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "it was never started"
        return self._process
