"""Asking a platform who our bot is, for the doctor."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from pingpilot.channels import ChannelKind
from pingpilot.telemetry.findings import Dates, Finding, Level

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_REFUSED = (401, 403, 404)  # Telegram answers 404 to a token of the wrong shape


async def ask_who_we_are(
    kind: ChannelKind, url: str, dates: Dates, *, advice: str, headers: Mapping[str, str] | None = None
) -> Finding:
    """Return whether the platform knows the bot; `advice` is for a token that it refuses.

    The address may hold the token, so no error of the request is shown whole.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.get(url) as reply,
        ):
            dates.note(kind.label, reply.headers.get("Date", ""))
            if reply.status in _REFUSED:
                return Finding(kind.name, Level.PROBLEM, "The token is refused.", advice)
            reply.raise_for_status()
            body: Any = await reply.json()
            bot = body.get("result", body)["username"]
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        problem = (
            f"answered {exc.status}" if isinstance(exc, aiohttp.ClientResponseError) else type(exc).__name__
        )
        return Finding(
            kind.name,
            Level.PROBLEM,
            f"{kind.label} can't be asked ({problem}).",
            "Check the network, its DNS and firewall; a daemon keeps what it accepts and goes on trying.",
        )
    return Finding(kind.name, Level.OK, f"The bot is @{bot}.")
