"""Looking up the mail server's addresses, and this machine's own name."""

import asyncio
import re
import socket
from functools import partial
from typing import Any

from pingpilot.lookups import in_thread

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
            self._under_way = in_thread(look_up)
        found = await asyncio.shield(self._under_way)
        return [(family, address) for family, _, _, _, address in found]


async def full_host_name() -> str | None:
    """Return this machine's name with its domain, None where it has none that the world would know."""
    name = socket.gethostname()
    if not FULL_NAME.fullmatch(name):
        try:
            async with asyncio.timeout(_NAME_LOOKUP):
                name = await in_thread(socket.getfqdn)
        except (OSError, TimeoutError):
            return None
    return None if name.startswith("localhost.") or not FULL_NAME.fullmatch(name) else name
