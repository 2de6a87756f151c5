"""A stand-in for a mail server: takes everything, delivers nothing, shows what it took.

The protocol is aiosmtpd's, one `SmtpSession` a connection, with faults at each stage.
"""

import asyncio
import email.policy
import functools
import hmac
import re
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any, Literal, NoReturn, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pingpilot.sandbox.faults import Fault, FaultQueue, SmtpStage
from pingpilot.sandbox.inbox import Changes, Inbox
from pingpilot.sandbox.server import reset_connection

Security = Literal["none", "starttls", "tls"]
"""No encryption; STARTTLS, without which nothing is taken (port 587); TLS from the start (port 465)."""

SIZE_LIMIT_BYTES = 25 * 1024 * 1024

SERVICE_CLOSING = 421
"""The one reply after which a server closes the connection by itself (RFC 5321, 3.8)."""

HALF_A_REPLY = b"25"

COMMAND_STAGES: tuple[SmtpStage, ...] = ("ehlo", "starttls", "auth", "mail", "rcpt", "data", "noop")
"""Stages that are the answer to the command of their name."""

Command = Callable[[str | None], Awaitable[None]]


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

    As careful servers do, it judges at RCPT: `refusal` answers every recipient, `greylists` puts each off
    at first, `wants_full_name` looks at the name in EHLO.
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
        self.offers_pipelining = True
        self.faults = FaultQueue()
        self.connections = 0
        self.sessions: set[SmtpSession] = set()
        self.refused_recipients: dict[str, str] = {}
        self.refusal: str | None = None
        self.wants_full_name = False
        self.greylists = False
        self.asked_for: Counter[str] = Counter()
        self.greetings: list[str] = []
        self.mechanisms = "LOGIN PLAIN"
        self.logins = 0
        self._inbox = Inbox[Mail](Changes())
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; `port` then holds the bound port."""
        context = self.ssl_context if self.security == "tls" else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SmtpSession(self), self.host, self.port, ssl=context)
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

    def judge(self, address: str, greeting: str) -> str | None:
        """Return the answer to RCPT where it is no; called by its session, which was greeted so."""
        self.asked_for[address.lower()] += 1
        if self.wants_full_name and not re.fullmatch(r"\[.+\]|[^.]+(\.[^.]+)+", greeting):
            return f"504 5.5.2 <{greeting}>: Helo command rejected: need fully-qualified hostname"
        if refusal := self.refusal or self.refused_recipients.get(address.lower()):
            return refusal
        if self.greylists and self.asked_for[address.lower()] == 1:
            return f"450 4.2.0 <{address}>: Recipient address rejected: Greylisted, come back later"
        return None

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


class SmtpSession(SMTP):
    """aiosmtpd's server protocol for one connection; mail and credentials go to the stand-in."""

    def __init__(self, server: MailStandIn) -> None:
        hooks = _Hooks(server)
        super().__init__(
            hooks,
            data_size_limit=server.size_limit,
            enable_SMTPUTF8=server.offers_smtputf8,
            hostname="localhost",
            ident="PingPilot sandbox",
            tls_context=server.ssl_context if server.security == "starttls" else None,
            require_starttls=server.security == "starttls",
            auth_require_tls=server.security == "starttls",
            authenticator=hooks.authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._server = server
        for stage in COMMAND_STAGES:
            self._smtp_methods[stage.upper()] = self._guarded(stage, self._smtp_methods[stage.upper()])

    async def cut(self) -> None:
        """Cut the connection and wait for its end."""
        reset_connection(self.transport)
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])

    async def _handle_client(self) -> None:
        self._server.connections += 1
        self._server.sessions.add(self)
        try:
            if await self._behaves("connect"):
                await super()._handle_client()
        finally:
            self._writer.close()  # aiosmtpd leaves it open when a client goes away before the greeting
            self._server.sessions.discard(self)

    def _create_session(self) -> Session:
        return _QuietSession(self.loop)

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Push 530 to those who have not logged in, if the server asks for it; tell whether it did.

        aiosmtpd's own setting for this warns about servers without TLS.
        """
        logged_in = self.session is not None and self.session.authenticated
        if self._server.username is None or logged_in:
            return False
        await self.push("530 5.7.0 Authentication required")
        return True

    def _guarded(self, stage: SmtpStage, command: Command) -> Command:
        """Return an SMTP command that lets a fault at `stage` answer in its place."""

        @functools.wraps(command)
        async def guarded(argument: str | None) -> None:
            if await self._behaves(stage):
                await command(argument)

        return guarded

    async def _behaves(self, stage: SmtpStage) -> bool:
        """Act out a fault that is due at this stage; return whether there was none."""
        fault = self._server.faults.take(stage, accepts_message=False)
        if fault is not None:
            await self.push(await self.act_out(fault))
        return fault is None

    async def act_out(self, fault: Fault) -> str:
        """Return the reply that the fault puts in place of the proper one; hangs if it is to have none."""
        if fault.action == "cut":
            self._writer.write(HALF_A_REPLY)
        if fault.action in ("drop", "cut"):
            reset_connection(self.transport)
        if fault.action != "answer":
            await self._never()
        reply = f"{fault.code} {fault.text}".strip()
        if fault.code == SERVICE_CLOSING:
            await self.push(reply)
            self._writer.close()
            await self._never()
        return reply

    async def _never(self) -> NoReturn:
        """Wait until the end of the connection, which cancels this task."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody resolves this future")


class _QuietSession(Session):
    """aiosmtpd's session without the warning that its own AUTH code logs at each login."""

    login_data: Any = None


class _Hooks:
    """What aiosmtpd asks about EHLO, AUTH, RCPT and DATA."""

    def __init__(self, server: MailStandIn) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name for it
        self, _smtp: SmtpSession, session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self._server.greetings.append(hostname)
        if self._server.offers_pipelining:
            replies.insert(1, "250-PIPELINING")
        without = [reply for reply in replies if not reply.startswith("250-AUTH")]
        if self._server.username is None or len(without) == len(replies):
            return without
        *first, last = without
        return [*first, f"250-AUTH {self._server.mechanisms}", last]

    def authenticate(
        self, _smtp: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        """Let in whoever has the credentials that the server was made with."""
        self._server.logins += 1
        username, password = (text or "" for text in (self._server.username, self._server.password))
        matches = hmac.compare_digest(login.login, username.encode()) and hmac.compare_digest(
            login.password, password.encode()
        )
        return AuthResult(success=matches, handled=False)

    async def handle_RCPT(  # noqa: N802
        self, _smtp: SmtpSession, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._server.judge(address, session.host_name or "")
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, smtp: SmtpSession, _session: Session, envelope: Envelope
    ) -> str:
        fault = self._server.faults.take("message")
        if fault is None or fault.after_accepting:
            self._server.take(envelope)
        return "250 OK" if fault is None else await smtp.act_out(fault)
