"""Who is at the other end: the caller's address, past the reverse proxies that are trusted."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

Network = IPv4Network | IPv6Network

_OWN_NETWORK = 64  # bits: an IPv6 customer has all addresses below (RFC 6177)


class TrustedProxies:
    """The networks whose `X-Forwarded-For` is believed; any other caller could write what it likes."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(each, strict=False) for each in networks]

    def client_of(self, request: web.Request) -> str:
        """Return the caller's address; for IPv6 its network, since one caller has billions of addresses.

        Read from the right: what stands left of the first address we don't trust may be made up.
        """
        address = request.remote or "local"
        for hop in reversed(self._hops(request) if self._trusts(address) else []):
            if not _is_address(hop):
                break
            address = hop
            if not self._trusts(hop):
                break
        return _network_of(address)

    def _hops(self, request: web.Request) -> list[str]:
        header = ",".join(request.headers.getall("X-Forwarded-For", []))
        return [hop.strip() for hop in header.split(",") if hop.strip()]

    def _trusts(self, address: str) -> bool:
        if not self._networks or not _is_address(address):
            return False
        parsed = ip_address(address)
        return any(parsed in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _network_of(address: str) -> str:
    if ":" not in address:
        return address
    return str(ip_network(f"{address.split('%', maxsplit=1)[0]}/{_OWN_NETWORK}", strict=False))
