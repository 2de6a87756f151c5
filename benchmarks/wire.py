"""What goes over the wire to PostgreSQL, counted by a proxy between a daemon and its server.

The messages are those of https://www.postgresql.org/docs/current/protocol-message-formats.html.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

_EXECUTE, _QUERY, _SYNC, _FLUSH = b"E", b"Q", b"S", b"H"
_PIECE = 65536


@dataclass(slots=True)
class Counts:
    """Statements that were run, and how often somebody waited for an answer."""

    statements: int = 0
    round_trips: int = 0

    def now(self) -> "Counts":
        """Return what they are at the moment."""
        return replace(self)


@asynccontextmanager
async def counted(socket_path: str) -> AsyncIterator[tuple[int, Counts]]:
    """Listen on a port of this machine for a server's socket; give the port, and what went through it."""
    counts = Counts()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(socket_path)
        back = asyncio.create_task(_pass_on(server_reader, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            size = await reader.readexactly(4)  # the first message has no kind
            server_writer.write(size + await reader.readexactly(int.from_bytes(size) - 4))
            while True:
                head = await reader.readexactly(5)
                kind, length = head[:1], int.from_bytes(head[1:])
                server_writer.write(head + await reader.readexactly(length - 4))
                counts.statements += kind in (_EXECUTE, _QUERY)
                counts.round_trips += kind in (_SYNC, _QUERY, _FLUSH)
        server_writer.close()
        await back
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**24)
    async with server:
        yield server.sockets[0].getsockname()[1], counts


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
