"""The settings of the Telegram channel: `PINGPILOT_TELEGRAM_…`."""

from pydantic_settings import SettingsConfigDict

from pingpilot.config import PREFIX, ChannelSettings, HttpUrl, Token

TELEGRAM_API = "https://api.telegram.org"


class TelegramSettings(ChannelSettings):
    """Which bot speaks for PingPilot on Telegram."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}TELEGRAM_")

    token: Token = None
    api_url: HttpUrl = TELEGRAM_API
    webhook: bool = False

    @property
    def missing(self) -> str | None:
        return None if self.token else self.variable("token")
