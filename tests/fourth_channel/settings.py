"""The pager's settings: `PINGPILOT_PAGER_…`."""

from pydantic_settings import SettingsConfigDict

from pingpilot.config import PREFIX, ChannelSettings, HttpUrl


class PagerSettings(ChannelSettings):
    """Where pages are handed in."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}PAGER_")

    url: HttpUrl | None = None

    @property
    def missing(self) -> str | None:
        return None if self.url else self.variable("url")
