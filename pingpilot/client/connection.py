"""Where PingPilot is and who asks: what both clients need of httpx."""

import os
import re
import ssl
from importlib import metadata
from typing import Any

import httpx

from .errors import NotConfigured
from .replies import MAX_REPLY, Lost
from .tries import Tries

URL_VARIABLE, KEY_VARIABLE = "PINGPILOT_URL", "PINGPILOT_API_KEY"
_HIGHEST_PORT = 65535
_KEY = re.compile(r"[\x21-\x7e]+")


class Connection:
    """The address and the key, checked; the key lives in a header that httpx never shows.

    Both come from the environment where None is given. Raises `NotConfigured`.
    """

    def __init__(self, url: str | None, api_key: str | None) -> None:
        self.url = _address(url)
        key = (os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key).strip()
        if not key:
            raise NotConfigured("There is no API key", KEY_VARIABLE)
        if not _KEY.fullmatch(key):
            raise NotConfigured("The API key has characters that no key can have", KEY_VARIABLE)
        try:  # of what is installed: `pingpilot`, or `pingpilot-client` with this same source
            version = metadata.version(__name__.partition(".")[0].replace("_", "-"))
        except metadata.PackageNotFoundError:  # a copied folder
            version = "0"
        self._headers = httpx.Headers(
            {
                "Authorization": f"Bearer {key}",
                "User-Agent": f"pingpilot-client/{version}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # what is packed has no bound on its size
            }
        )
        if self.url.lower().startswith("https:"):
            self._tls = httpx.create_ssl_context()
        else:  # a context that trusts nobody and costs no time
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def options(self) -> dict[str, Any]:
        """Return what an httpx client is made with."""
        return {"headers": self._headers, "verify": self._tls, "follow_redirects": False}

    def request(self, tries: Tries[Any]) -> dict[str, Any]:
        """Return the request of the next try, as httpx takes it."""
        call = tries.call
        return {
            "method": call.method,
            "url": self.url + call.path,
            "headers": dict(call.headers),
            "content": call.content,
            "timeout": tries.timeout,
        }


def take(content: bytearray, chunk: bytes, tries: Tries[Any]) -> bool:
    """Add a chunk to a reply's body; return whether to go on reading. Raises `httpx.ReadTimeout`."""
    if tries.expired:
        raise httpx.ReadTimeout("the answer took too long")
    content += chunk
    return len(content) <= MAX_REPLY


def lost(exc: httpx.TransportError) -> Lost:
    """Return what became of the try.

    Nothing of the exception is kept: the frames of its traceback hold the key.
    """
    if isinstance(exc, httpx.TimeoutException):
        return Lost("it did not answer in time.")
    return Lost(f"{str(exc) or type(exc).__name__}.")


def _address(url: str | None) -> str:
    text = (os.environ.get(URL_VARIABLE, "") if url is None else url).strip().rstrip("/")
    if not text:
        raise NotConfigured("There is no PingPilot address", URL_VARIABLE)
    try:
        parsed = httpx.URL(text)
        parsed.raw_host.decode().encode("idna")  # as the resolver does, whose error httpx lets through
    except (httpx.InvalidURL, UnicodeError):
        parsed = httpx.URL()
    is_reachable = bool(parsed.host) and (parsed.port or 0) <= _HIGHEST_PORT
    if parsed.scheme not in {"http", "https"} or not is_reachable:
        raise NotConfigured(f"'{text}' is not a valid address such as http://127.0.0.1:8080", URL_VARIABLE)
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise NotConfigured("The address must not have a user, a query or a fragment", URL_VARIABLE)
    return text
