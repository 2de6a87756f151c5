"""`pingpilot sandbox` in a process of its own, with and without a terminal."""

import asyncio
import os
import pty
import re
import signal
from pathlib import Path

from tests.support.daemon import ENDS_WITHIN, Process, free_port, started
from tests.support.waiting import comes_true

_PATIENCE = 45.0  # seconds, on a machine that is busy
WELCOME = "`quit` or Ctrl-C ends the sandbox."


class Sandbox:
    """A running `pingpilot sandbox`, with what it has printed so far."""

    def __init__(self, folder: Path) -> None:
        self.printed = self.key = ""
        self.base_url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self._master, self._slave = pty.openpty()
        self._process: Process | None = None

    async def start(self, *, terminal: bool, port_is_set: bool = True) -> None:
        """Run it until it has told what to do; without a terminal, input is closed and output a pipe."""
        settings = {"PINGPILOT_HTTP_PORT": self.base_url.rpartition(":")[2]} if port_is_set else {}
        loop = asyncio.get_running_loop()
        output, write = (self._master, self._slave) if terminal else os.pipe()
        self._output = output
        with open(os.devnull) as nothing:  # noqa: ASYNC230
            files = (self._slave if terminal else nothing.fileno(), write, write)
            self._process = await started(
                *("pingpilot", "sandbox"),
                settings={**settings, "TERM": "xterm"},
                folder=self._folder,
                files=files,
            )
        if not terminal:
            os.close(write)
        loop.add_reader(output, self._read)
        await self.shows(WELCOME)
        if terminal:
            await self.shows("pingpilot> ")  # what a bot sends meanwhile may stand between
        self.key = re.findall(r"pp_\w{43}", self.printed)[0]
        self.base_url = re.findall(r"PingPilot is up at (http://[\d.:]+)", self.printed)[0]

    def type(self, line: str) -> None:
        """Type a line at its prompt."""
        self.press(f"{line}\n")

    def press(self, keys: str) -> None:
        """Press keys at its prompt, such as `\\x1b[A` for the arrow up."""
        os.write(self._master, keys.encode())

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self.printed = ""

    async def shows(self, text: str, *, times: int = 1) -> None:
        """Return once it has printed this text so often."""

        async def shown() -> bool:
            assert self._running.returncode is None, self.printed
            return self.printed.count(text) >= times

        try:
            await comes_true(shown, repr(text), timeout=_PATIENCE)
        except TimeoutError as exc:
            raise TimeoutError(f"{exc}, after {self.printed!r}") from None

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._running.send_signal(signal.SIGINT)

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        async with asyncio.timeout(ENDS_WITHIN):
            return await self._running.wait()

    async def close(self) -> None:
        """Leave nothing running or open."""
        asyncio.get_running_loop().remove_reader(self._output)
        if self._running.returncode is None:
            self._running.kill()
            await self._running.wait()
        for descriptor in {self._master, self._slave, self._output}:
            os.close(descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._output, 65_536)
        except OSError:  # Linux's way to tell that nobody has the terminal open any more
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._output)
        self.printed += data.decode(errors="replace").replace("\r\n", "\n")

    @property
    def _running(self) -> Process:
        assert self._process
        return self._process
