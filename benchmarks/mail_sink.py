"""A mail server that takes mail and forgets it, faster than a daemon sends; a bare client shows how fast.

    .venv/bin/python -m benchmarks.mail_sink serve PORT
    .venv/bin/python -m benchmarks.mail_sink press PORT SECONDS

Each is a process of its own. What it offers is what Postfix does by default. `XCOUNT` is answered with the
mails taken since `XRESET`, and the seconds (of the machine's monotonic clock) of the first and the last.
From `XHOLD` on everybody else waits for an answer until `XGO`.
"""

import asyncio
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import uvloop

from benchmarks import processes

CONNECTIONS = 4
"""Of the bare client: as many as the daemon's pool has."""
_EHLO = b"250-localhost\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
_OK, _GO_ON, _BYE = b"250 2.0.0 Ok\r\n", b"354 End data with <CR><LF>.<CR><LF>\r\n", b"221 2.0.0 Bye\r\n"
_END = b"\r\n.\r\n"
_MAIL = b"Subject: Sale: Somebody bought a lamp\r\n\r\n" + b"Somebody bought a lamp. " * 3 + b"\r\n" * 2
_MAIL += b"<p>And this is how long a notification's two bodies are.</p>\r\n" * 110


@dataclass
class Taken:
    """How many mails were taken, and when the first and the last."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.count += 1

    def forget(self) -> None:
        self.count, self.first = 0, 0.0


@dataclass
class Server:
    """What the connections share."""

    taken: Taken = field(default_factory=Taken)
    sessions: "set[Session]" = field(default_factory=set)
    is_held: bool = False

    def hold(self, *, sparing: "Session") -> None:
        """Let all wait for their answers but the one that says so."""
        self.is_held = True
        for session in self.sessions - {sparing}:
            session.is_held = True

    def go(self, *, sparing: "Session") -> None:
        """Answer all others again, also what they said meanwhile."""
        self.is_held = False
        for session in self.sessions - {sparing}:
            session.is_held = False
            session.answer_all()


class Session(asyncio.Protocol):
    """The server's end of a connection."""

    def __init__(self, server: Server) -> None:
        self.is_held = server.is_held
        self._server = server
        self._buffer = bytearray()
        self._is_in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's don't derive from it
        self._server.sessions.add(self)
        self._transport.write(b"220 localhost ESMTP\r\n")

    def connection_lost(self, _exc: Exception | None) -> None:
        self._server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.is_held:
            self.answer_all()

    def answer_all(self) -> None:
        """Answer what was said so far."""
        replies = b""
        while True:
            mark = _END if self._is_in_message else b"\r\n"
            end = self._buffer.find(mark)
            if end < 0:
                break
            if self._is_in_message:
                self._server.taken.add()
                replies += _OK
                self._is_in_message = False
            else:
                replies += self._answer(bytes(self._buffer[:4]).upper())
            del self._buffer[: end + len(mark)]
        if replies:
            self._transport.write(replies)

    def _answer(self, verb: bytes) -> bytes:
        match verb:
            case b"DATA":
                self._is_in_message = True
                return _GO_ON
            case b"EHLO":
                return _EHLO
            case b"QUIT":
                return _BYE
            case b"XCOU":
                taken = self._server.taken
                return f"250 {taken.count} {taken.first} {taken.last}\r\n".encode()
            case b"XRES":
                self._server.taken.forget()
            case b"XHOL":
                self._server.hold(sparing=self)
            case b"XGO\r":
                self._server.go(sparing=self)
        return _OK


async def serve(port: int) -> None:
    """Take mail until the process is ended."""
    shared = Server()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(shared), "127.0.0.1", port)
    await server.serve_forever()


async def press(port: int, seconds: float) -> int:
    """Hand the same mail in for so long, over a few connections; return how often."""
    until = time.monotonic() + seconds

    async def hand_in() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        count = 0
        while time.monotonic() < until:
            writer.write(b"MAIL FROM:<bench@example.com>\r\nRCPT TO:<bench@example.com>\r\nDATA\r\n")
            for _ in range(3):
                await reader.readline()
            writer.write(_MAIL + _END)
            await reader.readline()
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(hand_in() for _ in range(CONNECTIONS))))


class MailSink:
    """A mail server in a process of its own, as a benchmark sees it."""

    def __init__(self, port: int, pid: int, variables: dict[str, str]) -> None:
        self.port = port
        self.pid = pid
        self._variables = variables
        self._control = smtplib.SMTP("127.0.0.1", port)

    def taken(self) -> Taken:
        """Return what was taken since it was told to forget."""
        count, first, last = self._control.docmd("XCOUNT")[1].split()
        return Taken(int(count), float(first), float(last))

    def forget(self) -> None:
        """Let it count anew."""
        self._control.docmd("XRESET")

    def hold(self) -> None:
        """Let everybody who is connected wait, until `go`."""
        self._control.docmd("XHOLD")

    def go(self) -> None:
        """Answer again."""
        self._control.docmd("XGO")

    def ceiling(self, seconds: float = 1.5) -> float:
        """Return how many mails a second it takes from the bare client."""
        command = [sys.executable, "-m", "benchmarks.mail_sink", "press", str(self.port), str(seconds)]
        pressed = subprocess.run(command, env=self._variables, check=True, capture_output=True, text=True)
        return int(pressed.stdout) / seconds


@contextmanager
def mail_sink(variables: dict[str, str]) -> Iterator[MailSink]:
    """Run a mail server; `variables` are its environment."""
    port = processes.free_port()
    command = [sys.executable, "-m", "benchmarks.mail_sink", "serve", str(port)]
    with processes.process(command, variables, f"smtp://127.0.0.1:{port}") as pid:
        yield MailSink(port, pid, variables)


if __name__ == "__main__":
    what, port, *rest = sys.argv[1:]
    if what == "serve":
        uvloop.run(serve(int(port)))
    else:
        print(uvloop.run(press(int(port), float(rest[0]))))
