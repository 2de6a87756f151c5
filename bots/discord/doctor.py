"""Whether Discord knows the bot, for `pingpilot doctor`."""

from bots.asking import ask_who_we_are
from bots.discord.settings import DiscordSettings
from pingpilot.channels import DISCORD
from pingpilot.telemetry.findings import Finding, Visit


async def check(settings: DiscordSettings, visit: Visit) -> Finding:
    """Ask Discord who the bot is (`GET /users/@me`)."""
    token = settings.token.get_secret_value() if settings.token else ""
    return await ask_who_we_are(
        DISCORD,
        f"{settings.api_url}/users/@me",
        visit,
        headers={"Authorization": f"Bot {token}"},
        advice="Make a new token at https://discord.com/developers/applications (Bot, Reset Token) and set "
        f"{settings.variable('token')}.",
    )
