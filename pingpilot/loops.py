"""Event loops that end when their work does.

Who looks a name up has a thread for it, which a name server that says nothing keeps busy for minutes,
whatever became of the one who asked. `asyncio.run` waits for such threads, so do libuv and the interpreter.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

CANCELLED_AGAIN_AFTER = 3.0
"""Seconds a task has to clean up, before it is cancelled once more."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, and wait for no thread afterwards."""
    return _run(main, _Loop)


def run_on_uvloop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `run` does, on uvloop where there is one. The process is meant to end then."""
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return _run(main, _Loop)

    class Loop(uvloop.Loop):
        async def shutdown_default_executor(self, timeout: float | None = None) -> None:
            """Wait for no thread."""

        def close(self) -> None:
            """Leave everything to the end of the process: libuv waits for its threads here."""

    return _run(main, Loop)


async def end(tasks: Iterable[asyncio.Task[None]], *, again_after: float = CANCELLED_AGAIN_AFTER) -> None:
    """Cancel tasks until they have ended, again after so many seconds where that had no effect.

    A cancellation may get lost in a library: `asyncio.wait_for` of Python 3.11 swallows one that comes as
    what it waits for is done, and discord.py would go on serving, for ever. What a task raises is nobody's.
    """
    ending = list(tasks)
    pending = set(ending)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_after)
    for task in ending:
        if not task.cancelled():
            task.exception()


def leave(code: int) -> NoReturn:
    """End the process, once all is said, without the interpreter's wait for threads."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Loop(asyncio.SelectorEventLoop):
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for no thread."""


def _run(main: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> T:
    if not gc.isenabled():  # as the command line has it while modules are loaded
        gc.freeze()
        gc.enable()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)
