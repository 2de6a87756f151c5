"""One client's connection to the mail stand-in: aiosmtpd's protocol, with faults at each stage."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pingpilot.sandbox.faults import Fault, SmtpStage
from pingpilot.sandbox.server import reset_connection

if TYPE_CHECKING:
    from pingpilot.sandbox.smtp import MailStandIn

SERVICE_CLOSING = 421
"""The one reply after which a server closes the connection by itself (RFC 5321, 3.8)."""

HALF_A_REPLY = b"25"

COMMAND_STAGES: tuple[SmtpStage, ...] = ("ehlo", "starttls", "auth", "mail", "rcpt", "data")
"""Stages that are the answer to the command of their name."""

Command = Callable[[str | None], Awaitable[None]]


class SmtpSession(SMTP):
    """aiosmtpd's server protocol for one connection; mail and credentials go to the stand-in."""

    def __init__(self, server: MailStandIn) -> None:
        super().__init__(
            _Hooks(server),
            data_size_limit=server.size_limit,
            enable_SMTPUTF8=server.offers_smtputf8,
            hostname="localhost",
            ident="PingPilot sandbox",
            tls_context=server.ssl_context if server.security == "starttls" else None,
            require_starttls=server.security == "starttls",
            auth_require_tls=server.security == "starttls",
            authenticator=_authenticate(server),
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
        """Act out a fault that is due at this stage; tell whether there was none."""
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
    """What aiosmtpd asks about EHLO, RCPT and DATA."""

    def __init__(self, server: MailStandIn) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name for it
        self, _smtp: SmtpSession, session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        session.host_name = hostname
        offers_login = self._server.username is not None
        return [reply for reply in replies if offers_login or not reply.startswith("250-AUTH")]

    async def handle_RCPT(  # noqa: N802
        self, _smtp: SmtpSession, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._server.refused_recipients.get(address.lower())
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


def _authenticate(server: MailStandIn) -> Any:
    def check(
        _smtp: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=server.accepts_login(*login), handled=False)

    return check
