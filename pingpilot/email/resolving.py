"""Looking names up without ever holding up a stop.

The event loop does it in threads that are waited for when the process ends, however long a name server
takes. These are not.
"""

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_NAME_LOOKUP = 2.0  # seconds for the name of this machine
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
FULL_NAME = re.compile(rf"(?=.{{4,253}}\Z){_LABEL}(\.{_LABEL})+\.?")
"""A host name with a domain."""

Address = tuple[socket.AddressFamily, Any]
"""A family of addresses, and one of them as sockets take it."""


class Resolver:
    """Looks up one host. One look-up is under way at a time: one that hangs is not joined by others."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._under_way: asyncio.Future[list[tuple[Any, ...]]] | None = None

    async def addresses(self) -> list[Address]:
        """Return where the host is. Raises `OSError`; to be called under a time limit."""
        if self._under_way is None or self._under_way.done():
            look_up = partial(socket.getaddrinfo, self._host, self._port, type=socket.SOCK_STREAM)
            self._under_way = _in_thread(look_up)
        found = await asyncio.shield(self._under_way)
        return [(family, address) for family, _, _, _, address in found]


async def full_host_name() -> str | None:
    """Return this machine's name with its domain, None where it has none that the world would know."""
    name = socket.gethostname()
    if not FULL_NAME.fullmatch(name):
        try:
            async with asyncio.timeout(_NAME_LOOKUP):
                name = await _in_thread(socket.getfqdn)
        except (OSError, TimeoutError):
            return None
    return None if name.startswith("localhost.") or not FULL_NAME.fullmatch(name) else name


def _in_thread(look_up: Callable[[], T]) -> "asyncio.Future[T]":
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may ask for it

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # it is there where there is no error

    def work() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = look_up()
        except (OSError, ValueError) as exc:  # ValueError: a name that no name server can be asked for
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="look up a name", daemon=True).start()
    return future
