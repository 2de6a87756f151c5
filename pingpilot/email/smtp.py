"""Kept-open connections to the mail server."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import aiosmtplib

from pingpilot.config import PREFIX
from pingpilot.email.answers import RefusedRecipient, on_message, on_recipient
from pingpilot.email.connecting import Connector
from pingpilot.email.handing_in import hand_in
from pingpilot.email.server import MailServer
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure

_NOOP_AFTER = 5.0  # seconds of idleness after which a connection is asked whether it still works
_NOOP_PATIENCE = 3.0  # seconds for the answer
_MOST_CARRIED = 50  # mails over one connection: OpenSMTPD takes 100, Exim 1,000
_QUIT_PATIENCE = 2.0  # seconds
_REMEMBERED = 50  # recipients that were served, for comparison


class SmtpPool:
    """A few connections that stay open between messages; each carries one message at a time.

    A mail server counts those of all daemons together: `share` says how many of `most` are this one's now.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        most: int = 4,
        share: Callable[[int], int] = lambda most: most,
        timeout: timedelta = timedelta(seconds=20),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._timeout = timeout.total_seconds()
        self._places = _Places(lambda: share(most))
        self._idle: list[tuple[aiosmtplib.SMTP, float, int]] = []  # since when, mails carried
        self._connector = Connector(server, timeout=self._timeout, monotonic=monotonic)
        self._served: deque[str] = deque(maxlen=_REMEMBERED)

    async def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand one message in. Raises `TemporaryFailure`, `PermanentFailure` or `ChannelUnavailable`."""
        async with self._connection() as connection:
            _check_letters(connection, sender, recipient)
            try:
                options = _options(sender, recipient)
                await hand_in(connection, sender, recipient, message, options=options, timeout=self._timeout)
            except aiosmtplib.SMTPRecipientRefused as exc:
                judged = on_recipient(exc, self._server.login)
                if isinstance(judged, RefusedRecipient):
                    judged = await self._compared(connection, sender, recipient, judged)
                if isinstance(judged, PermanentFailure) and recipient in self._served:
                    self._served.remove(recipient)
                raise judged from exc
            except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
                raise on_message(exc, self._server.login) from exc
        if recipient in self._served:
            self._served.remove(recipient)
        self._served.append(recipient)

    async def check(self, sender: str) -> None:
        """Return once there is a connection that mail of this sender can go over. Raises as `send` does."""
        async with self._connection() as connection:
            _check_letters(connection, sender)

    async def rehearse(self, sender: str, recipient: str) -> None:
        """Ask whether the server would take a mail, without sending one. Raises as `send` does."""
        async with self._connection() as connection:
            _check_letters(connection, sender, recipient)
            try:
                await _announce(connection, sender, recipient)
                await connection.rset()
            except aiosmtplib.SMTPRecipientRefused as exc:
                judged = on_recipient(exc, self._server.login)
                if isinstance(judged, RefusedRecipient):
                    is_ours = judged.blames_us and not (judged.is_ambiguous and recipient == sender)
                    judged = judged.of_everybody() if is_ours else judged.of_one()
                raise judged from exc
            except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
                raise on_message(exc, self._server.login) from exc

    async def close(self) -> None:
        """Take leave of the server on every idle connection, which is not waited for long."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_take_leave(connection) for connection, _, _ in idle))

    async def _compared(
        self, connection: aiosmtplib.SMTP, sender: str, recipient: str, refused: RefusedRecipient
    ) -> DeliveryFailure:
        """Judge a refusal by how somebody fares who was served before; that one gets no mail by it.

        Where nobody was yet, the sender takes that place, unless the words are clear.
        """
        other = next((each for each in reversed(self._served) if each != recipient), None)
        if other is None:
            if refused.blames_us:
                return refused.of_everybody()
            if refused.is_gone or recipient == sender:
                return refused.of_one()
            other = sender
        try:
            await connection.rset()
            await _announce(connection, sender, other)
        except aiosmtplib.SMTPResponseException as exc:
            if exc.code >= 500 or not refused.is_final:  # noqa: PLR2004
                return refused.of_everybody()
            return TemporaryFailure(str(refused), recipient_alone=True)  # next time we may know more
        except (aiosmtplib.SMTPException, OSError) as exc:
            return on_message(exc, self._server.login)
        return refused.of_one()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Lend a connection; one that saw any trouble is closed, since its answers may be out of step."""
        async with self._places:
            connection, carried = await self._reuse() or (await self._connector.connect(), 0)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            if carried + 1 < _MOST_CARRIED and not self._places.are_too_many(len(self._idle)):
                self._idle.append((connection, asyncio.get_running_loop().time(), carried + 1))
            else:
                await _take_leave(connection)

    async def _reuse(self) -> tuple[aiosmtplib.SMTP, int] | None:
        """Return an idle connection that still works with the mails it carried; close those that don't."""
        while self._idle:
            connection, since, carried = self._idle.pop()
            if not connection.is_connected:
                connection.close()
                continue
            if asyncio.get_running_loop().time() - since < _NOOP_AFTER:
                return connection, carried
            try:
                await connection.noop(timeout=_NOOP_PATIENCE)
            except (aiosmtplib.SMTPException, OSError):
                # Those that idle for longer are as dead, as behind a router that forgot them all
                for each in (connection, *(older for older, _, _ in self._idle)):
                    each.close()
                self._idle.clear()
            except BaseException:  # cancelled: nobody else knows of it any more
                connection.close()
                raise
            else:
                return connection, carried
        return None


class _Places:
    """As many at a time as `most` says just now, in order of asking."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def are_too_many(self, idle: int) -> bool:
        """Return whether there are more than may be, with so many idle ones."""
        return self._taken + idle > self._most()

    async def __aenter__(self) -> None:
        while self._taken >= self._most():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._call()  # the next one, if it was this one's turn
                raise
        self._taken += 1

    async def __aexit__(self, *_error: object) -> None:
        self._taken -= 1
        self._call()

    def _call(self) -> None:
        free = self._most() - self._taken
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


async def _take_leave(connection: aiosmtplib.SMTP) -> None:
    try:
        await connection.quit(timeout=_QUIT_PATIENCE)
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        connection.close()


def _check_letters(connection: aiosmtplib.SMTP, sender: str, recipient: str = "") -> None:
    """Raise a failure where an address has letters that the server does not take (RFC 6531)."""
    if connection.supports_extension("smtputf8"):
        return
    only_ascii = "The mail server takes only ASCII letters in addresses, it does not offer SMTPUTF8"
    if not sender.isascii():
        raise ChannelUnavailable(f"{only_ascii}. Set {PREFIX}SMTP_FROM to an address without others.")
    if not recipient.isascii():
        raise PermanentFailure(f"{only_ascii}.", recipient_gone=True)


def _options(*addresses: str) -> list[str]:
    return [] if all(each.isascii() for each in addresses) else ["SMTPUTF8", "BODY=8BITMIME"]


async def _announce(connection: aiosmtplib.SMTP, sender: str, recipient: str) -> None:
    """Say MAIL and RCPT."""
    options = _options(sender, recipient)
    encoding = "utf-8" if options else "ascii"
    await connection.mail(sender, options=options, encoding=encoding)
    await connection.rcpt(recipient, encoding=encoding)
