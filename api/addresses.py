"""Who is at the other end: the caller's address, past the reverse proxies that are trusted."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

Address = IPv4Address | IPv6Address

_OWN_NETWORK = 64  # bits: an IPv6 customer has all addresses below (RFC 6177)


class TrustedProxies:
    """The networks whose `X-Forwarded-For` is believed; any other caller could write what it likes."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(each, strict=False) for each in networks]
        # Who sends many requests sends them from one address
        self._known = lru_cache(maxsize=256)(self._client)

    def trusts(self, request: web.Request) -> bool:
        """Whether the other end of the connection itself is a trusted proxy, whatever headers say."""
        return self._is_trusted(_address(request.remote or ""))

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def client_of(self, request: web.Request) -> str:
        """Return the caller's address; for IPv6 its network, since one caller has billions of addresses.

        Read from the right: what stands left of the first address we don't trust may be made up.
        """
        given = request.headers.getall("X-Forwarded-For", [])
        return self._known(request.remote or "", ",".join(given))

    def _client(self, remote: str, forwarded_for: str) -> str:
        address = _address(remote)
        for hop in reversed([each.strip() for each in forwarded_for.split(",") if each.strip()]):
            if not self._is_trusted(address) or (named := _address(hop)) is None:
                break
            address = named
        if isinstance(address, IPv6Address):
            return str(IPv6Network((int(address), _OWN_NETWORK), strict=False))
        return str(address or "local")


def _address(text: str) -> Address | None:
    """Return the address as it is counted: `::ffff:192.0.2.1` is how many a program writes an IPv4 one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
