"""Where a webhook leads: looked up once, judged, and then connected to and to nothing else.

A name may be pointed elsewhere at any moment, so what was judged is what is connected to: the connector of a
request knows these addresses alone, and makes no socket for another.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from aiohttp import AddrInfoType, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from pingpilot.accounts.webhooks import ALLOW, WebhookUrl
from pingpilot.errors import PermanentFailure, TemporaryFailure
from pingpilot.lookups import in_thread
from pingpilot.networks import Address, Network, address_of, is_within, obstacle_in

LookUp = Callable[[str], Awaitable[Sequence[Address]]]
"""Returns the addresses of a host name. Raises `OSError`, or `ValueError` for what is no name."""

# Bytes: aiohttp parses all that is there in one go, and a flood of interim answers (1xx), of which it takes
# any number, would keep the loop from everything else for seconds
_RECEIVED_AT_ONCE = 4096
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Resolver:
    """Asks the system's resolver. Of one host, one look-up is under way at a time: others join it."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[list[Address]]] = {}

    async def look_up(self, host: str) -> list[Address]:
        """Return a host's addresses, as `LookUp` says; to be called under a time limit."""
        under_way = self._under_way.get(host)
        if under_way is None:
            under_way = self._under_way[host] = in_thread(partial(_addresses, host))
            under_way.add_done_callback(lambda _: self._under_way.pop(host, None))
        return await asyncio.shield(under_way)


def _addresses(host: str) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    known = (address_of(str(each[4][0])) for each in found)
    return list(dict.fromkeys(each for each in known if each))


async def addresses_to_use(
    url: WebhookUrl, *, allowed: Sequence[Network], look_up: LookUp
) -> tuple[Address, ...]:
    """Return those of a webhook's addresses that may be connected to, one at least.

    Raises `TemporaryFailure` where its name can't be looked up, `PermanentFailure` where it leads only to
    addresses that are refused.
    """
    if url.address:
        found: Sequence[Address] = [url.address]
    else:
        try:
            found = await look_up(url.host)
        except socket.gaierror as exc:
            problem = "is not known" if exc.errno in _UNKNOWN else "can't be looked up just now"
            raise TemporaryFailure(
                f"The webhook's host name {problem}: {exc.strerror}.", recipient_alone=True
            ) from exc
        except (OSError, ValueError) as exc:
            reason = f"The webhook's host name can't be looked up: {exc}."
            raise TemporaryFailure(reason, recipient_alone=True) from exc
    good = [each for each in found if obstacle_in(each, allowed) is None]
    if not good:
        kind = next((kind for each in found if (kind := obstacle_in(each, allowed))), "no")
        raise PermanentFailure(
            f"The webhook leads to {kind} address, to which nothing is sent unless the operator of this "
            f"server allows it with {ALLOW}.",
            recipient_refused=True,
        )
    if not url.is_secure and not (good := [each for each in good if is_within(each, allowed)]):
        raise PermanentFailure(
            f"The webhook's address must begin with https://, since it is not in a network of {ALLOW}.",
            recipient_refused=True,
        )
    return tuple(good)


def pinned_session(addresses: Sequence[Address], *, tls: ssl.SSLContext | None = None) -> ClientSession:
    """Return a session for one request, whose connections lead to these addresses whatever the URL says.

    TLS checks the URL's host all the same. No proxy, cookie or password of the environment is used.
    """
    known = frozenset(addresses)

    def make_socket(info: AddrInfoType) -> socket.socket:
        family, type_, proto, _, target = info
        if address_of(str(target[0])) not in known:  # one in the URL goes past the resolver
            raise OSError("This address was not looked at.")
        made = socket.socket(family=family, type=type_, proto=proto)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_AT_ONCE)
        return made

    connector = TCPConnector(
        resolver=_Pinned(addresses),
        use_dns_cache=False,
        force_close=True,
        socket_factory=make_socket,
        ssl=tls or True,
    )
    return ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=ClientTimeout(total=None, sock_connect=None),  # the caller has one limit for all of it
    )


class _Pinned(AbstractResolver):
    """Knows the same addresses for every name."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(each),
                port=port,
                family=socket.AF_INET if each.version == 4 else socket.AF_INET6,  # noqa: PLR2004
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each in self._addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""
