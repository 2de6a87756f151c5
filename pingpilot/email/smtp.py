"""Kept-open connections to the mail server, and what its answers mean."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import aiosmtplib
from pydantic import SecretStr

from pingpilot.email.settings import EmailSettings
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure

_NOOP_AFTER = 5.0  # seconds of idleness after which a connection is asked whether it still works
_SIZE_EXCEEDED = 552
_CREDENTIALS_WANTED = {530, 534, 535, 538}  # RFC 4954, 6
# RFC 3463, 3.2: an address is to blame, with 7 and 8 the sender's, which many servers judge after RCPT only
_NO_SUCH_ADDRESS = re.compile(r"\b5\.1\.(?![78]\b)\d+\b")
_NO_SUCH_SENDER = re.compile(r"\b5\.1\.[78]\b")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `tls_context` None: the system's certificates."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None = None
    password: SecretStr | None = None
    tls_context: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: EmailSettings) -> "MailServer":
        """Return the server of the settings, which must name one."""
        return cls(
            host=settings.host or "",
            port=settings.port_in_use,
            security=settings.security,
            username=settings.username,
            password=settings.password,
        )


class SmtpPool:
    """A few connections that stay open between messages; each carries one message at a time."""

    def __init__(
        self, server: MailServer, *, most: int = 4, timeout: timedelta = timedelta(seconds=20)
    ) -> None:
        self._server = server
        self._timeout = timeout.total_seconds()
        self._free = asyncio.Semaphore(most)
        self._idle: list[tuple[aiosmtplib.SMTP, float]] = []
        self._tls: ssl.SSLContext | None = server.tls_context

    async def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand one message in. Raises `TemporaryFailure`, `PermanentFailure` or `ChannelUnavailable`."""
        async with self._connection() as connection:
            try:
                await connection.sendmail(sender, [recipient], message)
            except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
                raise _refusal(exc) from exc

    async def check(self) -> None:
        """Return once there is a working connection. Raises as `send` does."""
        async with self._connection():
            pass

    async def close(self) -> None:
        """Take leave of the server on every idle connection."""
        while self._idle:
            connection, _ = self._idle.pop()
            try:
                await connection.quit()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Lend a connection; one that saw any trouble is closed, since its answers may be out of step."""
        async with self._free:
            connection = await self._reuse() or await self._connect()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append((connection, asyncio.get_running_loop().time()))

    async def _reuse(self) -> aiosmtplib.SMTP | None:
        """Return an idle connection that still works, and close those that don't."""
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.is_connected:
                connection.close()
                continue
            if asyncio.get_running_loop().time() - since < _NOOP_AFTER:
                return connection
            try:
                await connection.noop()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()
            except BaseException:  # cancelled: nobody else knows of it any more
                connection.close()
                raise
            else:
                return connection
        return None

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        if self._tls is None and server.security != "none":
            self._tls = await asyncio.to_thread(ssl.create_default_context)  # 35 ms
        connection = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",  # False also when offered: never half a promise
            tls_context=self._tls,
            local_hostname=socket.gethostname(),  # the default looks a name up
            timeout=self._timeout,
        )
        try:
            await connection.connect()
            if server.username and server.password:
                await connection.login(server.username, server.password.get_secret_value())
        except BaseException as exc:
            connection.close()
            if isinstance(exc, aiosmtplib.SMTPException | OSError | ValueError):
                raise _no_connection(exc) from exc
            raise
        return connection


def _no_connection(exc: Exception) -> DeliveryFailure:
    """Sort what went wrong before any message: trouble that the settings cause pauses the channel."""
    has_bad_certificate = isinstance(exc, ssl.SSLError) or isinstance(exc.__cause__, ssl.SSLError)
    is_not_offered = type(exc) is aiosmtplib.SMTPException or isinstance(exc, aiosmtplib.SMTPNotSupported)
    # A login or STARTTLS that is refused for good; at either, 4xx is trouble of the server's own. The library
    # gives a refused STARTTLS no class of its own, but everything else before a message.
    is_about_settings = isinstance(exc, aiosmtplib.SMTPAuthenticationError) or (
        type(exc) is aiosmtplib.SMTPResponseException
    )
    is_refused = isinstance(exc, aiosmtplib.SMTPResponseException) and (
        exc.code in _CREDENTIALS_WANTED or (is_about_settings and exc.code >= 500)  # noqa: PLR2004
    )
    reason = f"The mail server can't be used: {_text(exc)}"
    if has_bad_certificate or is_not_offered or is_refused:
        return ChannelUnavailable(reason)
    return TemporaryFailure(reason)


def _refusal(exc: Exception) -> DeliveryFailure:
    """Sort what went wrong with one message, which has one recipient."""
    reason = f"The mail server refused: {_text(exc)}"
    if isinstance(exc, aiosmtplib.SMTPRecipientsRefused):
        refused = exc.recipients[0]
        if _NO_SUCH_SENDER.search(refused.message):
            return ChannelUnavailable(reason)
        return _by_code(refused.code, reason, gone=bool(_NO_SUCH_ADDRESS.search(refused.message)))
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        refuses_sender = (
            isinstance(exc, aiosmtplib.SMTPSenderRefused)
            and exc.code >= 500  # noqa: PLR2004
            and exc.code != _SIZE_EXCEEDED
        )
        if exc.code in _CREDENTIALS_WANTED or refuses_sender:
            return ChannelUnavailable(reason)
        return _by_code(exc.code, reason, gone=False)
    if isinstance(exc, aiosmtplib.SMTPNotSupported | ValueError):
        return PermanentFailure(reason)
    return TemporaryFailure(f"The mail server did not take the message: {_text(exc)}")


def _by_code(code: int, reason: str, *, gone: bool) -> DeliveryFailure:
    if 500 <= code < 600:  # noqa: PLR2004
        return PermanentFailure(reason, recipient_gone=gone)
    return TemporaryFailure(reason)


def _text(exc: Exception) -> str:
    if isinstance(exc, aiosmtplib.SMTPRecipientsRefused):
        return f"{exc.recipients[0].code} {exc.recipients[0].message}"
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        return f"{exc.code} {exc.message}"
    return str(exc) or type(exc).__name__
