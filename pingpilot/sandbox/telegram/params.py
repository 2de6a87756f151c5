"""The parameters of a Bot API request, in whichever of the ways that Telegram takes them."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from pingpilot.sandbox.server import Refused


def refused(
    status: int,
    description: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    limit: str | None = None,
) -> Refused:
    """Return the Bot API's way of saying no."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return Refused(status, body | {"parameters": parameters} if parameters else body, limit=limit)


class Params:
    """Parameters by name; forms carry everything as text, and structures as JSON in text.

    `via` is the host and port that the request named.
    """

    def __init__(self, values: Mapping[str, Any], *, via: str = "") -> None:
        self._values = values
        self.via = via

    @classmethod
    async def of(cls, request: web.Request) -> "Params":
        """Read a request's query and body: JSON, urlencoded or multipart."""
        values: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json":
            values |= await request.json()
        else:
            values |= await request.post()
        return cls(values, via=request.host)

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """Return the text, empty if it is absent."""
        return str(self._values.get(name) or "")

    def integer(self, name: str, default: int = 0) -> int:
        """Return the number; raises `Refused` for what is none."""
        if name not in self:
            return default
        try:
            return int(self._values[name])
        except ValueError:
            raise refused(400, f"Bad Request: {name} must be an integer") from None

    def flag(self, name: str) -> bool:
        """Return whether the parameter is there and true."""
        return self.text(name).lower() in ("true", "1", "yes")

    def structure(self, name: str) -> Any:
        """Return an object or list, `None` if it is absent; raises `Refused` for broken JSON."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise refused(400, f"Bad Request: can't parse {name} JSON object") from None
