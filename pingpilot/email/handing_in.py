"""Handing a mail in: MAIL, RCPT, DATA and the message, in as few round trips as the server takes.

aiosmtplib waits for each reply before it says the next word, and keeps one reply at a time. Here its
connection is borrowed for the time of a mail. A server that offers PIPELINING (RFC 2920) hears all three
commands at once: half the round trips, and a fraction of the processor time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import aiosmtplib
from aiosmtplib.email import quote_address

from pingpilot.email.answers import CLOSING

_LONGEST_REPLY = 32 * 1024  # bytes, as in the library; those of real servers are a few thousand
_TAKEN, _WILL_FORWARD, _GO_ON = 250, 251, 354
_NO_SMTP = -1  # the library's code for an answer that is none

# An address in angle brackets, where it can stand in them, else `ValueError`; the same ones come again
_path = lru_cache(maxsize=4096)(quote_address)


async def hand_in(
    connection: aiosmtplib.SMTP,
    sender: str,
    recipient: str,
    message: bytes,
    *,
    options: Sequence[str],
    timeout: float,
) -> None:
    """Hand in a message, whose lines all end with CR and LF; `options` are those of MAIL.

    Raises `SMTPSenderRefused`, `SMTPRecipientRefused` or `SMTPDataError` where the server says no; unless
    that closed the connection, it may be asked something else after RSET. Raises another of aiosmtplib's
    exceptions where the connection is of no use any more, and `ValueError` for an address that can't stand
    in a command. `timeout` is for each reply, in seconds.
    """
    protocol = connection.protocol
    if protocol is None or not connection.is_connected:
        raise aiosmtplib.SMTPServerDisconnected("Server not connected")
    if connection.supports_extension("size"):
        options = [f"SIZE={len(message)}", *options]  # RFC 1870
    mail = " ".join([f"MAIL FROM:{_path(sender)}", *options])
    steps = [
        _Step(
            f"{mail}\r\n".encode(),
            (_TAKEN,),
            lambda code, text: aiosmtplib.SMTPSenderRefused(code, text, sender),
        ),
        _Step(
            f"RCPT TO:{_path(recipient)}\r\n".encode(),
            (_TAKEN, _WILL_FORWARD),
            lambda code, text: aiosmtplib.SMTPRecipientRefused(code, text, recipient),
        ),
        _Step(b"DATA\r\n", (_GO_ON,), aiosmtplib.SMTPDataError),
    ]
    transport = cast("asyncio.Transport", connection.transport)  # uvloop's don't derive from it
    talk = _Talk(transport, timeout)
    transport.set_protocol(talk)
    try:
        await _announce(talk, steps, at_once=connection.supports_extension("pipelining"))
        stuffed = message.replace(b"\r\n.", b"\r\n..")  # RFC 5321, 4.5.2
        talk.say((b"." if message.startswith(b".") else b"") + stuffed + b".\r\n")
        reply = await talk.reply()
        if reply.code != _TAKEN:
            raise aiosmtplib.SMTPDataError(*reply)
    except aiosmtplib.SMTPResponseException as exc:
        if exc.code == CLOSING or talk.is_out_of_step:
            connection.close()
        raise
    finally:
        if not transport.is_closing():
            transport.set_protocol(protocol)


async def _announce(talk: "_Talk", steps: Sequence["_Step"], *, at_once: bool) -> None:
    """Say MAIL, RCPT and DATA. Raises the first no, after the answers to all that was said."""
    refusal: aiosmtplib.SMTPResponseException | None = None
    if at_once:
        talk.say(*(step.command for step in steps))
    for step in steps:
        if not at_once:
            talk.say(step.command)
        try:
            reply = await talk.reply()
        except aiosmtplib.SMTPException as exc:
            raise refusal or exc from None  # many hang up behind a no
        if reply.code not in step.fine and not refusal:
            refusal = step.refusal(*reply)
            if not at_once:
                break
    if refusal and reply.code == _GO_ON:  # it wants a message all the same (RFC 2920, 3.1), and gets none
        talk.say(b".\r\n")
        await talk.reply()
    if refusal:
        raise refusal


@dataclass(frozen=True, slots=True)
class _Step:
    """A command, the codes that take it, and what any other code is."""

    command: bytes
    fine: tuple[int, ...]
    refusal: Callable[[int, str], aiosmtplib.SMTPResponseException]


class _Talk(asyncio.Protocol):
    """A connection while a mail is handed in: keeps replies that come before they are asked for."""

    def __init__(self, transport: asyncio.WriteTransport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._rest = b""
        self._lines: list[bytes] = []
        self._length = 0
        self._replies: deque[aiosmtplib.SMTPResponse] = deque()
        self._failure: aiosmtplib.SMTPException | None = None
        self._arrived = asyncio.Event()
        self._owed = 0

    @property
    def is_out_of_step(self) -> bool:
        """Whether a reply may still come to what was said."""
        return self._owed > 0

    def say(self, *parts: bytes) -> None:
        """Send commands, or the message: each is answered."""
        self._owed += len(parts)
        self._transport.write(b"".join(parts))

    async def reply(self) -> aiosmtplib.SMTPResponse:
        """Return the next reply. Raises one of aiosmtplib's exceptions where there will be none."""
        try:
            async with asyncio.timeout(self._timeout):
                while not self._replies:
                    if self._failure:
                        raise self._failure
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as exc:
            raise aiosmtplib.SMTPReadTimeoutError("Timed out waiting for server response") from exc
        self._owed -= 1
        return self._replies.popleft()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.append(line)
            if line[3:4] == b"-":
                continue
            try:
                code = int(line[:3])
            except ValueError:
                text = line.decode(errors="ignore")
                self._fail(
                    aiosmtplib.SMTPResponseException(_NO_SMTP, f"Malformed SMTP response line: {text}")
                )
                return
            text = b"\n".join(each[4:].strip() for each in self._lines).decode(errors="surrogateescape")
            self._replies.append(aiosmtplib.SMTPResponse(code, text))
            self._lines.clear()
        if len(self._rest) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self._fail(aiosmtplib.SMTPResponseException(_NO_SMTP, "Response too long"))
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        lost = aiosmtplib.SMTPServerDisconnected("Connection lost")
        lost.__cause__ = exc
        self._fail(lost)

    def _fail(self, failure: aiosmtplib.SMTPException) -> None:
        self._failure = self._failure or failure
        self._arrived.set()
