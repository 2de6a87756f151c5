"""Webhooks: the addresses they may have, and the secrets they are signed with."""

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import idna

from pingpilot.config import PREFIX
from pingpilot.errors import InvalidInput
from pingpilot.networks import Address, Network, address_of, is_within, obstacle_in

LONGEST_URL = 2000
"""Characters of a webhook's address."""
ALLOW = f"{PREFIX}WEBHOOK_ALLOW"
"""The setting that opens networks of the operator's own to webhooks."""
SECRET_PREFIX = "whsec_"  # noqa: S105  # what secrets begin with
EXAMPLE = "https://hooks.example.com/pingpilot"

_SECRET_BYTES = 32  # the specification asks for 24 to 64
_LARGEST_PORT = 65535
_LONGEST_HOST = 253
_URL = re.compile(r"(?P<host>\[[^\]]*\]|[^/?:\[\]]*)(?::(?P<port>[^/?]*))?(?P<rest>[/?].*)?", re.DOTALL)
_UNWRITABLE = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\ud800-\udfff]")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# https://url.spec.whatwg.org/#ends-in-a-number-checker: such a host is an IPv4 address or nothing
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCALHOST = re.compile(r"(?:.+\.)?localhost|localhost\.localdomain|ip6-(?:localhost|loopback)")
_LOOPBACKS = tuple(each for each in (address_of("127.0.0.1"), address_of("::1")) if each)
_AS_THEY_ARE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """A webhook's address, taken apart. `host` is in ASCII; `address` is set where it is a number."""

    text: str
    host: str
    port: int
    is_secure: bool
    address: Address | None


def new_webhook_secret() -> str:
    """Return a fresh secret in the form of the Standard Webhooks specification."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def check_webhook_url(text: str, allowed: Sequence[Network] = ()) -> str:
    """Return the address as it is stored: its host in ASCII, the rest with only ASCII letters in it.

    `allowed` are the networks of `PINGPILOT_WEBHOOK_ALLOW`. Raises `InvalidInput`, whose sentence never
    repeats the address: many carry a secret.
    """
    return read_webhook_url(text, allowed).text


def read_webhook_url(text: str, allowed: Sequence[Network] = ()) -> WebhookUrl:
    """Take a webhook's address apart. Raises as `check_webhook_url` does.

    Where a name leads is not looked at: it may lead elsewhere by the time something is sent.
    """
    text = text.strip()
    if not text:
        raise InvalidInput(f"A webhook needs an address to post to, such as {EXAMPLE}.")
    if _UNWRITABLE.search(text):
        raise InvalidInput(
            "A webhook's address can't hold spaces, line breaks or backslashes: write them as % and two "
            "digits."
        )
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in ("https", "http"):
        raise InvalidInput(f"A webhook's address must begin with https://, such as {EXAMPLE}.")
    if "#" in rest:
        raise InvalidInput("A webhook's address has no part after #, which is never sent: leave it out.")
    if "@" in re.split("[/?]", rest, maxsplit=1)[0]:
        raise InvalidInput(
            "A webhook's address can't hold a user name or password: its signature tells who sent it. "
            "Leave out what is before the @."
        )
    match = _URL.fullmatch(rest)
    if not match or not match["host"]:
        raise InvalidInput(f"A webhook's address needs a host name, such as {EXAMPLE}.")
    is_secure = scheme.lower() == "https"
    customary = 443 if is_secure else 80
    port = _port(match["port"], customary)
    host, address = _host(match["host"], allowed)
    if not is_secure and not (is_within(address, allowed) if address else allowed):
        raise InvalidInput(
            f"A webhook's address must begin with https://. The operator of this server can open networks "
            f"to http:// with {ALLOW}."
        )
    place = f"[{host}]" if ":" in host else host
    if port != customary:
        place += f":{port}"
    path = quote(match["rest"] or "/", safe=_AS_THEY_ARE)
    whole = f"{scheme.lower()}://{place}{'' if path.startswith('/') else '/'}{path}"
    if len(whole) > LONGEST_URL:
        raise InvalidInput(f"A webhook's address has at most {LONGEST_URL:,} characters.")
    return WebhookUrl(whole, host, port, is_secure, address)


def _port(text: str | None, customary: int) -> int:
    if not text:
        return customary
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) <= _LARGEST_PORT:
        raise InvalidInput(f"The port of a webhook's address is a number from 1 to {_LARGEST_PORT}.")
    return int(text)


def _host(text: str, allowed: Sequence[Network]) -> tuple[str, Address | None]:
    """Return the host in ASCII, and the address it is where it is one."""
    if text.startswith("["):
        address = address_of(text[1:-1])
        if address is None or ":" not in text or "%" in text:
            raise InvalidInput(
                "What stands in brackets in a webhook's address must be an IPv6 address without a zone."
            )
        return str(_permitted(address, allowed)), address
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.encode(text, uts46=True).decode()
        except idna.IDNAError:
            host = ""
    host = host.removesuffix(".")
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise InvalidInput(f"The host name of a webhook's address is not valid: it looks like {EXAMPLE}.")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        address = address_of(host)
        if address is None:
            raise InvalidInput(
                "A webhook's address has its host as a name, or as four decimal numbers such as 192.0.2.1."
            )
        return str(_permitted(address, allowed)), address
    if _LOCALHOST.fullmatch(host) and not any(is_within(each, allowed) for each in _LOOPBACKS):
        raise InvalidInput(
            f"A webhook can't lead to this server itself, unless its operator allows that with {ALLOW}."
        )
    if "." not in host and not allowed:
        raise InvalidInput(f"The host of a webhook's address needs its domain, such as {EXAMPLE}.")
    return host, None


def _permitted(address: Address, allowed: Sequence[Network]) -> Address:
    if kind := obstacle_in(address, allowed):
        raise InvalidInput(
            f"A webhook can't lead to {kind} address, unless the operator of this server allows that "
            f"with {ALLOW}."
        )
    return address
