"""Stand-ins with the clients that are meant to talk to them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import ClientSession
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord.client import use_api
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser

TOKEN = "7000000042:sandbox-token"


@asynccontextmanager
async def discord_in_place() -> AsyncIterator[DiscordStandIn]:
    """Serve as Discord: discord.py is pointed at the stand-in."""
    with keeping_discords_address():
        async with DiscordStandIn(token=TOKEN) as stand_in:
            use_api(stand_in.url)
            yield stand_in


@contextmanager
def keeping_discords_address() -> Iterator[None]:
    """Undo in the end what was done to discord.py, which keeps its addresses on classes."""
    addresses = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = addresses


async def open_conversation(discord: DiscordStandIn, user: DiscordUser) -> str:
    """Return the id of somebody's conversation with the bot, as linking would have found it."""
    headers = {"Authorization": f"Bot {discord.token}"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"{discord.url}/users/@me/channels", json={"recipient_id": user.id}) as answer,
    ):
        return str((await answer.json())["id"])
