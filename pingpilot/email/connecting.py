"""A new connection to the mail server: found, greeted, encrypted and logged in as the settings ask."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable

import aiosmtplib

from pingpilot.email.obstacles import WantsTls, obstacle
from pingpilot.email.resolving import Resolver, full_host_name
from pingpilot.email.server import MailServer
from pingpilot.errors import ChannelUnavailable

_TLS_PORT = 465
_TLS_TRIAL = 5.0  # seconds for finding out whether a server that says nothing waits for TLS
_LOGIN_WAITS = (60.0, 120.0, 300.0, 600.0)
"""Seconds after the first, second, … refused login until the next: at most four tries in ten minutes, since
fail2ban by default shuts out whoever has five."""
_UNKNOWN_MECHANISM, _WEAK_MECHANISM = 504, 534  # RFC 4954, 6: another way to log in may do
_BEST_MECHANISMS = {True: ("plain", "login", "cram-md5"), False: ("cram-md5", "plain", "login")}
"""Ways to log in, best first, over an encrypted connection or not."""


class Connector:
    """Opens connections to one mail server.

    A login that was refused is not repeated for a while, and goes first alone: servers shut out whoever has
    too many that fail. `monotonic` gives seconds.
    """

    def __init__(self, server: MailServer, *, timeout: float, monotonic: Callable[[], float]) -> None:
        self._server = server
        self._timeout = timeout
        self._monotonic = monotonic
        self._resolver = Resolver(server.host, server.port)
        self._tls = server.tls_context
        self._helo = server.helo
        self._one_login = asyncio.Lock()
        self._login_works = server.username is None
        self._refused_logins = 0
        self._no_login_before = 0.0
        self._refusal = ""

    async def connect(self) -> aiosmtplib.SMTP:
        """Return a connection that mail can be handed in over.

        Raises `ChannelUnavailable` where the settings are to blame, else `TemporaryFailure`.
        """
        if self._login_works:
            return await self._sorted_connect()
        async with self._one_login:
            if self._monotonic() < self._no_login_before:
                raise ChannelUnavailable(self._refusal)
            return await self._sorted_connect()

    async def _sorted_connect(self) -> aiosmtplib.SMTP:
        try:
            if self._server.port == _TLS_PORT:
                await self._check_security()
            try:
                return await self._connect()
            except aiosmtplib.SMTPConnectTimeoutError:
                await self._check_security()
                raise
        except (aiosmtplib.SMTPException, OSError, ValueError, WantsTls) as exc:
            failure = obstacle(exc, self._server)
            if type(failure) is ChannelUnavailable and isinstance(exc, aiosmtplib.SMTPAuthenticationError):
                wait = _LOGIN_WAITS[min(self._refused_logins, len(_LOGIN_WAITS) - 1)]
                self._login_works = False
                self._refused_logins += 1
                self._no_login_before = self._monotonic() + wait
                self._refusal = failure.reason
            raise failure from exc

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        if self._tls is None and server.security != "none":
            self._tls = await asyncio.to_thread(tls_context, server.ca_file)  # 35 ms
        sock = await self._open_socket()
        try:
            connection = aiosmtplib.SMTP(
                hostname=server.host,
                sock=sock,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",  # False also when offered: never half a promise
                tls_context=self._tls,
                local_hostname=await self._name_for_greeting(sock),
                timeout=self._timeout,
            )
        except BaseException:
            sock.close()
            raise
        try:
            await connection.connect()
            await _greet(connection)
            if server.username and server.password:
                await _log_in(connection, server.username, server.password.get_secret_value())
                self._login_works, self._refused_logins, self._no_login_before = True, 0, 0.0
        except BaseException:
            connection.close()
            raise
        return connection

    async def _open_socket(self) -> socket.socket:
        """Return a connected socket: the first of the host's addresses that answers."""
        server, loop = self._server, asyncio.get_running_loop()
        until = loop.time() + self._timeout
        try:
            async with asyncio.timeout_at(until):
                addresses = await self._resolver.addresses()
        except TimeoutError as exc:
            raise OSError(f"{server.host} could not be looked up within {self._timeout:g} seconds") from exc
        except OSError as exc:
            raise OSError(f"{server.host} can't be looked up ({exc.strerror or exc})") from exc
        problem = "it has no address"
        for number, (family, address) in enumerate(addresses):
            share = (until - loop.time()) / (len(addresses) - number)
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(share):
                    await loop.sock_connect(sock, address)
            except OSError as exc:  # a time-out is one too
                sock.close()
                problem = exc.strerror or "no answer in time"
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise OSError(f"{server.host} can't be reached on port {server.port} ({problem})")

    async def _name_for_greeting(self, sock: socket.socket) -> str:
        """Return the name for EHLO: the one set, this machine's full name, or its address.

        A bare name is none (RFC 5321, 4.1.1.1); in a container it would be its id.
        """
        if self._helo is None:
            self._helo = await full_host_name() or ""
        if self._helo:
            return self._helo
        address = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
        return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"  # noqa: PLR2004

    async def _check_security(self) -> None:
        """Raise `WantsTls` if the server speaks TLS from the start, unlike the settings.

        Both sides would wait for the other's first word.
        """
        if self._server.security == "tls":
            return
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE  # nothing is sent to it
        try:
            async with asyncio.timeout(_TLS_TRIAL):
                sock = await self._open_socket()
                _, writer = await asyncio.open_connection(
                    sock=sock, ssl=anybody, server_hostname=self._server.host
                )
        except (OSError, ValueError):
            return
        writer.transport.abort()
        raise WantsTls(f"it wants TLS from the start on port {self._server.port}")


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the system's certificates, and those in the file."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


async def _greet(connection: aiosmtplib.SMTP) -> None:
    """Say who we are and learn what the server offers; some old ones know HELO alone."""
    if connection.is_ehlo_or_helo_needed:
        try:
            await connection.ehlo()
        except aiosmtplib.SMTPHeloError:
            if not connection.is_connected:
                raise
            await connection.helo()


async def _log_in(connection: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in with one try: servers count those that fail, and shut out whoever has too many.

    The library's `login` goes on with the next way to log in after a wrong password.
    """
    is_encrypted = connection.get_transport_info("sslcontext") is not None
    ways = {
        "plain": connection.auth_plain,
        "login": connection.auth_login,
        "cram-md5": connection.auth_crammd5,
    }
    offered = [way for way in _BEST_MECHANISMS[is_encrypted] if way in connection.supported_auth_methods]
    if not offered:
        hint = "" if is_encrypted else "; it may do so over an encrypted connection"
        raise aiosmtplib.SMTPNotSupported(f"it offers no way to log in that we know{hint}")
    for way in offered:
        try:
            await ways[way](username, password)
        except aiosmtplib.SMTPAuthenticationError as exc:
            if exc.code not in (_UNKNOWN_MECHANISM, _WEAK_MECHANISM) or way == offered[-1]:
                raise
        else:
            return
