"""What may stand in front of a PostgreSQL server: TLS, and PgBouncer's door."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_SSL_REQUEST = 80877103
_OF_PGBOUNCER = {
    *("user", "database", "client_encoding", "datestyle", "timezone"),
    *("standard_conforming_strings", "application_name", "replication"),
}
"""What PgBouncer 1.18 takes of a start; it ends a connection that names anything else."""


class PostgresFront:
    """Takes connections over TCP and passes them on to a server's socket.

    `serving` gives it TLS. As a `pooler` it refuses the parameters of a start that PgBouncer refuses. One
    that is `slow_to_close` passes the server's last words on, and leaves its client's connection open.
    """

    def __init__(
        self,
        socket_path: str,
        *,
        serving: ssl.SSLContext | None = None,
        pooler: bool = False,
        slow_to_close: bool = False,
    ) -> None:
        self._socket_path = socket_path
        self._serving = serving
        self._pooler = pooler
        self._slow_to_close = slow_to_close
        self.port = 0
        self.starts: list[dict[str, str]] = []
        """The parameters of each start that came."""
        self.encrypted = 0
        self.farewells = 0
        """How many connections a server has ended."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["PostgresFront"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                await self._receive(reader, writer)
            finally:
                writer.close()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        message = await _message(reader)
        if struct.unpack("!I", message[4:8]) == (_SSL_REQUEST,):
            writer.write(b"S" if self._serving else b"N")
            await writer.drain()
            if self._serving:
                await writer.start_tls(self._serving)
                self.encrypted += 1
            message = await _message(reader)
        words = message[8:].decode().split("\0")
        start = {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}
        self.starts.append(start)
        if self._pooler and (unknown := sorted(start.keys() - _OF_PGBOUNCER)):
            said = f"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: {unknown[0]}\0\0".encode()
            writer.write(b"E" + struct.pack("!I", len(said) + 4) + said)
            await writer.drain()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket_path)
        try:
            server_writer.write(message)
            await asyncio.gather(_ask(reader, server_writer), self._answer(server_reader, writer))
        finally:
            server_writer.close()

    async def _answer(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _pass_on(server, writer)
        self.farewells += 1
        if not self._slow_to_close:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack("!I", head)[0] - 4)


async def _ask(reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
    await _pass_on(reader, server)
    server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
