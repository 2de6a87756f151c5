"""The settings of the Telegram channel: `PINGPILOT_TELEGRAM_…`."""

import re

from pydantic_settings import SettingsConfigDict

from pingpilot.channels import TELEGRAM
from pingpilot.config import PREFIX, BotSettings, HttpUrl, unnamed_bot

TELEGRAM_API = "https://api.telegram.org"
HTTPS_ALONE = (
    f"Telegram posts to https addresses alone: set {PREFIX}PUBLIC_URL to the one at which it reaches this "
    f"server, or take {PREFIX}TELEGRAM_WEBHOOK away."
)


class TelegramSettings(BotSettings):
    """Which bots speak for PingPilot on Telegram."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}TELEGRAM_")

    api_url: HttpUrl = TELEGRAM_API
    webhook: bool = False

    @property
    def bot(self) -> str | None:
        """By its id, which stands before the colon and stays when the token is renewed."""
        if self.token is None:
            return None
        number, _, secret = self.token.get_secret_value().partition(":")
        is_id = secret and re.fullmatch("[0-9]{1,20}", number)
        return f"{TELEGRAM.name}:{number}" if is_id else unnamed_bot(TELEGRAM.name, self.token)
