"""A stand-in for a mail server: takes everything, delivers nothing, shows what it took."""

import asyncio
import email.policy
import hmac
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from typing import Literal, Self

from aiosmtpd.smtp import Envelope

from pingpilot.sandbox.faults import FaultQueue
from pingpilot.sandbox.inbox import Changes, Inbox
from pingpilot.sandbox.smtp_session import SmtpSession

Security = Literal["none", "starttls", "tls"]
"""No encryption; STARTTLS, without which nothing is taken (port 587); TLS from the start (port 465)."""

SIZE_LIMIT_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that was taken: envelope, parsed message with plain line ends, and bytes as they came."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class MailStandIn:
    """An SMTP server on a loopback socket, in the running event loop.

    It may be started again after `stop()`, on the same port and with what it has received so far. With a
    `username`, it takes mail only from those who log in. A fault's `route` is its stage.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        security: Security = "none",
        ssl_context: ssl.SSLContext | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        if security != "none" and ssl_context is None:
            raise ValueError(f"security {security!r} needs an ssl_context")
        self.host = host
        self.port = port
        self.security = security
        self.ssl_context = ssl_context
        self.username = username
        self.password = password
        self.size_limit = SIZE_LIMIT_BYTES
        self.offers_smtputf8 = True
        self.faults = FaultQueue()
        self.connections = 0
        self.sessions: set[SmtpSession] = set()
        self.refused_recipients: dict[str, str] = {}
        self._inbox = Inbox[Mail](Changes())
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; `port` then holds the bound port."""
        context = self.ssl_context if self.security == "tls" else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_session, self.host, self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut all connections and refuse new ones."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        await asyncio.gather(*(session.cut() for session in self.sessions))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    @property
    def mails(self) -> list[Mail]:
        """All mails, oldest first."""
        return self._inbox.items

    @property
    def on_message(self) -> list[Callable[[Mail], None]]:
        """Called with each mail."""
        return self._inbox.callbacks

    async def wait_for_messages(self, count: int, timeout: float = 10) -> list[Mail]:
        """Return all mails once there are `count`; raises `TimeoutError`."""
        return await self._inbox.wait_for(count, timeout)

    def refuse_recipient(self, address: str, code: int = 550, text: str = "5.1.1 No such user here") -> None:
        """Answer RCPT for this address with a refusal, from now on."""
        self.refused_recipients[address.lower()] = f"{code} {text}"

    def accept_recipient(self, address: str) -> None:
        """Undo `refuse_recipient`."""
        self.refused_recipients.pop(address.lower(), None)

    def accepts_login(self, username: bytes, password: bytes) -> bool:
        """Tell whether these are the credentials that the server was made with."""
        expected = (self.username or "").encode(), (self.password or "").encode()
        return hmac.compare_digest(username, expected[0]) and hmac.compare_digest(password, expected[1])

    def take(self, envelope: Envelope) -> None:
        """Record a mail; called by its session."""
        raw = envelope.original_content or b""
        message = message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=email.policy.default)
        mail = Mail(
            sender=envelope.mail_from or "",
            recipients=list(envelope.rcpt_tos),
            message=message,
            raw=raw,
        )
        self._inbox.take(mail)

    def _new_session(self) -> SmtpSession:
        return SmtpSession(self)
