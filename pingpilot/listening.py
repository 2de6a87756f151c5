"""The address the API listens on."""

import socket

ANY_IPV6 = "::"


def listening_socket(host: str, port: int) -> socket.socket:
    """Listen there; on `::` for both families where the system can. Raises `OSError`."""
    both = host == ANY_IPV6 and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=both, backlog=1024)
