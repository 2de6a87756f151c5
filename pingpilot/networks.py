"""Which addresses a program elsewhere may send us to: those of the internet, never our own network's.

Python's `is_global` is not asked: what it says changed between patch releases, and it knows neither what
an address embeds nor the clouds' metadata services.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# https://www.iana.org/assignments/iana-ipv4-special-registry
_IPV4 = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "an unspecified"),
        ("10.0.0.0/8", "a private"),
        ("100.64.0.0/10", "a shared"),
        ("127.0.0.0/8", "a loopback"),
        ("168.63.129.16/32", "a metadata"),  # Azure's, in the middle of public ones
        ("169.254.169.254/32", "a metadata"),
        ("169.254.0.0/16", "a link-local"),
        ("172.16.0.0/12", "a private"),
        ("192.0.0.0/24", "a reserved"),
        ("192.0.2.0/24", "a reserved"),
        ("192.88.99.0/24", "a reserved"),
        ("192.168.0.0/16", "a private"),
        ("198.18.0.0/15", "a reserved"),
        ("198.51.100.0/24", "a reserved"),
        ("203.0.113.0/24", "a reserved"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
    )
)
# https://www.iana.org/assignments/iana-ipv6-special-registry; what is not in 2000::/3 is not of the internet
_IPV6 = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("::/128", "an unspecified"),
        ("::1/128", "a loopback"),
        ("fe80::/10", "a link-local"),
        ("fec0::/10", "a site-local"),
        ("fc00::/7", "a private"),
        ("ff00::/8", "a multicast"),
        ("2001::/32", "a Teredo"),
        ("2001::/23", "a reserved"),
        ("2001:db8::/32", "a reserved"),
        ("2002::/16", "a 6to4"),
        ("3fff::/20", "a reserved"),
    )
)
_INTERNET = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: what IPv6-only networks know IPv4 addresses by
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: the third quarter of such an address
_LOW_32 = 0xFFFFFFFF


def obstacle_in(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Return what kind of address it is, such as `a private`, where nobody may send us there; None else.

    `allowed` are the networks that the operator opens. An IPv4 address within an IPv6 one is judged as
    itself: that is where packets go.
    """
    meant = _embedded(address) or address
    if is_within(address, allowed):
        return None
    if isinstance(meant, IPv4Address):
        return next((kind for network, kind in _IPV4 if meant in network), None)
    if int(meant) >> 32 & _LOW_32 in _ISATAP:
        return "an ISATAP"
    known = next((kind for network, kind in _IPV6 if meant in network), None)
    return known or (None if meant in _INTERNET else "a reserved")


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address, or the IPv4 one within it, belongs to one of these networks."""
    own = {address, _embedded(address) or address}
    return any(each in network for each in own for network in networks)


def networks_of(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks that are written as `10.0.0.0/8` or, for one address, `10.0.0.1`."""
    return tuple(ip_network(each, strict=False) for each in texts)


def address_of(text: str) -> Address | None:
    """Return the address that is written here in its customary form, None for any other text."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv4-mapped or NAT64 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    return address.ipv4_mapped or (IPv4Address(int(address) & _LOW_32) if address in _NAT64 else None)
