"""The doctor's visit to a running daemon, for the operator's page."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from pingpilot.clock import Clock
from pingpilot.config import Settings
from pingpilot.telemetry.findings import Examination, Finding, Level

WITHIN = timedelta(seconds=45)
"""Less than proxies wait for an answer."""
DOCTOR = (sys.executable, "-m", "pingpilot", "doctor", "--json")

log = structlog.get_logger(__name__)


class Examiner:
    """Runs `pingpilot doctor` in a process of its own, one at a time, and keeps what it found last.

    In the daemon's, its database would take the place of the daemon's, and what it waits for would stop the
    loop.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock, command: Sequence[str] = DOCTOR, within: timedelta = WITHIN
    ) -> None:
        self.latest: Examination | None = None
        self._environment = {**os.environ, **settings.environment}
        self._clock = clock
        self._command = command
        self._within = within
        self._visit: asyncio.Task[Examination] | None = None

    async def examine(self) -> Examination:
        """Return what is found now; who asks while the doctor looks waits for the same."""
        if self._visit is None or self._visit.done():
            self._visit = asyncio.create_task(self._look(), name="examine")
        return await asyncio.shield(self._visit)

    async def close(self) -> None:
        """End a visit under way."""
        if self._visit and not self._visit.done():
            self._visit.cancel()
            with suppress(asyncio.CancelledError):
                await self._visit

    async def _look(self) -> Examination:
        try:
            findings = await self._found()
        except (OSError, TimeoutError, ValueError, KeyError, TypeError) as exc:
            log.warning("The doctor could not look", reason=f"{type(exc).__name__}: {exc}")
            text = f"The doctor could not look ({type(exc).__name__})."
            advice = "Run `pingpilot doctor` on the server."
            findings = [Finding("doctor", Level.PROBLEM, text, advice)]
        self.latest = Examination(self._clock.now(), tuple(findings))
        return self.latest

    async def _found(self) -> list[Finding]:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return [
            Finding(each["subject"], Level(each["level"]), each["text"], each["advice"])
            for each in json.loads(out)["findings"]
        ]
