"""The settings of the Discord channel: `PINGPILOT_DISCORD_…`."""

import re
from base64 import b64decode

from pydantic_settings import SettingsConfigDict

from pingpilot.channels import DISCORD
from pingpilot.config import PREFIX, BotSettings, HttpUrl, unnamed_bot

DISCORD_API = "https://discord.com/api/v10"


class DiscordSettings(BotSettings):
    """Which bots speak for PingPilot on Discord."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}DISCORD_")

    api_url: HttpUrl = DISCORD_API

    @property
    def bot(self) -> str | None:
        """By its id, which is the token's first part in base64 and stays when the token is renewed."""
        if self.token is None:
            return None
        first, _, secret = self.token.get_secret_value().partition(".")
        try:
            number = b64decode(first + "=" * (-len(first) % 4), validate=True).decode("ascii")
        except ValueError:
            number = ""
        is_id = secret and re.fullmatch("[0-9]{1,20}", number)
        return f"{DISCORD.name}:{number}" if is_id else unnamed_bot(DISCORD.name, self.token)
