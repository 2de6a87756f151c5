"""Asking a platform something about our bot, for the doctor."""

from collections.abc import Mapping
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel

from pingpilot.channels import ChannelKind
from pingpilot.rendering.text import one_line
from pingpilot.telemetry.findings import Finding, Level, Visit

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_REFUSED = (401, 403, 404)  # Telegram answers 404 to a token of the wrong shape

Shape = TypeVar("Shape", bound=BaseModel)


class _Bot(BaseModel):
    username: str


async def ask(
    kind: ChannelKind,
    url: str,
    shape: type[Shape],
    visit: Visit,
    *,
    advice: str,
    headers: Mapping[str, str] | None = None,
) -> Shape | Finding:
    """Return the platform's answer in this shape, or what is to be said where there is none; `advice` is for
    a token that the platform refuses.

    The address may hold the token, so no error of the request is shown whole.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.get(url) as reply,
        ):
            visit.note(kind.label, reply.headers.get("Date", ""))
            if reply.status in _REFUSED:
                return Finding(kind.name, Level.PROBLEM, "The token is refused.", advice)
            reply.raise_for_status()
            body: Any = await reply.json()
            return shape.model_validate(body.get("result", body))
    except (aiohttp.ClientError, OSError, ValueError, TypeError, AttributeError) as exc:
        problem = (
            f"answered {exc.status}" if isinstance(exc, aiohttp.ClientResponseError) else type(exc).__name__
        )
        return Finding(
            kind.name,
            Level.PROBLEM,
            f"{kind.label} can't be asked ({problem}).",
            "Check the network, its DNS and firewall; a daemon keeps what it accepts and goes on trying.",
        )


async def ask_who_we_are(
    kind: ChannelKind, url: str, visit: Visit, *, advice: str, headers: Mapping[str, str] | None = None
) -> Finding:
    """Return whether the platform knows the bot; the rest is as `ask` has it."""
    bot = await ask(kind, url, _Bot, visit, advice=advice, headers=headers)
    return (
        bot
        if isinstance(bot, Finding)
        else Finding(kind.name, Level.OK, f"The bot is @{one_line(bot.username)}.")
    )
