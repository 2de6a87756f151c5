"""Processes of the program that need not load it: a fork server, as `multiprocessing` has one.

To load all modules takes 0.7 s of a processor, and the tests start hundreds of daemons and commands. One
process for each of pytest's has loaded them and copies itself for each start; the copy gets the environment,
folder and files it is to have and runs a module as `python -m` does. What only a start from nothing shows,
`tests/process/test_loading.py` starts from nothing.
"""

import asyncio
import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("pingpilot", "bots", "api", "models")
_NOT_LOADED = ("pingpilot.cli.prompt", "pingpilot.cli.sandbox")  # readline reads TERM when it is loaded
_LONGEST = 200_000  # bytes of a request: an environment
_MOST_FILES = 256
"""Files that the server has open, at most: those of each process, until it has ended."""


class Forked:
    """A process that was forked, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, status: int) -> None:
        loop = asyncio.get_running_loop()
        self.pid = 0
        self.returncode: int | None = None
        self._status = status
        self._told = b""
        self._started: asyncio.Future[None] = loop.create_future()
        self._ended = asyncio.Event()
        self._loop = loop
        loop.add_reader(status, self._read)

    async def started(self) -> None:
        """Return once it has a process id."""
        await self._started

    async def wait(self) -> int:
        """Return its exit code once it has ended; a signal's number is negative."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a warning (SIGKILL)."""
        self.send_signal(signal.SIGKILL)

    def _read(self) -> None:
        """Hear its process id, and then its exit code; the server tells each in a line."""
        said = os.read(self._status, 100)
        self._told += said
        lines = self._told.split(b"\n")
        if len(lines) > 1 and not self._started.done():
            self.pid = int(lines[0])
            self._started.set_result(None)
        if len(lines) > 2 or not said:  # the server tells no end if it has ended itself
            self.returncode = int(lines[1]) if len(lines) > 2 else -signal.SIGKILL
            self._loop.remove_reader(self._status)
            os.close(self._status)
            self._ended.set()
            if not self._started.done():
                self._started.set_exception(RuntimeError("The fork server has ended."))


async def fork(
    module: str, *words: str, environment: Mapping[str, str], folder: Path, files: Sequence[int]
) -> Forked:
    """Run `python -m MODULE WORDS…` in a new process; `files` are its standard input, output and error."""
    request = {"module": module, "words": words, "environment": dict(environment), "folder": str(folder)}
    status, tells = os.pipe()
    try:
        socket.send_fds(_server(), [json.dumps(request).encode()], [*files, tells])
    finally:
        os.close(tells)
    forked = Forked(status)
    await forked.started()
    return forked


@cache
def _server() -> socket.socket:
    """Return the way to this process's fork server, which runs from here on and ends with this process."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        server = subprocess.Popen(
            [sys.executable, "-m", __name__, str(there.fileno())],
            pass_fds=[there.fileno()],
            cwd=_ROOT,
            env={name: value for name, value in os.environ.items() if name != "PTB_TIMEDELTA"},
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        here.close()
        server.wait()

    atexit.register(end)
    return here


def _load() -> None:
    """Load all modules of the program, as `pingpilot` does where it loads one."""
    gc.disable()
    sys.modules["rich"] = None  # type: ignore[assignment]
    for package in _PACKAGES:
        for each in pkgutil.walk_packages([str(_ROOT / package)], f"{package}."):
            is_run = each.name.endswith("__main__") or ".migrations." in each.name
            if not is_run and each.name not in _NOT_LOADED:
                import_module(each.name)
    gc.freeze()


def _serve(way: socket.socket) -> None:
    """Fork for each request until nobody can ask any more, and tell how each process ended."""
    woken, wake = socket.socketpair()
    for each in (woken, wake):
        each.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([way, woken], [], [])
        if woken in ready:
            woken.recv(1000)
            _tell_ends(running)
        if way in ready:
            message, files, _, _ = socket.recv_fds(way, _LONGEST, 4)
            if not message:
                return
            *standard, tells = files
            if (pid := os.fork()) == 0:
                _become(json.loads(message), standard)
            for file in standard:
                os.close(file)
            running[pid] = tells
            os.write(tells, b"%d\n" % pid)


def _tell_ends(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        tells = running.pop(pid)
        with suppress(BrokenPipeError):  # nobody waits for it
            os.write(tells, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(tells)


def _become(request: Mapping[str, Any], standard: Sequence[int]) -> NoReturn:
    """Be a Python that was just started with this module."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, each in enumerate(standard):
        os.dup2(each, number)
    os.closerange(3, _MOST_FILES)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv[1:] = request["words"]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # as long as the process lasts, as the other two
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1, errors="backslashreplace")  # noqa: SIM115
    code: Any = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        code = exc.code
    except BaseException:  # noqa: BLE001  # as the interpreter does
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _load()
    _serve(socket.socket(fileno=int(sys.argv[1])))
