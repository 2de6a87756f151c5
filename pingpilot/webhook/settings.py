"""The settings of the webhook channel: `PINGPILOT_WEBHOOK_…`."""

from functools import cached_property
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict

from pingpilot.accounts.webhooks import check_webhook_url
from pingpilot.config import PREFIX, ChannelSettings, networks
from pingpilot.networks import Network, networks_of


class WebhookSettings(ChannelSettings):
    """Which networks of the operator's own webhooks may reach. The channel needs nothing to be on."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}WEBHOOK_")

    allow: Annotated[tuple[str, ...], NoDecode, BeforeValidator(networks)] = ()

    @property
    def missing(self) -> str | None:
        return None

    def check_address(self, text: str) -> str:
        return check_webhook_url(text, self.allowed)

    @cached_property
    def allowed(self) -> tuple[Network, ...]:
        """The networks that are opened."""
        return networks_of(self.allow)
