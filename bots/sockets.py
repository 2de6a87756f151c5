"""Connections to a platform whose bot another daemon may lead soon."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp

_OPTION = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux's


def give_up_after(time: timedelta | None, connection: Any) -> None:
    """Have the system drop a connection, and what it keeps for it, once the other side acknowledges nothing.

    Otherwise it goes on trying, for a quarter of an hour and after the socket was closed as well: when the
    way is whole again, it hands over what was written before another daemon led the bot. `connection` is a
    socket, or what an event loop has in its place. None leaves it to the system (RFC 5482).
    """
    if time and _OPTION is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _OPTION, round(time / timedelta(milliseconds=1)))


def sockets_for(time: timedelta | None) -> Callable[[aiohttp.AddrInfoType], socket.socket]:
    """Return what makes aiohttp's sockets so; None leaves them to the system."""

    def new_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*info[:3])
        give_up_after(time, made)
        return made

    return new_socket
