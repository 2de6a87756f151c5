"""The settings of the Discord channel: `PINGPILOT_DISCORD_…`."""

from pydantic_settings import SettingsConfigDict

from pingpilot.config import PREFIX, ChannelSettings, HttpUrl, Token

DISCORD_API = "https://discord.com/api/v10"


class DiscordSettings(ChannelSettings):
    """Which bot speaks for PingPilot on Discord."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}DISCORD_")

    token: Token = None
    api_url: HttpUrl = DISCORD_API

    @property
    def missing(self) -> str | None:
        return None if self.token else self.variable("token")
