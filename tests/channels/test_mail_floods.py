"""A mail server whose answers never end, or make no sense: nothing is held up, no memory is filled."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, TemporaryFailure
from tests.support.waiting import until

MEGABYTE = 1024 * 1024
MOST = 16 * MEGABYTE
"""What may have been sent by the time the other side is cut off: the system's buffers take some, too."""
SHORT = timedelta(seconds=1)
ANSWERS = {
    "connect": b"220 ready\r\n",
    "ehlo": b"250-localhost\r\n250 HELP\r\n",
    "data": b"354 go on\r\n",
}
FLOODS = {
    "lines": b"250-more\r\n" * 6000,
    "one long line": b"250 " + b"x" * 60_000,
    "no line": b"x" * 60_000,
}


@dataclass
class Server:
    """A server that stops making sense at one stage; `sent` counts the bytes from then on."""

    stage: str
    answer: bytes
    pause: float = 0.0
    sent: int = 0
    cut_off: bool = False
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stage, is_in_message = "connect", False
        try:
            while True:
                if stage == self.stage:
                    await self.flood(writer)
                elif not is_in_message:
                    writer.write(ANSWERS.get(stage, b"250 OK\r\n"))
                    is_in_message = stage == "data"
                line = await reader.readline()
                if not line:
                    return
                if is_in_message and line == b".\r\n":
                    stage, is_in_message = "message", False
                elif not is_in_message:
                    stage = line.split()[0].decode().lower()
        except (ConnectionError, asyncio.CancelledError):
            self.cut_off = True
        finally:
            writer.close()

    async def flood(self, writer: asyncio.StreamWriter) -> None:
        while self.sent < MOST:
            writer.write(self.answer)
            await writer.drain()
            self.sent += len(self.answer)
            await asyncio.sleep(self.pause)


@asynccontextmanager
async def running(server: Server, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


async def failure_at(pool: SmtpPool) -> DeliveryFailure:
    async with asyncio.timeout(30):
        with pytest.raises(DeliveryFailure) as failure:
            await pool.send("ping@example.com", "ada@example.org", b"Subject: x\r\n\r\nx\r\n")
        await pool.close()
    return failure.value


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "message"])
@pytest.mark.parametrize("flood", FLOODS)
async def test_an_endless_answer_fails_and_fills_no_memory(stage: str, flood: str) -> None:
    async with running(Server(stage, FLOODS[flood])) as server:
        pool = SmtpPool(MailServer(host="127.0.0.1", port=server.port, security="none"))
        failure = await failure_at(pool)

    assert type(failure) is (ChannelUnavailable if stage in ("connect", "ehlo") else TemporaryFailure)
    assert "its answer is no SMTP (Response too long)" in failure.reason
    assert server.sent < MOST


@pytest.mark.parametrize("stage", ["connect", "ehlo", "rcpt", "message"])
async def test_an_answer_that_goes_on_line_by_line_has_a_limit_in_time(stage: str) -> None:
    async with running(Server(stage, b"250-more\r\n", pause=0.05)) as server:
        pool = SmtpPool(MailServer(host="127.0.0.1", port=server.port, security="none"), timeout=SHORT)
        failure = await failure_at(pool)

    assert isinstance(failure, TemporaryFailure)
    assert "Timed out" in failure.reason


async def test_an_encrypted_flood_is_cut_off_at_once(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with running(Server("rcpt", FLOODS["lines"], pause=0.001), serving) as server:
        pool = SmtpPool(MailServer(host="127.0.0.1", port=server.port, security="tls", tls_context=trusting))
        failure = await failure_at(pool)
        async with asyncio.timeout(10):
            await until(lambda: server.cut_off)

    assert "Response too long" in failure.reason


async def test_a_server_that_takes_no_leave_holds_a_stop_for_seconds_only() -> None:
    async with running(Server("quit", b"221-bye\r\n", pause=0.05)) as server:
        pool = SmtpPool(MailServer(host="127.0.0.1", port=server.port, security="none"))
        sends = (
            pool.send("ping@example.com", f"{name}@example.org", b"Subject: x\r\n\r\nx\r\n")
            for name in ("ada", "bob", "eve")
        )
        await asyncio.gather(*sends)

        began = asyncio.get_running_loop().time()
        await pool.close()

    assert asyncio.get_running_loop().time() - began < 6


async def test_what_is_no_mail_server_is_told_as_that() -> None:
    async with running(Server("connect", b"SSH-2.0-OpenSSH_9.2p1\r\n", pause=1)) as server:
        pool = SmtpPool(MailServer(host="127.0.0.1", port=server.port, security="none"))
        failure = await failure_at(pool)

    assert isinstance(failure, ChannelUnavailable)
    assert "SSH-2.0" in failure.reason
    assert "PINGPILOT_SMTP_PORT" in failure.reason
