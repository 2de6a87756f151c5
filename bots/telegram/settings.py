"""The settings of the Telegram channel: `PINGPILOT_TELEGRAM_…`."""

from pydantic_settings import SettingsConfigDict

from pingpilot.channels import TELEGRAM
from pingpilot.config import PREFIX, ChannelSettings, HttpUrl, Token

TELEGRAM_API = "https://api.telegram.org"


class TelegramSettings(ChannelSettings):
    """Which bot speaks for PingPilot on Telegram."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}TELEGRAM_")

    token: Token = None
    api_url: HttpUrl = TELEGRAM_API
    webhook: bool = False

    @property
    def bot(self) -> str:
        """By its id, which stands before the colon and stays when the token is renewed."""
        number, of_bot_father, _ = (self.token.get_secret_value() if self.token else "").partition(":")
        return f"{TELEGRAM.name}:{number if of_bot_father else ''}"

    @property
    def missing(self) -> str | None:
        return None if self.token else self.variable("token")
